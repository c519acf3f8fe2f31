// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): spreads the bits of a number over all of it. Pure.
#pragma once

#include <cstdint>

namespace lc::policy {

[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
    x += 0x9e37'79b9'7f4a'7c15;
    x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9;
    x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11eb;
    return x ^ (x >> 31);
}

}  // namespace lc::policy
