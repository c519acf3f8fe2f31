// Finds byte ranges in JSON text that is known to be valid (a parser has seen it). Never reads out of bounds, whatever
// the text is; on invalid text the ranges mean nothing.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/api/request_view.hpp"

namespace lc::api {

[[nodiscard]] std::size_t skip_json_space(std::string_view text, std::size_t at);

/// One past the end of the value that begins at `at` (no space before it).
[[nodiscard]] std::size_t skip_json_value(std::string_view text, std::size_t at);

[[nodiscard]] inline std::string_view slice(std::string_view text, Range range) {
    return text.substr(range.begin, range.end - range.begin);
}

/// Calls `fn(key, value)` for each member of the object that begins at `at`; `key` includes its quotes. Returns one
/// past the object's end.
template <class Fn>
std::size_t scan_members(std::string_view text, std::size_t at, Fn&& fn) {
    at = skip_json_space(text, at + 1);
    while (at < text.size() && text[at] == '"') {
        const Range key{at, skip_json_value(text, at)};
        at = skip_json_space(text, key.end);
        if (at >= text.size() || text[at] != ':') break;
        at = skip_json_space(text, at + 1);
        const Range value{at, skip_json_value(text, at)};
        fn(key, value);
        at = skip_json_space(text, value.end);
        if (at >= text.size() || text[at] != ',') break;
        at = skip_json_space(text, at + 1);
    }
    return at < text.size() ? at + 1 : text.size();
}

/// Calls `fn(value)` for each element of the array that begins at `at`. Returns one past the array's end.
template <class Fn>
std::size_t scan_elements(std::string_view text, std::size_t at, Fn&& fn) {
    at = skip_json_space(text, at + 1);
    while (at < text.size() && text[at] != ']') {
        const Range value{at, skip_json_value(text, at)};
        if (value.empty()) break;
        fn(value);
        at = skip_json_space(text, value.end);
        if (at >= text.size() || text[at] != ',') break;
        at = skip_json_space(text, at + 1);
    }
    return at < text.size() ? at + 1 : text.size();
}

}  // namespace lc::api
