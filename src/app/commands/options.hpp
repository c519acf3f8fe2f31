// Options that several commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

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
/// A verb about a running gateway: its place, --json, the help's last lines, and what it runs. `Options` has `cli` and
/// `json`; they live as long as the command line.
template <class Options, class Run>
auto add_place_verb(CLI::App& app, int& status, const char* name, const char* about, const char* footer, Run run) {
    auto* command = app.add_subcommand(name, about);
    const auto options = std::make_shared<Options>();
    add_place_options(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer(footer);
    command->callback([options, &status, run] { status = run(*options); });
    return std::pair(command, options);
}
/// Everything that `serve` takes.
void add_serve_options(CLI::App& command, config::CliOptions& options);

}  // namespace lc::commands
