// Options that several commands share.
#pragma once

#include <CLI/CLI.hpp>

#include "core/config/overlay.hpp"

namespace lc::commands {

inline constexpr const char* listening_group = "Listening";
inline constexpr const char* models_group = "Models and backends";
inline constexpr const char* files_group = "Files";
inline constexpr const char* logging_group = "Logging";

void add_config_option(CLI::App& command, config::CliOptions& options);
void add_state_option(CLI::App& command, config::CliOptions& options);
void add_json_option(CLI::App& command, bool& json);
/// --port and --config: which running gateway is meant.
void add_place_options(CLI::App& command, config::CliOptions& options);
/// Everything that `serve` takes.
void add_serve_options(CLI::App& command, config::CliOptions& options);

}  // namespace lc::commands
