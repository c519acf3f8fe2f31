// A connection's requests, from the first byte of a head to the handler and what it leaves.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "shell/net/connection.hpp"

namespace lc::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kept_when_idle = 4 << 10;     // of the read buffer
constexpr std::size_t reserve_at_most = 512 << 10;  // for a body that has yet to come
constexpr std::size_t decode_step_bytes = 1 << 20;  // decompressed at a time, then others get their turn

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
        c.request.request.body.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(c.body_left, reserve_at_most)));
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
                shrink(c.in, kept_when_idle);
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

}  // namespace

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
}  // namespace lc::net
