#pragma once

#include "app/commands/load_config.hpp"
#include "core/config/overlay.hpp"

namespace lc::commands {

/// Runs the gateway until it is told to stop. Returns the exit status: 0, 1 (could not run), 2 (bad options or config).
int serve(const config::CliOptions& options);

}  // namespace lc::commands
