// Programs that outlive us: a gateway started on the way, and the program that we become.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/error.hpp"

namespace lc::process {

/// Starts a program in a session of its own, no child of ours: it goes on when this process and its terminal are gone.
/// Standard input is /dev/null; its output is appended to `log_file` (made with mode 0600). The environment and the
/// working folder are ours. Returns its pid. Errors: not_found (no such program), internal.
[[nodiscard]] Result<pid_t> start_detached(const std::string& program, const std::vector<std::string>& args,
                                           const std::string& log_file);

/// Runs a program on our own terminal and waits for its end; interrupts from the terminal are its business meanwhile.
/// `env`: all of it, as "NAME=value". Returns its exit status, or 128 + the signal that ended it.
[[nodiscard]] Result<int> run_in_foreground(const std::string& program, const std::vector<std::string>& args,
                                            const std::vector<std::string>& env);

/// Becomes the program; returns only when that failed.
[[nodiscard]] Error become(const std::string& program, const std::vector<std::string>& args,
                           const std::vector<std::string>& env);

}  // namespace lc::process
