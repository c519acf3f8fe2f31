// The system calls of starting a child.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.hpp"
#include "shell/sys/fd.hpp"

namespace lc::process {

struct Started {
    pid_t pid = 0;
    sys::UniqueFd pidfd;   ///< readable when it has ended
    sys::UniqueFd output;  ///< stdout and stderr, non-blocking
};

/// fork and exec. `env` as "NAME=value". A failed exec is reported here, as if the fork had failed.
[[nodiscard]] Result<Started> start(const std::string& program, const std::vector<std::string>& args,
                                    const std::vector<std::string>& env);

}  // namespace lc::process
