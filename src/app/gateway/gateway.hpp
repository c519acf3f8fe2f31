// The gateway itself: from an HTTP request to an engine or a remote backend and back. One owner of its state; everything
// runs on the network thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/config/config.hpp"
#include "shell/net/http_server.hpp"
#include "shell/store/requests_db.hpp"

namespace lc::gateway {

namespace asio = boost::asio;
template <class T>
using awaitable = asio::awaitable<T>;

enum class Level : std::uint8_t { error, warn, info, debug };
using LogSink = std::function<void(Level level, std::string_view text)>;

struct NamedKey {
    std::string name, key;
};

struct Options {
    config::Config config;                  ///< validated; model paths resolved
    std::vector<NamedKey> keys;             ///< resolved auth.keys
    std::string admin_key;                  ///< resolved; empty: no admin API over TCP
    std::vector<std::string> backend_keys;  ///< resolved, one per config.backends, empty: none
    std::string state_dir, runtime_dir;
    std::string staging_dir;                ///< for slot files of stock servers; empty: none could be made
    std::string version;
    bool colour = false;                    ///< of the request log
    LogSink log;
    store::RequestsDb* requests = nullptr;  ///< may be null: nothing is kept
};

class Gateway;
struct GatewayDeleter {
    void operator()(Gateway* gateway) const;
};
using GatewayPtr = std::unique_ptr<Gateway, GatewayDeleter>;

[[nodiscard]] GatewayPtr make_gateway(asio::any_io_executor executor, Options options);

/// Handler of the clients' listeners.
awaitable<void> handle(Gateway& gateway, net::Exchange& exchange);

/// Handler of the admin socket: the admin API without a key (the socket is its owner's alone).
awaitable<void> handle_admin(Gateway& gateway, net::Exchange& exchange);

/// Starts what runs beside the requests: pings, preloading, asking backends for their models.
void start(Gateway& gateway);

/// Where it listens, for `status`; and what counts connections. Given once the listeners are up.
void set_listening(Gateway& gateway, std::vector<std::string> addresses, std::function<std::size_t()> connections);

/// Called (once) when somebody asks for a shutdown over the admin API.
void on_shutdown(Gateway& gateway, std::function<void()> callback);

/// Ends running requests: their clients get an error. Later ones are refused.
void cancel_all(Gateway& gateway);

/// cancel_all, and stops the engines.
awaitable<void> stop(Gateway& gateway, std::chrono::milliseconds engine_grace);

}  // namespace lc::gateway
