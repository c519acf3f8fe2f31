// One writer per state folder, and per folder of KV states.
#pragma once

#include <string>

#include "base/error.hpp"
#include "shell/sys/fd.hpp"

namespace lc::sys {

/// Held as long as it lives; the kernel lets go of it when the process ends, however it ends.
struct StateLock {
    UniqueFd fd;
};

/// Locks `<state_dir>/lock` and writes our pid there. Errors: overloaded when another process holds it (the text names
/// its pid), internal.
[[nodiscard]] Result<StateLock> lock_state_dir(const std::string& state_dir);

/// The same for another folder that one process writes to. `what`: "the state folder"; `remedy`: "give this one its own".
[[nodiscard]] Result<StateLock> lock_dir(const std::string& dir, const std::string& what, const std::string& remedy);

}  // namespace lc::sys
