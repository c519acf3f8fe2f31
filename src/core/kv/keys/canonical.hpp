// Canonical JSON: one text for all ways to write the same value (RFC 8785, but numbers keep their text and members are
// sorted by the bytes of their escaped names). Works on text that a parser has accepted; never reads out of bounds.
#pragma once

#include <string>
#include <string_view>

namespace lc::kv {

/// Appends the canonical form of the JSON value `raw` (no space around it). Of equal keys the last one counts. Nested
/// deeper than 512 it becomes null: parse_request does not let such a body through.
void append_canonical(std::string& out, std::string_view raw);

/// Appends the canonical form of a string given with its quotes.
void append_canonical_string(std::string& out, std::string_view quoted);

/// Appends `text` (a value, not JSON) as a canonical JSON string.
void append_quoted(std::string& out, std::string_view text);

/// The value of a string given with its quotes. Halves of surrogate pairs become U+FFFD.
[[nodiscard]] std::string string_value(std::string_view quoted);

/// Whether `text` is one whole JSON value; what begins and ends like one but is not would make two keys of one.
[[nodiscard]] bool is_json(std::string_view text);

}  // namespace lc::kv
