// One writer per state folder.
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

}  // namespace lc::sys
