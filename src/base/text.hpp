// Small text helpers: UTF-8 aware cutting, nearest word, ASCII case.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace lc {

/// The longest prefix of at most `max_bytes` that does not end inside a UTF-8 character.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t max_bytes);

/// At most `max_chars` characters of `text` on one line (control characters become spaces), with "..." when cut.
[[nodiscard]] std::string preview(std::string_view text, std::size_t max_chars);

/// Edit distance (Levenshtein), for suggestions.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, or empty when none is near enough to be a likely typo.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

[[nodiscard]] bool iequals(std::string_view a, std::string_view b);  ///< ASCII only
[[nodiscard]] std::string to_lower(std::string_view text);           ///< ASCII only
[[nodiscard]] std::string_view trim(std::string_view text);          ///< spaces and tabs

}  // namespace lc
