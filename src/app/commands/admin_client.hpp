// Talks to a running gateway through its admin socket: what `status`, `models`, `logs` and `stop` are made of.
#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "core/config/overlay.hpp"

namespace lc::commands {

/// Which gateway is meant.
struct Place {
    std::uint16_t port = 4242;
    std::string socket;  ///< the admin socket; empty: the folder of sockets cannot be told
};

/// Port: --port, else LOCALCODE_PORT, else the config file's, else 4242. Nothing is made on disk. A broken config file
/// is no reason to fail here: `status` must work then, too.
[[nodiscard]] Result<Place> find_place(const config::CliOptions& options);

/// One exchange with /localcode/v1/<path>. Errors: not_found when no gateway is running there (the text says how to
/// start one); what the gateway answered otherwise.
[[nodiscard]] Result<std::string> ask(const Place& place, const std::string& method, const std::string& path,
                                      std::chrono::milliseconds timeout = std::chrono::seconds(30),
                                      const std::string& json_body = {});

/// GET, parsed.
[[nodiscard]] Result<boost::json::value> ask_json(const Place& place, const std::string& path);

}  // namespace lc::commands
