// Reads the config that a command works with: file, environment and options, laid over each other.
#pragma once

#include <string>

#include "base/error.hpp"
#include "core/config/config.hpp"
#include "core/config/overlay.hpp"
#include "core/config/parse.hpp"
#include "shell/sys/paths.hpp"

namespace lc::commands {

struct Loaded {
    config::Config config;   ///< effective and valid; file names absolute, presets filled in
    sys::Paths paths;        ///< not made yet: sys::prepare
    bool from_file = false;  ///< paths.config_file exists and was read
};

/// Errors: bad_request; the text lists every problem with file, line and column. An empty config is fine here
/// (config::nothing_to_serve tells).
[[nodiscard]] Result<Loaded> load_config(const config::CliOptions& options);

/// The steps before the overlay, for `config check`.
struct ReadFile {
    sys::Paths paths;
    bool found = false;
    config::Parsed parsed;  ///< file names as written
};
[[nodiscard]] Result<ReadFile> read_config_file(const config::CliOptions& options);

/// What the environment says, restricted to the names that matter.
[[nodiscard]] config::Environment read_environment();

}  // namespace lc::commands
