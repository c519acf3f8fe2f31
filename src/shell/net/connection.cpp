#include "shell/net/connection.hpp"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

namespace lc::net {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t max_pipelined = 64 << 10;     // bytes of later requests kept while one is being answered
constexpr std::size_t chunked_read = 16 << 10;
constexpr int reads_at_once = 4;                    // of a body, before others get their turn
constexpr std::size_t body_step = 256 << 10;        // a body's memory follows what has come, from here on by doubling
constexpr std::size_t decode_step_bytes = 1 << 20;  // decompressed at a time, then others get their turn
constexpr std::size_t join_below = 16 << 10;        // small pieces of the queue are joined up to here
constexpr auto linger_silence = 2s;
constexpr auto linger_total = 10s;

void arm_read(Connection& c);
void flush(Connection& c);

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

// --- writing ---

void on_written(Connection& c, const error_code& ec, std::size_t n) {
    WriteQueue& q = c.out;
    q.in_flight = false;
    if (c.phase == Phase::closed) return;
    if (ec) return close_now(c);
    q.progress = Clock::now();
    q.unsent -= n;
    while (n != 0) {
        const std::size_t left = q.flying[q.first].size() - q.offset;
        if (n < left) {
            q.offset += n;
            break;
        }
        n -= left;
        q.offset = 0;
        std::string().swap(q.flying[q.first++]);
    }
    if (q.first == q.flying.size()) {
        q.flying.clear();
        q.first = 0;
    }
    if (q.unsent == 0) {
        q.flying = {};
        q.pending = {};
    }
    flush(c);
    if (c.exchange && c.exchange->room && q.unsent <= c.core->options.limits.high_water) c.exchange->room->cancel();
    if (q.unsent == 0 && c.phase == Phase::closing) return shutdown_sending(c);
    if (c.phase == Phase::idle || c.phase == Phase::head) advance(c);  // a pipelined request may have waited for the queue
}

void flush(Connection& c) {
    WriteQueue& q = c.out;
    if (q.in_flight || q.unsent == 0) return;
    if (q.flying.empty()) {
        q.flying.swap(q.pending);
        q.first = q.offset = 0;
    }
    std::array<asio::const_buffer, 8> buffers;
    std::size_t count = 0, skip = q.offset;
    for (std::size_t i = q.first; i < q.flying.size() && count < buffers.size(); ++i) {
        buffers[count++] = asio::buffer(q.flying[i]) + std::exchange(skip, 0);
    }
    q.in_flight = true;
    auto done = [self = c.shared_from_this()](const error_code& ec, std::size_t n) { on_written(*self, ec, n); };
    if (c.stream.tls) {
        c.stream.tls->async_write_some(buffers[0], std::move(done));
    } else {
        c.stream.socket.async_write_some(buffers, std::move(done));
    }
}

void append(WriteQueue& q, std::string_view bytes) {
    if (bytes.empty()) return;
    if (!q.pending.empty() && q.pending.back().size() + bytes.size() <= join_below) {
        q.pending.back() += bytes;
    } else {
        q.pending.emplace_back(bytes);
    }
}

// --- reading ---

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

// --- requests ---

/// Answers a request that never reaches the handler, and closes.
void refuse(Connection& c, int status, const Error& error) {
    const ServerOptions& options = c.core->options;
    Response page = options.error_page ? options.error_page(error, status) : Response{status, {}, error.detail + "\n"};
    const std::string head =
        encode_answer_head(page.status, page.fields, Framing::length, page.body.size(), "close", date_line(*c.core));
    if (!c.reading_body) c.request = {};
    c.decoder.reset();
    consume(c.in, size(c.in));
    if (write(c, {head, page.body})) begin_close(c);
}

awaitable<void> run_exchange(ConnectionPtr c) {
    const auto log = [&c](std::string_view what) {
        const auto& log_error = c->core->options.log_error;
        if (log_error) log_error("a request handler failed: " + std::string(what));
    };
    try {
        co_await c->core->options.handler(*c->exchange);
    } catch (const std::exception& e) {
        log(e.what());
    } catch (...) {
        log("unknown exception");
    }
    settle(*c);
}

void start_exchange(Connection& c) {
    auto x = std::make_unique<Exchange>();
    x->connection = &c;
    x->request = std::move(c.request.request);
    x->request.peer = c.peer;
    x->request.over_unix = c.over_unix;
    x->request.over_tls = c.stream.tls != nullptr;
    x->head_only = x->request.method == "HEAD";
    x->keep_alive = c.request.keep_alive;
    x->gone = c.eof;
    c.request = {};
    c.exchange = std::move(x);
    c.phase = Phase::running;
    c.deadline = TimePoint::max();
    asio::co_spawn(c.core->executor, run_exchange(c.shared_from_this()), asio::detached);
}

/// The body is complete. True: go on.
bool body_complete(Connection& c) {
    RequestHead& r = c.request;
    r.request.body.resize(c.body_have);
    if (r.chunked) net::erase(r.request.fields, "transfer-encoding");
    if (r.coding == Coding::identity) {
        start_exchange(c);
        return true;
    }
    net::erase(r.request.fields, "content-encoding");
    net::erase(r.request.fields, "content-length");
    c.decoder = make_decoder(r.coding, r.request.body);
    c.decoded.clear();
    c.phase = Phase::decode;
    return true;
}

/// Decompresses one part; the next one in a later turn of the loop. True: go on.
bool step_decode(Connection& c) {
    if (!c.decoder) return false;  // a part is due already
    const Result<bool> done = decode_some(*c.decoder, c.decoded, decode_step_bytes, c.core->options.limits.max_body_bytes);
    if (!done) {
        refuse(c, done.error().code == Errc::too_large ? 413 : 400, done.error());
        return false;
    }
    if (*done) {
        c.decoder.reset();
        c.request.request.body = std::move(c.decoded);
        c.decoded = {};
        start_exchange(c);
        return true;
    }
    asio::post(c.core->executor, [self = c.shared_from_this(), decoder = std::move(c.decoder)]() mutable {
        if (self->phase != Phase::decode) return;
        self->decoder = std::move(decoder);
        advance(*self);
    });
    return false;
}

Error body_too_large(const Connection& c) {
    return {Errc::too_large,
            "the request body is larger than " + std::to_string(c.core->options.limits.max_body_bytes) + " bytes"};
}

bool step_body(Connection& c) {
    RequestHead& r = c.request;
    std::string& body = r.request.body;
    if (!r.chunked) {
        if (const std::size_t have = size(c.in); have != 0 && c.body_left != 0) {
            const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(have, c.body_left));
            body.append(data(c.in), take);
            consume(c.in, take);
            c.body_have += take;
            c.body_left -= take;
        }
        if (c.body_left == 0) return body_complete(c);
    } else if (size(c.in) != 0) {
        const ChunkStep chunk = decode(c.chunks, data(c.in), size(c.in));
        if (chunk.malformed) {
            refuse(c, 400, {Errc::bad_request, "the request body's chunks are malformed"});
            return false;
        }
        if (body.size() + chunk.data.size() > c.core->options.limits.max_body_bytes) {
            refuse(c, 413, body_too_large(c));
            return false;
        }
        body += chunk.data;
        c.body_have = body.size();
        consume(c.in, chunk.consumed);
        if (c.chunks.at == ChunkState::At::done) return body_complete(c);
    }
    if (c.eof) close_now(c);
    return false;
}

/// The head is parsed: what kind of body follows, and is it welcome? True: go on.
bool begin_body(Connection& c) {
    const RequestHead& r = c.request;
    c.body_left = r.content_length.value_or(0);
    c.body_have = 0;
    c.chunks = {};
    if (c.body_left > c.core->options.limits.max_body_bytes) {
        refuse(c, 413, body_too_large(c));
        return false;
    }
    c.phase = Phase::body;
    const bool has_body = r.chunked || c.body_left != 0;
    // No need to ask for a body that is on its way already.
    if (r.expects_continue && has_body && size(c.in) == 0 && !write(c, {"HTTP/1.1 100 Continue\r\n\r\n"})) return false;
    if (!r.chunked && c.body_left > size(c.in)) {
        c.request.request.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(c.body_left, 2 * body_step)));
    }
    return true;
}

bool step_head(Connection& c) {
    const ServerLimits& limits = c.core->options.limits;
    if (c.out.unsent > limits.high_water) return false;  // the client should read its answers first
    if (c.phase == Phase::idle) {
        // RFC 9112, 2.2: empty lines before a request are skipped.
        while (view(c.in).starts_with("\r\n")) consume(c.in, 2);
        const bool first_half = view(c.in) == "\r";
        if (size(c.in) == 0 || first_half) {
            if (c.eof) {
                begin_close(c);
            } else if (c.core->draining) {
                begin_close(c);
            } else if (!first_half) {
                shrink(c.in, first_read);
            }
            return false;
        }
        c.phase = Phase::head;
        c.scan = {};
        c.deadline = Clock::now() + limits.request_time;
    }
    const HeadEnd end = find_head_end(view(c.in), c.scan);
    if (end == HeadEnd::malformed) {
        refuse(c, 400, {Errc::bad_request, "the request's head is malformed: lines must end with CRLF and not be folded"});
        return false;
    }
    if (c.scan.at > limits.max_header_bytes || (end == HeadEnd::more && size(c.in) >= limits.max_header_bytes)) {
        refuse(c, 431, {Errc::too_large, "the request's head is larger than " + std::to_string(limits.max_header_bytes) + " bytes"});
        return false;
    }
    if (end == HeadEnd::more) {
        if (c.eof) close_now(c);
        return false;
    }
    auto parsed = parse_request_head(view(c.in).substr(0, c.scan.at));
    if (!parsed) {
        refuse(c, parsed.error().status, parsed.error().error);
        return false;
    }
    consume(c.in, c.scan.at);
    c.request = std::move(*parsed);
    return begin_body(c);
}

/// One step of the machine. False: nothing more can be done now.
bool step(Connection& c) {
    switch (c.phase) {
        case Phase::idle:
        case Phase::head: return step_head(c);
        case Phase::body: return step_body(c);
        case Phase::decode: return step_decode(c);
        case Phase::handshake:
        case Phase::running:
        case Phase::closing:
        case Phase::lingering:
        case Phase::closed: return false;
    }
    return false;
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

bool write(Connection& c, std::initializer_list<std::string_view> pieces, std::string* owned) {
    if (c.phase == Phase::closed) return false;
    WriteQueue& q = c.out;
    const std::string held = std::exchange(c.held, {});
    std::size_t total = held.size() + (owned != nullptr ? owned->size() : 0);
    for (const std::string_view piece : pieces) total += piece.size();
    std::size_t written = 0;
    if (q.unsent == 0) {
        std::array<asio::const_buffer, 6> buffers;
        std::size_t count = 0;
        if (!held.empty()) buffers[count++] = asio::buffer(held);
        for (const std::string_view piece : pieces) buffers[count++] = asio::buffer(piece);
        if (owned != nullptr) buffers[count++] = asio::buffer(*owned);
        error_code ec;
        written = try_write(c.stream, buffers, ec);
        if (ec) {
            close_now(c);
            return false;
        }
        if (written == total) return true;
        q.progress = Clock::now();
    }
    q.unsent += total - written;
    const auto queue = [&q, &written](std::string_view piece) {
        const std::size_t skip = std::min(written, piece.size());
        written -= skip;
        append(q, piece.substr(skip));
    };
    queue(held);
    for (const std::string_view piece : pieces) queue(piece);
    if (owned != nullptr) {
        if (written == 0 && owned->size() > join_below) {
            q.pending.push_back(std::move(*owned));
        } else {
            append(q, std::string_view(*owned).substr(written));
        }
    }
    flush(c);
    return true;
}

void write_soon(Connection& c, std::string_view bytes) {
    c.held += bytes;
    asio::post(c.core->executor, [self = c.shared_from_this()] {
        if (!self->held.empty()) write(*self, {});
    });
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

void settle(Connection& c) {
    const ConnectionPtr self = c.shared_from_this();
    const std::unique_ptr<Exchange> x = std::move(c.exchange);
    if (c.phase != Phase::closed && !x->finished) {
        if (x->started || x->gone) {
            begin_close(c, x->started);
        } else {
            refuse(c, 500, {Errc::internal, "the request was not answered: this is a fault of LocalCode's, see its log"});
        }
    }
    if (c.phase == Phase::closed) return unlist(c);
    if (c.phase != Phase::running) return;  // closing
    if (!x->keep_alive || c.core->draining) return begin_close(c);
    c.phase = Phase::idle;
    c.deadline = Clock::now() + c.core->options.limits.idle_time;
    advance(c);
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
