// What this engine can do beyond llama-server; reported by GET /localcode/engine and --version. Only what works is listed.
#pragma once
#include <array>
#include <string_view>

inline constexpr std::array<std::string_view, 2> engine_features = {
    "die_with_parent",  // --die-with-parent PID
    "stop_gracefully",  // SIGTERM: running requests get an error, then exit 0
};
