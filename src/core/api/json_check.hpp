// A strict JSON checker (RFC 8259) that says where and why: the slow path behind the fast parser, which does not.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lc::api {

struct JsonFault {
    std::size_t offset = 0;
    std::string what;  ///< "expected ',' or '}'"
};

/// What is valid JSON but more than the fast parser takes: numbers beyond 64 bits or double, and escaped halves of
/// surrogate pairs (JavaScript clients that cut a text in the middle of an emoji send them).
struct JsonOddity {
    enum class Kind { number, surrogate } kind;
    std::size_t begin, end;
};

/// Pure. Empty when `text` is valid JSON of at most `max_depth` nested arrays and objects. Appends to `oddities`.
[[nodiscard]] std::optional<JsonFault> check_json(std::string_view text, std::size_t max_depth,
                                                  std::vector<JsonOddity>& oddities);

/// Offset of the first byte that is not UTF-8 (RFC 3629), or the size.
[[nodiscard]] std::size_t find_invalid_utf8(std::string_view text);

}  // namespace lc::api
