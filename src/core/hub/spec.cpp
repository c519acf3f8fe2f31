#include "core/hub/spec.hpp"

#include <algorithm>

#include "base/sha256.hpp"
#include "base/text.hpp"

namespace lc::hub {
namespace {

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

/// The hub's own rule for names of owners and repositories.
bool is_hub_name(std::string_view name) {
    return !name.empty() && name.size() <= 96 && std::all_of(name.begin(), name.end(), is_name_char) &&
           name.front() != '.' && name.front() != '-' && name.back() != '.' && name.back() != '-' &&
           name.find("..") == std::string_view::npos && name.find("--") == std::string_view::npos;
}

}  // namespace

bool is_safe_path(std::string_view path) {
    // A name gets ".part.json" appended and must still fit the usual 255 bytes.
    constexpr std::size_t max_name = 240, max_path = 1024;
    if (path.empty() || path.size() > max_path) return false;
    for (std::size_t from = 0; from <= path.size();) {
        const std::size_t slash = std::min(path.find('/', from), path.size());
        const std::string_view name = path.substr(from, slash - from);
        if (name.empty() || name.size() > max_name || name.front() == '.') return false;
        for (const char c : name) {
            if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
        }
        from = slash + 1;
    }
    return true;
}

bool is_gguf(std::string_view path) {
    constexpr std::string_view suffix = ".gguf";
    return path.size() > suffix.size() && iequals(path.substr(path.size() - suffix.size()), suffix);
}

Result<Spec> parse_spec(std::string_view text) {
    const auto bad = [text](std::string_view why) {
        return fail(Errc::bad_request, "\"" + preview(text, 120) + "\" names no model: " + std::string(why) +
                                           ". Expected org/repo, org/repo:quant or org/repo:file.gguf, as in "
                                           "bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M");
    };
    std::string_view rest = trim(text);
    for (const std::string_view prefix : {"https://", "hf.co/", "huggingface.co/"}) {
        if (rest.starts_with(prefix)) rest.remove_prefix(prefix.size());
    }
    std::string_view selector;
    if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
        selector = rest.substr(colon + 1);
        rest = rest.substr(0, colon);
        if (selector.empty()) return bad("nothing follows the ':'");
    }
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos) return bad("there is no '/' between organisation and repository");
    const std::string_view org = rest.substr(0, slash), repo = rest.substr(slash + 1);
    if (repo.find('/') != std::string_view::npos) return bad("there is more than one '/' before the ':'");
    if (!is_hub_name(org)) return bad("the organisation is not a name that a hub has");
    if (!is_hub_name(repo)) return bad("the repository is not a name that a hub has");
    Spec spec{.org = std::string(org), .repo = std::string(repo)};
    if (is_gguf(selector)) {
        if (!is_safe_path(selector)) return bad("the file's path is not a plain relative path");
        spec.file = selector;
    } else if (!selector.empty()) {
        if (selector.size() > 64 || !std::all_of(selector.begin(), selector.end(), is_name_char)) {
            return bad("what follows the ':' is neither a quantisation nor a .gguf file");
        }
        spec.quant = selector;
    }
    return spec;
}

std::string to_text(const Spec& spec) {
    std::string out = spec.org + "/" + spec.repo;
    if (!spec.file.empty()) return out + ":" + spec.file;
    if (!spec.quant.empty()) return out + ":" + spec.quant;
    return out;
}

std::string repo_dir(std::string_view cache_dir, const Spec& spec) {
    return std::string(cache_dir) + "/models/hf/" + spec.org + "/" + spec.repo;
}

std::string record_name(const Spec& spec) {
    // Hidden, so that no file of a repository can have the name (is_safe_path). Each kind has a prefix of its own.
    if (!spec.file.empty()) return ".localcode-file-" + hex(sha256(spec.file)).substr(0, 32) + ".json";
    if (!spec.quant.empty()) return ".localcode-quant-" + to_lower(spec.quant) + ".json";
    return ".localcode.json";
}

}  // namespace lc::hub
