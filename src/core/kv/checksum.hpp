// XXH3-64 with seed 0: finds damage (not forgery) at the speed of memory, so that checking a state costs less than
// copying it.
#pragma once

#include <cstdint>
#include <string_view>

namespace lc::kv {

/// Pure.
[[nodiscard]] std::uint64_t checksum(std::string_view bytes);

}  // namespace lc::kv
