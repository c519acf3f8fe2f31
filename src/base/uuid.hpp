// UUID version 7 (RFC 9562): sorts by time.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace lc {

/// Pure: builds the canonical text form from milliseconds since 1970 and ten random bytes.
[[nodiscard]] std::string uuid_v7(std::uint64_t unix_ms, const std::array<std::uint8_t, 10>& random);

}  // namespace lc
