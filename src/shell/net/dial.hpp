// Opening a connection to a target: name look-up, attempts at its addresses, the first that answers wins (RFC 8305).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "shell/net/http_client.hpp"
#include "shell/net/stream.hpp"

namespace lc::net {

/// A connection that is being opened. Shared with the operations under way, which may outlive the wait for them.
struct Dialing {
    explicit Dialing(asio::any_io_executor e) : executor(e), resolver(e), stagger(e), changed(e) {}
    asio::any_io_executor executor;
    asio::ip::tcp::resolver resolver;
    asio::steady_timer stagger;            ///< starts the next attempt while an earlier one is still silent
    asio::steady_timer changed;            ///< cancelled at every event that the waiting coroutine should look at
    std::vector<Endpoint> endpoints;
    std::vector<std::shared_ptr<Socket>> attempts;
    std::size_t next = 0, running = 0;
    bool resolved = false, aborted = false;
    std::optional<Socket> winner;
    error_code fault;                      ///< of the look-up, or of the last attempt
};

/// Ends `dial` with `cancelled`, at once.
void abort(Dialing& dialing);

/// Errors: upstream_error naming the step that failed; cancelled after abort().
awaitable<Result<Socket>> dial(std::shared_ptr<Dialing> dialing, const Target& target);

/// "http://host:port", "https://host:port", "unix:/path".
[[nodiscard]] std::string to_text(const Target& target);

}  // namespace lc::net
