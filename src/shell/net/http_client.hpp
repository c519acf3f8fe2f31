// HTTP/1.1 client for engines (Unix sockets) and remote backends (TCP, TLS with verified certificates), with pooled
// keep-alive connections.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "shell/net/http_types.hpp"

namespace lc::net {

namespace asio = boost::asio;
template <class T>
using awaitable = asio::awaitable<T>;

struct Target {
    Target() = default;     ///< not an aggregate: see http_types.hpp
    std::string unix_path;  ///< not empty: connect there
    std::string host;       ///< else host and port
    std::uint16_t port = 80;
    bool tls = false;
    std::string ca_file;    ///< own CA (PEM) instead of the system's
    std::string base_path;  ///< prefix of every request target, without trailing '/'
    bool operator==(const Target&) const = default;
};

/// "https://api.z.ai/api/coding/paas/v4", "http://127.0.0.1:8080", "unix:/path". bad_request otherwise, naming the fault.
[[nodiscard]] Result<Target> parse_url(std::string_view url);

struct Timeouts {
    std::chrono::milliseconds connect{10'000};
    std::chrono::milliseconds first_byte{0};  ///< from the request sent to the answer's head; 0: none
    std::chrono::milliseconds silence{0};     ///< between two pieces of the body; 0: none
};

/// Idle connections by target, bounded in number and age. One per process; used on the network thread only.
class Pool;
struct PoolDeleter {
    void operator()(Pool* pool) const;
};
using PoolPtr = std::unique_ptr<Pool, PoolDeleter>;
[[nodiscard]] PoolPtr make_pool(asio::any_io_executor executor, std::size_t max_idle_per_target = 32,
                                std::chrono::seconds max_idle_time = std::chrono::seconds(55));

/// A request under way. Create one, keep it alive until the calls on it have returned; destroying it closes the connection
/// unless the answer was read to its clean end (then the connection goes back to the pool).
class Call;
struct CallDeleter {
    void operator()(Call* call) const;
};
using CallPtr = std::unique_ptr<Call, CallDeleter>;
[[nodiscard]] CallPtr make_call(Pool& pool, Target target, Timeouts timeouts);

/// Sends and reads the answer's head. A pooled connection that turns out stale before any byte of the answer came is
/// replaced by a fresh one, once, silently. Errors: upstream_error (connect, TLS: says which), upstream_timeout,
/// cancelled. `request.fields` must hold no hop-by-hop fields; Host, Content-Length and Connection are set here, and given
/// ones of these names ignored. An answer that comes before the request is sent whole is returned; the connection is then
/// not used again. Times are looked at 10 times a second.
awaitable<Result<ResponseHead>> exchange(Call& call, Request request);

/// Whether `exchange` got as far as a connection: false after an error that says that nothing was sent, ever, over the
/// connection it tried last.
[[nodiscard]] bool connected(const Call& call);

/// The next piece of the body as it came (chunked framing removed). Empty: the clean end. The view is valid until the
/// next call. Errors: upstream_error when the connection was cut before the end, upstream_timeout, cancelled.
awaitable<Result<std::string_view>> read_some(Call& call);

/// Reads the rest of the body; upstream_error over `max_bytes`.
awaitable<Result<std::string>> read_all(Call& call, std::size_t max_bytes = 64u << 20);

/// Makes every pending and later operation on the call return `cancelled` and closes the connection at once. May be called
/// from any place on the network thread, more than once.
void cancel(Call& call);

/// Whole exchange in one go: for health probes and small queries.
struct Fetched {
    int status = 0;
    Fields fields;
    std::string body;
};
awaitable<Result<Fetched>> fetch(Pool& pool, Target target, Timeouts timeouts, Request request);

}  // namespace lc::net
