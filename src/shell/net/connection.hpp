// One client connection of the server: a state machine that is driven by what its socket reports.
//
// A read is outstanding all the time (but while `max_pipelined` bytes wait), so a client that leaves is noticed at once.
// Answers go through one write queue with one write under way; what the socket takes at once is never copied.
// Deadlines are plain time points, looked at by the server's tick.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shell/net/buffer.hpp"
#include "shell/net/chunked.hpp"
#include "shell/net/http_server.hpp"
#include "shell/net/listener.hpp"
#include "shell/net/message.hpp"
#include "shell/net/stream.hpp"

namespace lc::net {

using TimePoint = std::chrono::steady_clock::time_point;

struct Connection;
using ConnectionPtr = std::shared_ptr<Connection>;

/// What all connections of a server share. Kept alive by each of them.
struct Core {
    Core(asio::any_io_executor e, ServerOptions o) : executor(e), options(std::move(o)), tick(e), emptied(e) {}
    asio::any_io_executor executor;
    ServerOptions options;
    std::vector<std::unique_ptr<Listener>> listeners;
    std::list<ConnectionPtr> connections;
    std::size_t rejecting = 0;          ///< of them: over the limit, only being told so
    asio::steady_timer tick;
    asio::steady_timer emptied;         ///< cancelled when the last connection is gone
    bool ticking = false;
    bool draining = false;
    std::string date;                   ///< line of the Date field for `date_second`
    std::int64_t date_second = 0;
};

/// handshake -> idle -> head -> body [-> decode] -> running -> idle ...; closing: the queue is being written, then the
/// sending side is shut down; lingering: reading on until the client has closed, so that it gets to read our last answer.
enum class Phase : std::uint8_t { handshake, idle, head, body, decode, running, closing, lingering, closed };

/// Bytes that the socket has not taken yet. `flying` is what a write under way may refer to; it is not touched meanwhile.
struct WriteQueue {
    std::vector<std::string> flying, pending;
    std::size_t first = 0, offset = 0;  ///< of `flying`: pieces, and bytes of the next one, that are written
    std::size_t unsent = 0;
    bool in_flight = false;
    TimePoint progress{};               ///< when the socket last took something (or the queue became non-empty)
};

struct Connection : std::enable_shared_from_this<Connection> {
    Connection(std::shared_ptr<Core> c, Socket s) : core(std::move(c)), stream(std::move(s)) {}
    std::shared_ptr<Core> core;
    Stream stream;
    std::string peer;
    std::list<ConnectionPtr>::iterator self;
    bool listed = false;                ///< in Core::connections, at `self`

    Phase phase = Phase::idle;
    TimePoint deadline = TimePoint::max();
    bool reading = false;               ///< a read is under way
    bool reading_body = false;          ///< ... into `request.body`
    bool eof = false;                   ///< the client has closed its sending side
    bool stepping = false;              ///< inside advance()
    bool rejecting = false;             ///< counted in Core::rejecting
    bool over_unix = false;
    bool tls_ended = false;             ///< close_notify exchanged, or deliberately left out: the rest goes by the bare socket
    TimePoint linger_until = TimePoint::max();
    Buffer in;
    HeadScan scan;

    // The request being read.
    RequestHead request;
    std::uint64_t body_left = 0;        ///< with Content-Length
    std::size_t body_have = 0;          ///< bytes of request.request.body that are filled
    ChunkState chunks;
    DecoderPtr decoder;
    std::string decoded;

    WriteQueue out;
    std::string held;                   ///< head of a stream that goes out with its first piece, or at the end of this turn
    std::unique_ptr<Exchange> exchange; ///< while the handler runs
};

/// The exchange that the handler sees.
class Exchange {
  public:
    Connection* connection = nullptr;
    Request request;
    bool head_only = false;             ///< HEAD
    bool keep_alive = true;
    bool chunked = false;
    std::optional<std::uint64_t> left;  ///< of a stream with a known length: what is still to come
    bool bodyless = false;              ///< nothing may follow the head
    bool started = false;
    bool finished = false;              ///< answered completely, or aborted
    bool gone = false;
    TimePoint last_sent{};
    std::function<void()> on_gone;
    std::optional<asio::steady_timer> room;  ///< cancelled when the queue falls to high water, or the client is gone
};

// --- connection.cpp ---

/// Begins to serve an accepted socket.
void open_connection(const std::shared_ptr<Core>& core, Listener& listener, Socket socket, const Endpoint& peer);

/// Goes as far as the bytes that are there allow, then sees to it that a read is under way.
void advance(Connection& c);
void arm_read(Connection& c);

/// The client has left, or closed its sending side: tells the handler, once.
void mark_gone(Connection& c);

/// No further request is read; closes when all is written and, so that the client can read it, when the client has closed.
/// `truncated`: over TLS no close_notify is sent, so that the client sees that something is missing.
void begin_close(Connection& c, bool truncated = false);

/// The second half of begin_close, once all is written.
void shutdown_sending(Connection& c);

/// Closes at once. A running handler is told and goes on until it returns.
void close_now(Connection& c);

/// Takes a closed connection without handler out of the server's list.
void unlist(Connection& c);

/// To be called by the tick, 4 times a second.
void check_deadlines(Connection& c, TimePoint now);

// --- connection_requests.cpp ---

/// One step of the machine on the bytes that are there. False: nothing more can be done now.
bool step(Connection& c);

/// Answers a request that never reaches the handler (or that it left unanswered), and closes.
void refuse(Connection& c, int status, const Error& error);

/// The handler has returned: answers for it where it did not, and goes on to the next request.
void settle(Connection& c);

// --- connection_write.cpp ---

/// Queues bytes in order and writes as much as the socket takes. The last piece may be given as an owned text, which is then
/// moved instead of copied. False: the connection has failed (and is closed).
bool write(Connection& c, std::initializer_list<std::string_view> pieces, std::string* owned = nullptr);

/// As write, but leaves it until the next write or the end of the loop's turn, whichever is first: one packet less.
void write_soon(Connection& c, std::string_view bytes);

// --- http_server.cpp ---

/// The Date line for now.
std::string_view date_line(Core& core);

}  // namespace lc::net
