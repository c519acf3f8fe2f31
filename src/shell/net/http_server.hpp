// HTTP/1.1 server on Asio and Beast: TCP (IPv4, IPv6), TLS and Unix sockets, one network thread.
// Keep-alive, pipelining (answers in order), Expect: 100-continue, chunked and compressed (gzip, deflate, zstd) request
// bodies, limits. Times are looked at 4 times a second. Strict where leniency lets requests be smuggled: message.hpp.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "shell/net/http_types.hpp"

namespace lc::net {

namespace asio = boost::asio;
template <class T>
using awaitable = asio::awaitable<T>;

struct ServerLimits {
    std::size_t max_header_bytes = 64 << 10;
    std::size_t max_body_bytes = 64u << 20;     ///< after decompression too
    std::size_t max_connections = 4096;         ///< over it: 503 with retry-after, connection closed
    std::chrono::milliseconds request_time{30'000};  ///< to send head and body
    std::chrono::milliseconds idle_time{75'000};     ///< between requests of a kept connection
    std::chrono::milliseconds write_stall{60'000};   ///< a client that takes no byte for so long is gone
    std::size_t high_water = 256 << 10;         ///< unsent bytes of a stream at which `send` waits
};

struct Listen {
    std::string host = "127.0.0.1";  ///< address, or "localhost" (both families); ignored for Unix sockets
    std::uint16_t port = 0;          ///< 0: any free port
    std::string unix_path;           ///< not empty: a Unix socket there, mode 0600
    std::string tls_certificate, tls_key;  ///< PEM files; both or none
};

/// One request and its answer, as the handler sees them. Lives until the handler has returned; the server owns it.
class Exchange;

[[nodiscard]] const Request& request(const Exchange& exchange);
[[nodiscard]] Request& request(Exchange& exchange);

/// Sends a whole answer. At most one of respond/start per exchange.
awaitable<Result<void>> respond(Exchange& exchange, Response response);

/// Begins a streamed answer: chunked (HTTP/1.0 clients: until close), or of `head.length` bytes where that is given (more
/// than that is not sent; an end before it is no clean one). The head leaves with the first piece, or at the
/// end of this turn of the loop, whichever is first.
awaitable<Result<void>> start(Exchange& exchange, ResponseHead head);

/// As `start`, without waiting: the head is queued, and written as soon as the socket takes it. For a held stream that is
/// committed by a timer while its handler waits elsewhere. cancelled, when the client is gone.
Result<void> start_now(Exchange& exchange, ResponseHead head);

/// Sends one piece, as one chunk, as soon as the socket takes it. Waits while more than `high_water` bytes are unsent.
/// Errors: cancelled, when the client is gone or stalled.
awaitable<Result<void>> send(Exchange& exchange, std::string_view bytes);

/// As `send`, without waiting; for pings. Dropped when the stream is over high water (the client has bytes to read then).
void send_now(Exchange& exchange, std::string_view bytes);

/// Ends a streamed answer cleanly (last chunk); the connection can serve its next request.
awaitable<Result<void>> finish(Exchange& exchange);

/// Ends a streamed answer uncleanly: what was sent is flushed, no last chunk, connection closed. So a client knows (but an
/// HTTP/1.0 client without TLS, for whom every end looks alike).
awaitable<void> abort(Exchange& exchange);

[[nodiscard]] bool started(const Exchange& exchange);  ///< head sent
/// The client closed its sending side, or the connection failed or stalled. A client that only closed its sending side
/// (`printf ... | nc -N`) counts as gone too: `send` and `finish` fail; but `respond` still writes its answer for it.
[[nodiscard]] bool gone(const Exchange& exchange);
[[nodiscard]] std::chrono::steady_clock::time_point last_sent(const Exchange& exchange);

/// Called once, on the network thread, when the client goes away while the handler runs (at once if it already has).
/// Replaces an earlier callback; an empty one removes it. Never called after the handler has returned, nor once the answer
/// is complete.
void on_gone(Exchange& exchange, std::function<void()> callback);

/// A coroutine per request. If it returns without an answer, the server sends 500; exceptions too (logged through
/// `log_error`). Must be a plain function object without captured references that die earlier than the server.
using Handler = std::function<awaitable<void>(Exchange&)>;

/// An error found before the handler ran: 400 malformed, 413 body, 431 head, 408 too slow, 503 too many connections,
/// 415 unknown Content-Encoding, 417 unknown Expect, 501 unknown Transfer-Encoding; or 500, when the handler gave no answer.
/// Returns the answer to send; the connection is closed behind it.
using ErrorPage = std::function<Response(const Error& error, int status)>;

struct ServerOptions {
    ServerLimits limits;
    Handler handler;
    ErrorPage error_page;
    std::function<void(std::string_view)> log_error;
};

class Server;
struct ServerDeleter {
    void operator()(Server* server) const;
};
using ServerPtr = std::unique_ptr<Server, ServerDeleter>;

/// Destroying the server closes everything at once; handlers may outlive it until they return, but not the executor's context.
/// Binds all listeners (error: bad_request with "port 4242 is taken by another program ..." and the like) and accepts.
Result<ServerPtr> serve(asio::any_io_executor executor, std::vector<Listen> listens, ServerOptions options);

/// Where it listens: "http://127.0.0.1:4242", "https://...", "unix:/path".
[[nodiscard]] std::vector<std::string> addresses(const Server& server);
[[nodiscard]] std::size_t open_connections(const Server& server);

/// Stops accepting, closes idle connections, lets running exchanges go on for at most `grace`, then closes them, and waits
/// until their handlers have returned (they are told through on_gone, and their sends fail). Once per server.
awaitable<void> drain(Server& server, std::chrono::milliseconds grace);

}  // namespace lc::net
