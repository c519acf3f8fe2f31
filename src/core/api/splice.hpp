// Edits of a JSON text that leave every other byte as it was: numbers, unknown fields, duplicate keys and order
// survive.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/request_view.hpp"

namespace lc::api {

/// Replace `range` of the original by `text`.
struct Splice {
    Range range;
    std::string text;
};

/// Applies splices, in any order, that do not overlap. Of several insertions at one place the earlier comes first.
[[nodiscard]] std::string apply(std::string_view original, std::vector<Splice> splices);

/// Splices that make `key` hold `json_value` (raw JSON) in the top-level object: every duplicate's value is replaced,
/// or a member is added at the end. Both functions see the edits that are already in `out` (commas are shared), and the
/// later call wins: setting a member that was set or removed before, removing one that was set, edits inside a removed
/// member.
void set_member(const RequestView& view, std::string_view body, std::string_view key, std::string_view json_value,
                std::vector<Splice>& out);

/// Splices that remove every top-level member of that key with the comma that belongs to it. May be combined with
/// set_member and other removals on the same body.
void remove_member(const RequestView& view, std::string_view body, std::string_view key, std::vector<Splice>& out);

/// `text` as a JSON string with quotes. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string json_quote(std::string_view text);

}  // namespace lc::api
