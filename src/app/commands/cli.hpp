// The command line. One function per family adds its commands; each command leaves its exit status in `status`:
// 0 fine, 1 failed, 2 wrong usage or config.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace CLI {
class App;
}

namespace lc::commands {

inline constexpr int ok = 0, failed = 1, usage = 2;

void add_serve(CLI::App& app, int& status);
void add_config(CLI::App& app, int& status);
void add_status(CLI::App& app, int& status);  ///< status, models, stop
void add_engine_verbs(CLI::App& app, int& status);  ///< ps, load, unload
void add_top(CLI::App& app, int& status);
void add_recommend(CLI::App& app, int& status);
void add_doctor(CLI::App& app, int& status);
void add_logs(CLI::App& app, int& status);
void add_requests(CLI::App& app, int& status);
void add_route(CLI::App& app, int& status);
void add_explain(CLI::App& app, int& status);
void add_sessions(CLI::App& app, int& status);
void add_cache(CLI::App& app, int& status);
void add_version(CLI::App& app, int& status);
void add_completions(CLI::App& app, int& status);
void add_man_page(CLI::App& app, int& status);  ///< hidden: for packaging

/// Prints "localcode COMMAND: text" to standard error; returns `usage` for bad_request, else `failed`.
int complain(std::string_view command, const Error& error);

/// The completion script of bash, zsh or fish for these commands; empty for other shells.
[[nodiscard]] std::string completion_script(const CLI::App& app, std::string_view shell);

/// Everything: parses, runs, returns the exit status.
int run(int argc, char** argv);

}  // namespace lc::commands
