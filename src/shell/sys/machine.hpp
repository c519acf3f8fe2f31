// What the machine (or the container around us) gives: cores and memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"

namespace lc::sys {

/// Processors that this process may use: affinity mask and cgroup CPU quota (version 1 and 2) respected; at least 1.
/// `root` stands before /proc and /sys: for tests.
[[nodiscard]] int cores(const std::string& root = {});

/// Bytes that can be taken without swapping: MemAvailable, and what every enclosing cgroup's limit leaves (its page
/// cache counts as free). internal when /proc/meminfo cannot be read.
[[nodiscard]] Result<std::int64_t> memory_available(const std::string& root = {});

/// Resident memory of a process; 0 when it is gone.
[[nodiscard]] std::int64_t rss_bytes(int pid);

/// A number that grows while a process works: processor time and pages read from disk. Empty when it is gone.
[[nodiscard]] std::optional<std::uint64_t> progress(int pid);

}  // namespace lc::sys
