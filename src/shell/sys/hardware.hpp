// What this machine's processor and graphics cards are, from /proc, /sys and /dev.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lc::sys {

/// The features of the first processor ("avx2", "f16c", ...); empty: not x86, or they cannot be read. `root` stands
/// before /proc, /sys and /dev: for tests.
[[nodiscard]] std::vector<std::string> cpu_flags(const std::string& root = {});

/// The processor's name; empty: unknown.
[[nodiscard]] std::string cpu_name(const std::string& root = {});

struct Card {
    std::string name;    ///< "NVIDIA GeForce RTX 4090", else "AMD GPU (card1)", ...
    std::string kind;    ///< cuda | hip | vulkan: what an engine would use it by
    std::string device;  ///< the file that must be opened; empty: none is known
    bool can_open = true;
    std::int64_t memory = 0, memory_free = 0;  ///< bytes; 0: unknown
};

/// Cards that can compute. Those of NVIDIA are named by the driver's files, their memory is unknown here.
[[nodiscard]] std::vector<Card> cards(const std::string& root = {});

}  // namespace lc::sys
