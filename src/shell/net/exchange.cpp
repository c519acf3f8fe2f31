// What a handler does with its exchange.
#include <boost/asio/as_tuple.hpp>
#include <algorithm>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "shell/net/connection.hpp"

namespace lc::net {
namespace {

tl::unexpected<Error> client_gone() { return fail(Errc::cancelled, "the client is gone"); }
tl::unexpected<Error> misuse(const char* what) { return fail(Errc::internal, what); }

bool over_high_water(const Exchange& x) {
    return x.connection->out.unsent > x.connection->core->options.limits.high_water;
}
bool closed(const Exchange& x) { return x.connection->phase == Phase::closed; }

/// Waits until the queue is at most at high water, or the client is gone.
awaitable<void> wait_for_room(Exchange& x) {
    while (over_high_water(x) && !closed(x)) {
        if (!x.room) x.room.emplace(x.connection->core->executor);
        x.room->expires_at(TimePoint::max());
        co_await x.room->async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

std::string_view connection_field(Exchange& x, bool keep_alive) {
    x.keep_alive = x.keep_alive && keep_alive && !x.connection->core->draining;
    if (!x.keep_alive) return "close";
    return x.request.version == 10 ? "keep-alive" : "";
}

bool has_no_body(int status) { return status / 100 == 1 || status == 204 || status == 304; }

void sent(Exchange& x) { x.last_sent = std::chrono::steady_clock::now(); }

/// Queues one piece of the stream, in its framing.
void push(Exchange& x, std::string_view bytes) {
    if (x.left) {
        bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(*x.left, bytes.size())));
        *x.left -= bytes.size();
    }
    if (x.bodyless || bytes.empty()) return;
    if (x.chunked) {
        const ChunkHeader header = chunk_header(bytes.size());
        write(*x.connection, {view(header), bytes, chunk_end});
    } else {
        write(*x.connection, {bytes});
    }
    sent(x);
}

}  // namespace

const Request& request(const Exchange& x) { return x.request; }
Request& request(Exchange& x) { return x.request; }
bool started(const Exchange& x) { return x.started; }
bool gone(const Exchange& x) { return x.gone; }
TimePoint last_sent(const Exchange& x) { return x.last_sent; }

void on_gone(Exchange& x, std::function<void()> callback) {
    if (x.gone && !x.finished && callback) return callback();
    x.on_gone = std::move(callback);
}

awaitable<Result<void>> respond(Exchange& x, Response response) {
    if (x.started) co_return misuse("the exchange is answered already");
    if (closed(x)) co_return client_gone();
    x.started = x.finished = true;
    const Framing framing = has_no_body(response.status) ? Framing::none : Framing::length;
    const std::string head = encode_answer_head(response.status, response.fields, framing, response.body.size(),
                                                connection_field(x, true), date_line(*x.connection->core));
    if (x.head_only || framing == Framing::none) response.body.clear();
    // A client that only closed its sending side (printf ... | nc -N) still gets this.
    if (!write(*x.connection, {head}, &response.body)) co_return client_gone();
    sent(x);
    if (over_high_water(x)) co_await wait_for_room(x);
    if (closed(x)) co_return client_gone();
    co_return Result<void>();
}

Result<void> start_now(Exchange& x, ResponseHead head) {
    if (x.started) return misuse("the exchange is answered already");
    if (x.gone) return client_gone();
    x.started = true;
    Framing framing = x.request.version == 11 ? Framing::chunked : Framing::until_close;
    if (head.length) framing = Framing::length;
    if (has_no_body(head.status)) framing = Framing::none;
    x.bodyless = x.head_only || framing == Framing::none;
    x.chunked = framing == Framing::chunked;
    if (!x.bodyless) x.left = head.length;
    write_soon(*x.connection, encode_answer_head(head.status, head.fields, framing, head.length.value_or(0),
                                                 connection_field(x, framing != Framing::until_close || x.head_only),
                                                 date_line(*x.connection->core)));
    sent(x);
    return {};
}

awaitable<Result<void>> start(Exchange& x, ResponseHead head) { co_return start_now(x, std::move(head)); }

awaitable<Result<void>> send(Exchange& x, std::string_view bytes) {
    if (!x.started || x.finished) co_return misuse("the exchange has no stream open");
    if (x.gone) co_return client_gone();
    push(x, bytes);
    if (over_high_water(x) && !x.gone) co_await wait_for_room(x);
    if (x.gone) co_return client_gone();
    co_return Result<void>();
}

void send_now(Exchange& x, std::string_view bytes) {
    if (!x.started || x.finished || x.gone || over_high_water(x)) return;
    push(x, bytes);
}

awaitable<Result<void>> finish(Exchange& x) {
    if (!x.started || x.finished) co_return misuse("the exchange has no stream open");
    if (x.gone) co_return client_gone();
    if (x.left.value_or(0) != 0) {
        co_await abort(x);
        co_return misuse("the stream ended before the length that its head promised");
    }
    if (x.chunked && !x.bodyless && !write(*x.connection, {last_chunk})) co_return client_gone();
    x.finished = true;
    sent(x);
    co_return Result<void>();
}

awaitable<void> abort(Exchange& x) {
    if (!x.finished) {
        x.started = x.finished = true;
        x.keep_alive = false;
        begin_close(*x.connection, true);
    }
    co_return;
}

}  // namespace lc::net
