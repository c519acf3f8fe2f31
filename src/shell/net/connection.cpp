// A connection's life: opening, reading, closing. Its requests are in connection_requests.cpp, its writes in
// connection_write.cpp.
#include "shell/net/connection.hpp"

#include <utility>

namespace lc::net {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t max_pipelined = 64 << 10;     // bytes of later requests kept while one is being answered
constexpr std::size_t first_read = 4 << 10;
constexpr std::size_t chunked_read = 16 << 10;
constexpr int reads_at_once = 4;                    // of a body, before others get their turn
constexpr std::size_t body_step = 256 << 10;        // a body's memory follows what has come, from here on by doubling
constexpr auto linger_silence = 2s;
constexpr auto linger_total = 10s;

void on_read(Connection& c, const error_code& ec, std::size_t n) {
    c.reading = false;
    c.in.pinned = false;
    const bool into_body = std::exchange(c.reading_body, false);
    if (c.phase == Phase::closed) return;
    if (c.phase == Phase::lingering) {
        if (c.stream.tls && !c.tls_ended) return;  // the shutdown under way sees to it
        if (ec) return close_now(c);
        c.deadline = std::min(Clock::now() + linger_silence, c.linger_until);
        return arm_read(c);
    }
    if (ec && ec != asio::error::eof) return close_now(c);
    if (ec) {
        c.eof = true;
        mark_gone(c);
    } else if (into_body) {
        c.body_have += n;
        c.body_left -= n;
    } else {
        c.in.end += n;
    }
    if (c.phase == Phase::closing) consume(c.in, size(c.in));
    advance(c);
}

/// The next bytes are the body's, and can be read where they belong.
bool reads_straight(const Connection& c) {
    return c.phase == Phase::body && !c.request.chunked && c.body_left != 0 && size(c.in) == 0;
}

asio::mutable_buffer body_room(Connection& c) {
    std::string& body = c.request.request.body;
    if (body.size() == c.body_have) {
        const std::uint64_t more = std::min<std::uint64_t>(c.body_left, std::max(body_step, c.body_have));
        body.resize(c.body_have + static_cast<std::size_t>(more));
    }
    return asio::buffer(body.data() + c.body_have, body.size() - c.body_have);
}

/// Takes what is there of the body without a turn of the loop. A fault is left for the read that follows to report.
bool read_body_now(Connection& c) {
    if (c.reading || c.eof || c.stream.tls || !reads_straight(c)) return false;
    error_code ec;
    const std::size_t n = c.stream.socket.read_some(body_room(c), ec);
    c.body_have += n;
    c.body_left -= n;
    return n != 0;
}

}  // namespace

void advance(Connection& c) {
    if (c.stepping) return;
    c.stepping = true;
    int reads = 0;
    do {
        while (step(c)) {
        }
    } while (reads++ < reads_at_once && read_body_now(c));
    c.stepping = false;
    arm_read(c);
}

void arm_read(Connection& c) {
    if (c.reading || c.eof || c.phase == Phase::closed || c.phase == Phase::handshake) return;
    if (c.phase == Phase::lingering && c.stream.tls && !c.tls_ended) return;
    const bool waiting = c.phase == Phase::running || c.phase == Phase::decode || c.phase == Phase::idle;
    if (waiting && size(c.in) >= max_pipelined) return;  // idle: waits for the write queue
    asio::mutable_buffer into;
    if (reads_straight(c)) {
        into = body_room(c);
        c.reading_body = true;
    } else {
        const std::size_t least = c.phase == Phase::body ? chunked_read : size(c.in) == 0 ? first_read : 1;
        const std::size_t room = make_room(c.in, least);
        into = asio::buffer(c.in.bytes.get() + c.in.end, room);
        c.in.pinned = true;
    }
    c.reading = true;
    auto done = [self = c.shared_from_this()](const error_code& ec, std::size_t n) { on_read(*self, ec, n); };
    if (c.stream.tls && !c.tls_ended) {
        c.stream.tls->async_read_some(into, std::move(done));
    } else {
        c.stream.socket.async_read_some(into, std::move(done));
    }
}

void unlist(Connection& c) {
    if (!c.listed) return;
    c.listed = false;
    Core& core = *c.core;
    core.rejecting -= c.rejecting ? 1 : 0;
    core.connections.erase(c.self);
    if (core.connections.empty()) core.emptied.cancel();
}

void mark_gone(Connection& c) {
    Exchange* x = c.exchange.get();
    if (x == nullptr || x->gone) return;
    x->gone = true;
    if (x->room) x->room->cancel();
    if (x->finished) return;  // answered: that the client leaves now is no news
    const auto callback = std::exchange(x->on_gone, {});
    if (callback) callback();
}

/// All is written: say so to the client and wait until it has closed too. Closing at once would make the kernel answer
/// bytes that the client still sends with a reset, which can destroy our answer on its side before it is read.
void shutdown_sending(Connection& c) {
    const TimePoint now = Clock::now();
    c.phase = Phase::lingering;
    c.linger_until = now + linger_total;
    c.deadline = now + linger_silence;
    if (c.stream.tls && !c.tls_ended) {
        c.stream.tls->async_shutdown([self = c.shared_from_this()](const error_code&) {
            if (self->phase == Phase::closed) return;
            self->tls_ended = true;
            error_code ec;
            self->stream.socket.shutdown(asio::socket_base::shutdown_send, ec);
            if (ec || self->eof) return close_now(*self);
            arm_read(*self);
        });
        return;
    }
    if (c.eof) return close_now(c);
    error_code ec;
    c.stream.socket.shutdown(asio::socket_base::shutdown_send, ec);
    if (ec) return close_now(c);
    arm_read(c);
}

void begin_close(Connection& c, bool truncated) {
    if (c.phase == Phase::closed || c.phase == Phase::closing || c.phase == Phase::lingering) return;
    if (!c.held.empty() && !write(c, {})) return;
    c.phase = Phase::closing;
    c.deadline = TimePoint::max();  // a stalled write is noticed by the queue's own time
    c.tls_ended = c.tls_ended || truncated;
    if (c.out.unsent == 0) shutdown_sending(c);
}

void close_now(Connection& c) {
    if (c.phase == Phase::closed) return;
    const ConnectionPtr self = c.shared_from_this();
    c.phase = Phase::closed;
    close(c.stream);
    mark_gone(c);
    if (!c.exchange) unlist(c);
}

void check_deadlines(Connection& c, TimePoint now) {
    const ServerLimits& limits = c.core->options.limits;
    if (c.out.unsent != 0 && now - c.out.progress > limits.write_stall) return close_now(c);
    if (c.phase == Phase::running && !c.reading && !c.eof && peer_closed(c.stream)) {
        return mark_gone(c);  // too much is pipelined: no read is there to tell
    }
    if (now < c.deadline) return;
    if (c.phase != Phase::head && c.phase != Phase::body) return close_now(c);
    refuse(c, 408, {Errc::bad_request, "the request did not arrive within " +
                                           std::to_string(limits.request_time.count() / 1000.0).substr(0, 5) + " s"});
}

void open_connection(const std::shared_ptr<Core>& core, Listener& listener, Socket socket, const Endpoint& peer) {
    error_code ec;
    prepare(socket, ec);
    if (ec) return;  // the client has left already
    const auto c = std::make_shared<Connection>(core, std::move(socket));
    c->over_unix = !listener.unix_path.empty();
    c->peer = c->over_unix ? "unix" : to_text(peer);
    c->deadline = Clock::now() + core->options.limits.idle_time;
    c->self = core->connections.insert(core->connections.end(), c);
    c->listed = true;
    if (core->connections.size() - core->rejecting > core->options.limits.max_connections) {
        c->rejecting = true;
        ++core->rejecting;
        // Over TLS the answer would cost a handshake each; and beyond a few, those who are being told are a load themselves.
        if (listener.tls || core->rejecting > 64) return close_now(*c);
        return refuse(*c, 503, {Errc::overloaded, "too many connections are open", 1});
    }
    if (!listener.tls) return arm_read(*c);
    c->stream.tls = std::make_unique<Tls>(c->stream.socket, *listener.tls);
    c->phase = Phase::handshake;
    c->deadline = Clock::now() + core->options.limits.request_time;
    c->stream.tls->async_handshake(asio::ssl::stream_base::server, [c](const error_code& fault) {
        if (c->phase == Phase::closed) return;
        if (fault) return close_now(*c);
        c->phase = Phase::idle;
        c->deadline = Clock::now() + c->core->options.limits.idle_time;
        arm_read(*c);
    });
}
}  // namespace lc::net
