#include "core/api/json_scan.hpp"

#include <cstring>

namespace lc::api {

namespace {

/// `at` is the opening quote. Strings make up most of a request: found by memchr, not byte by byte.
std::size_t skip_string(std::string_view text, std::size_t at) {
    std::size_t from = at + 1;
    while (from < text.size()) {
        const void* hit = std::memchr(text.data() + from, '"', text.size() - from);
        if (hit == nullptr) return text.size();
        const auto quote = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
        std::size_t backslashes = 0;
        while (quote - backslashes > at + 1 && text[quote - backslashes - 1] == '\\') ++backslashes;
        if (backslashes % 2 == 0) return quote + 1;
        from = quote + 1;
    }
    return text.size();
}

}  // namespace

std::size_t skip_json_space(std::string_view text, std::size_t at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) ++at;
    return at;
}

std::size_t skip_json_value(std::string_view text, std::size_t at) {
    if (at >= text.size()) return text.size();
    if (text[at] == '"') return skip_string(text, at);
    if (text[at] == '{' || text[at] == '[') {
        std::size_t depth = 0;
        while (at < text.size()) {
            switch (text[at]) {
                case '"': at = skip_string(text, at); continue;
                case '{':
                case '[': ++depth; break;
                case '}':
                case ']':
                    if (--depth == 0) return at + 1;
                    break;
                default: break;
            }
            ++at;
        }
        return text.size();
    }
    const std::size_t end = text.find_first_of(",]} \n\r\t", at);
    return end == std::string_view::npos ? text.size() : end;
}

}  // namespace lc::api
