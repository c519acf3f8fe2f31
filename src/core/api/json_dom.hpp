// Parsed JSON for looking at (never for writing back: edits are splices on the original text).
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/error.hpp"

namespace lc::api {

using Json = simdjson::dom::element;

/// The root of a parsed text. Valid until the next `parse_json` on this thread; borrows nothing of the text.
struct JsonRoot {
    Json root;
    std::unique_ptr<simdjson::dom::parser> own;  ///< set for large texts, so that their memory goes with them
};

/// Errors (bad_request) say where and why. Numbers of any size and halves of surrogate pairs are accepted; in the view
/// they are cut to 18 digits, become 0 (beyond double), or U+FFFD.
[[nodiscard]] Result<JsonRoot> parse_json(std::string_view text, std::size_t max_depth = 256);

/// "object", "array", "string", "number", "boolean", "null".
[[nodiscard]] std::string_view type_name(Json value);

// Looking at a value without caring for errors: a wrong type reads as empty.
[[nodiscard]] std::string_view text_of(Json value);  ///< of a string, else empty
[[nodiscard]] std::optional<double> number_of(Json value);
[[nodiscard]] std::optional<std::int64_t> integer_of(Json value);  ///< also of 3.0; saturates
[[nodiscard]] std::optional<Json> member(Json value,
                                         std::string_view key);  ///< last one of that key; null reads as absent
[[nodiscard]] std::string_view text_at(Json value, std::string_view key);
[[nodiscard]] std::int64_t integer_at(Json value, std::string_view key, std::int64_t otherwise = 0);

}  // namespace lc::api
