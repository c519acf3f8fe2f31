// What the verbs of `cache` and `requests` share.
#pragma once

#include <CLI/CLI.hpp>

#include "app/commands/cli.hpp"
#include "core/config/overlay.hpp"

namespace lc::commands {

void add_cache_simulate(CLI::App& cache, int& status);

/// Path of requests.db: in --state-dir, else the running gateway's, else the usual one.
[[nodiscard]] Result<std::string> request_log(const config::CliOptions& cli);

}  // namespace lc::commands
