// The beginning of a prompt as the request log remembers it: chained keys of its messages, for replaying cache
// policies.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lc::log {

/// Key of all up to the end of a message (8 bytes of it), and how many bytes of the request that message has.
using PrefixPiece = std::pair<std::uint64_t, std::uint32_t>;

inline constexpr std::size_t max_prefix_pieces = 256;  ///< of one request: earlier ones are taken together

/// "k:b k:b ...", keys and bytes in hexadecimal.
[[nodiscard]] std::string prefix_text(const std::vector<PrefixPiece>& pieces);
/// Reads it back; what is malformed ends it.
[[nodiscard]] std::vector<PrefixPiece> prefix_of(std::string_view text);

[[nodiscard]] constexpr std::uint32_t clamp_bytes(std::size_t n) {
    return n > 0x7fff'ffff ? 0x7fff'ffffu : static_cast<std::uint32_t>(n);
}

}  // namespace lc::log
