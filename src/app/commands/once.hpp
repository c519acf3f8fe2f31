// One HTTP exchange, waited for: what a command needs of a gateway.
#pragma once

#include <chrono>

#include "base/error.hpp"
#include "shell/net/http_client.hpp"

namespace lc::commands {

/// Blocks. Errors as of net::fetch.
[[nodiscard]] Result<net::Fetched> fetch_once(const net::Target& target, net::Request request,
                                              std::chrono::milliseconds timeout);

/// The message of an error object in whatever shape it comes; other text as it is.
[[nodiscard]] std::string message_of(const std::string& body);

}  // namespace lc::commands
