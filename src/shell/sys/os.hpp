// Small services of the operating system: clock, random bytes, umask, the tie between parent and child.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "base/error.hpp"

namespace lc::sys {

/// Wall clock, milliseconds since 1970.
[[nodiscard]] std::uint64_t unix_ms();

/// Asks the kernel to read the file into its cache, without waiting. Returns its size; 0: there is none.
std::uint64_t read_ahead(const std::string& path);

/// Fills `out` from the kernel's generator.
[[nodiscard]] Result<void> random_bytes(std::span<std::uint8_t> out);

/// Files made from now on are ours alone (umask 077). Once, at start, before there are threads.
void set_private_umask();

/// SIGPIPE ignored: a peer that has gone away is an error of the write, not our end.
void ignore_sigpipe();

/// Waits until the process (no child of ours need be) has ended, also when nobody reaps it. False: still there after
/// `timeout_ms`, or it cannot be watched.
[[nodiscard]] bool wait_for_exit(pid_t pid, int timeout_ms);

/// For a child between fork and exec (async-signal-safe): SIGKILL when the thread that forked us ends, and false when
/// `parent` is gone already, because then no signal will come.
[[nodiscard]] bool tie_to_parent(pid_t parent);

/// For a child between fork and exec (async-signal-safe): when memory runs out the kernel takes this process first.
void offer_to_oom_killer();

/// For a child between fork and exec (async-signal-safe): no descriptor from 3 on survives exec.
void close_inherited_on_exec();

}  // namespace lc::sys
