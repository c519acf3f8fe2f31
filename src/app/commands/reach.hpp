// Where this user's gateway is, for what sends clients there; starting one when there is none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/clients/client.hpp"
#include "core/config/overlay.hpp"
#include "shell/sys/paths.hpp"

namespace lc::commands {

struct Reach {
    std::string url;  ///< without /v1; hosts that mean "every address" are told as this machine
    std::uint16_t port = 0;
    std::string key;      ///< what clients must send; empty: none is known
    sys::Paths paths;     ///< not made yet
    std::string problem;  ///< why the configuration could not be read; empty: it could
    bool running = false;
    std::string default_model;  ///< while running
};

/// Reads the configuration and asks GET /health. `url` (may be empty): a gateway elsewhere, asked instead. Key:
/// $LOCALCODE_API_KEY, else the first of the configuration. Errors: bad_request (port, url), overloaded when another
/// program has the port.
[[nodiscard]] Result<Reach> find_gateway(const config::CliOptions& options, const std::string& url = {});

/// Asks again.
[[nodiscard]] Result<void> look(Reach& reach);

/// Starts `localcode serve ARGS` in the background and waits until it is healthy; says so on standard error. Errors:
/// what it said when it ended instead.
[[nodiscard]] Result<void> start_gateway(Reach& reach, const std::vector<std::string>& serve_args);

/// What a client has to know of it: GET /v1/models.
[[nodiscard]] Result<clients::Setup> setup_of(const Reach& reach);

/// The folder of a client's files for this gateway, made with mode 0700.
[[nodiscard]] Result<std::string> client_folder(const Reach& reach, std::string_view client);

/// The OpenCode plugin: $LOCALCODE_PLUGIN (a file; "off": none), else the installed one, else the one of the sources.
/// Empty: there is none.
[[nodiscard]] std::string find_plugin();

}  // namespace lc::commands
