#include "core/hub/record.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "core/hub/spec.hpp"

namespace lc::hub {
namespace {

namespace json = boost::json;
constexpr std::int64_t version = 1;

json::array to_array(const std::vector<RepoFile>& files) {
    json::array out;
    for (const RepoFile& file : files) {
        out.push_back(json::object{{"path", file.path}, {"size", file.size}, {"sha256", file.sha256}});
    }
    return out;
}

std::optional<json::object> parse_object(std::string_view text) {
    boost::system::error_code ec;
    json::value document = json::parse({text.data(), text.size()}, ec);
    if (ec || !document.is_object()) return std::nullopt;
    const json::value* found = document.get_object().if_contains("version");
    if (found == nullptr || !found->is_int64() || found->get_int64() != version) return std::nullopt;
    return std::move(document.get_object());
}

std::optional<std::string> text_of(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(key);
    if (found == nullptr || !found->is_string()) return std::nullopt;
    return std::string(found->get_string().data(), found->get_string().size());
}

std::optional<std::int64_t> number_of(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(key);
    if (found == nullptr || !found->is_int64() || found->get_int64() < 0) return std::nullopt;
    return found->get_int64();
}

std::optional<std::vector<RepoFile>> files_of(const json::object& object, std::string_view key) {
    const json::value* found = object.if_contains(key);
    if (found == nullptr || !found->is_array()) return std::nullopt;
    std::vector<RepoFile> out;
    for (const json::value& entry : found->get_array()) {
        if (!entry.is_object()) return std::nullopt;
        const auto path = text_of(entry.get_object(), "path"), sha256 = text_of(entry.get_object(), "sha256");
        const auto size = number_of(entry.get_object(), "size");
        if (!path || !sha256 || !size || !is_safe_path(*path)) return std::nullopt;
        out.push_back({.path = *path, .size = *size, .sha256 = *sha256});
    }
    return out;
}

}  // namespace

std::string to_json(const Choice& choice) {
    return json::serialize(json::object{{"version", version},
                                        {"quant", choice.quant},
                                        {"files", to_array(choice.files)},
                                        {"projector", to_array(choice.projector)}}) +
           "\n";
}

std::optional<Choice> parse_record(std::string_view text) {
    const auto object = parse_object(text);
    if (!object) return std::nullopt;
    auto quant = text_of(*object, "quant");
    auto files = files_of(*object, "files"), projector = files_of(*object, "projector");
    if (!quant || !files || files->empty() || !projector || projector->size() > 1) return std::nullopt;
    return Choice{.quant = std::move(*quant), .files = std::move(*files), .projector = std::move(*projector)};
}

std::string to_json(const PartNote& note) {
    return json::serialize(
               json::object{{"version", version}, {"size", note.size}, {"sha256", note.sha256}, {"etag", note.etag}}) +
           "\n";
}

std::optional<PartNote> parse_part_note(std::string_view text) {
    const auto object = parse_object(text);
    if (!object) return std::nullopt;
    auto sha256 = text_of(*object, "sha256"), etag = text_of(*object, "etag");
    const auto size = number_of(*object, "size");
    if (!sha256 || !etag || !size) return std::nullopt;
    return PartNote{.sha256 = std::move(*sha256), .etag = std::move(*etag), .size = *size};
}

}  // namespace lc::hub
