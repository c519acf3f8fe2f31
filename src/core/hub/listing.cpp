#include "core/hub/listing.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <optional>

#include "base/text.hpp"
#include "core/hub/spec.hpp"

namespace lc::hub {
namespace {

namespace json = boost::json;

std::string_view text_of(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(key);
    if (found == nullptr || !found->is_string()) return {};
    return {found->get_string().data(), found->get_string().size()};
}

/// Not negative, and small enough that the sum of all files of a repository cannot overflow.
std::optional<std::int64_t> size_of(const json::object& object) {
    constexpr std::int64_t limit = std::int64_t{1} << 52;
    const json::value* found = object.if_contains("size");
    if (found == nullptr || !found->is_int64()) return std::nullopt;
    const std::int64_t size = found->get_int64();
    if (size < 0 || size > limit) return std::nullopt;
    return size;
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && std::all_of(text.begin(), text.end(),
                                            [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

tl::unexpected<Error> bad(std::string_view why) {
    return fail(Errc::upstream_error, "the hub's list of files cannot be used: " + std::string(why));
}

}  // namespace

Result<std::vector<RepoFile>> parse_listing(std::string_view text) {
    boost::system::error_code ec;
    json::parse_options options;
    options.max_depth = 16;
    const json::value document = json::parse({text.data(), text.size()}, ec, {}, options);
    if (ec) return bad("it is not JSON (" + ec.message() + ")");
    if (!document.is_array()) return bad("it is not a list");
    std::vector<RepoFile> out;
    for (const json::value& entry : document.get_array()) {
        if (!entry.is_object()) return bad("an entry is not an object");
        const json::object& object = entry.get_object();
        const std::string_view path = text_of(object, "path");
        if (text_of(object, "type") != "file" || !is_gguf(path)) continue;
        if (!is_safe_path(path)) return bad("\"" + preview(path, 120) + "\" is no path that may be written here");
        RepoFile file{.path = std::string(path)};
        auto size = size_of(object);
        const json::value* lfs = object.if_contains("lfs");
        if (lfs != nullptr && lfs->is_object()) {
            // The file itself; what stands beside it describes the pointer that the repository holds.
            file.sha256 = to_lower(text_of(lfs->get_object(), "oid"));
            if (file.sha256.starts_with("sha256:")) file.sha256.erase(0, 7);
            if (!is_sha256(file.sha256)) return bad("the checksum of " + file.path + " is no SHA-256");
            if (const auto real = size_of(lfs->get_object())) size = real;
        }
        if (!size) return bad("it gives no size for " + file.path);
        file.size = *size;
        out.push_back(std::move(file));
    }
    return out;
}

std::string next_link(std::string_view header) {
    while (true) {
        const auto open = header.find('<');
        if (open == std::string_view::npos) return {};
        const auto close = header.find('>', open);
        if (close == std::string_view::npos) return {};
        const std::string_view target = header.substr(open + 1, close - open - 1);
        header.remove_prefix(close + 1);
        // The parameters reach to the next link; a comma inside quotes does not matter, since '<' begins a link.
        const std::string_view parameters = header.substr(0, header.find('<'));
        const std::string lower = to_lower(parameters);
        for (const std::string_view form : {"rel=\"next\"", "rel=next"}) {
            if (lower.find(form) != std::string::npos) return std::string(target);
        }
    }
}

}  // namespace lc::hub
