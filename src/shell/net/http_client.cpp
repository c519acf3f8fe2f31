#include "shell/net/http_client.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "shell/net/pool.hpp"

namespace lc::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t max_head = 64 << 10;
constexpr std::size_t max_read = 64 << 10;
constexpr int max_interim_answers = 16;
constexpr auto tuple_awaitable = asio::as_tuple(asio::use_awaitable);

void enter(Call& call, Stage stage, std::chrono::milliseconds limit) {
    call.stage = stage;
    call.deadline = limit.count() > 0 ? Clock::now() + limit : TimePoint::max();
}

std::string in_words(std::chrono::milliseconds time) {
    return time.count() % 1000 == 0 ? std::to_string(time.count() / 1000) + " s" : std::to_string(time.count()) + " ms";
}

/// Why an operation of the call ended: its own interruption comes before what the socket says.
tl::unexpected<Error> fault(const Call& call, std::string what) {
    if (call.cancelled) return fail(Errc::cancelled, "the request to " + to_text(call.target) + " was cancelled");
    const std::string who = to_text(call.target);
    if (!call.timed_out) return fail(Errc::upstream_error, who + ": " + what);
    switch (call.stage) {
        case Stage::idle: break;
        case Stage::connecting:
        case Stage::handshake:
            return fail(Errc::upstream_timeout, who + " could not be reached within " + in_words(call.timeouts.connect));
        case Stage::head:
            return fail(Errc::upstream_timeout, who + " did not begin to answer within " + in_words(call.timeouts.first_byte));
        case Stage::body:
            return fail(Errc::upstream_timeout, who + " fell silent for " + in_words(call.timeouts.silence) + " in mid-answer");
    }
    return fail(Errc::upstream_timeout, who + " took too long");
}

std::string host_field(const Target& target) {
    if (!target.unix_path.empty()) return "localhost";
    const bool v6 = target.host.find(':') != std::string::npos;
    std::string host = v6 ? '[' + target.host + ']' : target.host;
    if (target.port != (target.tls ? 443 : 80)) host += ':' + std::to_string(target.port);
    return host;
}

awaitable<Result<LinkPtr>> connect(Call& call) {
    enter(call, Stage::connecting, call.timeouts.connect);
    call.dialing = std::make_shared<Dialing>(call.pool->executor);
    Result<Socket> socket = co_await dial(call.dialing, call.target);
    call.dialing.reset();
    if (call.cancelled || call.timed_out) co_return fault(call, {});
    if (!socket) co_return tl::unexpected(socket.error());
    auto link = std::make_shared<Link>(std::move(*socket));
    error_code ec;
    prepare(link->stream.socket, ec);
    if (ec) co_return fault(call, "the connection failed: " + ec.message());
    if (!call.target.tls) co_return link;

    call.stage = Stage::handshake;
    const auto context = context_of(*call.pool, call.target.ca_file);
    if (!context) co_return tl::unexpected(context.error());
    start_client_tls(link->stream, **context, call.target.host);
    call.link = link;  // so that it can be interrupted
    const auto [failed] = co_await link->stream.tls->async_handshake(asio::ssl::stream_base::client, tuple_awaitable);
    if (call.cancelled || call.timed_out) co_return fault(call, {});
    if (failed) co_return fault(call, "the TLS handshake failed: " + handshake_fault(link->stream, failed));
    co_return link;
}

/// Goes on sending, beside the coroutine that reads: a server may answer before it has read everything. That a write failed
/// shows in what is read.
void send_more(const LinkPtr& link) {
    const Outgoing& out = *link->sending;
    const std::size_t in_head = std::min(link->sent, out.head.size());
    const std::array<asio::const_buffer, 2> both{asio::buffer(out.head) + in_head,
                                                 asio::buffer(out.body) + (link->sent - in_head)};
    auto done = [link](const error_code& ec, std::size_t n) {
        link->sent += n;
        link->write_progress = Clock::now();
        if (ec) {
            link->unsendable = true;
        } else if (link->sent < link->sending->head.size() + link->sending->body.size()) {
            return send_more(link);
        }
        link->sending.reset();
    };
    if (link->stream.tls) {  // one buffer, one record
        link->stream.tls->async_write_some(both[0].size() != 0 ? both[0] : both[1], std::move(done));
    } else {
        link->stream.socket.async_write_some(both, std::move(done));
    }
}

void start_sending(const LinkPtr& link, const std::shared_ptr<const Outgoing>& out) {
    const std::array<asio::const_buffer, 2> both{asio::buffer(out->head), asio::buffer(out->body)};
    error_code ec;
    link->sent = try_write(link->stream, both, ec);
    link->unsendable = static_cast<bool>(ec);
    if (ec || link->sent == out->head.size() + out->body.size()) return;
    link->write_progress = Clock::now();
    link->sending = out;
    send_more(link);
}

awaitable<error_code> fill(Link& link) {
    const std::size_t room = make_room(link.in, link.read_size);
    const auto [ec, n] =
        co_await async_read_some(link.stream, asio::buffer(link.in.bytes.get() + link.in.end, room), tuple_awaitable);
    link.in.end += n;
    if (n == room) link.read_size = std::min(2 * link.read_size, max_read);
    co_return ec;
}

struct HeadResult {
    Result<AnswerHead> head;
    bool nothing_came = false;  ///< the connection ended before any byte of the answer
};

awaitable<HeadResult> read_head(Call& call, Link& link) {
    HeadScan scan;
    bool nothing_came = true;
    for (int interim = 0; interim <= max_interim_answers;) {
        const HeadEnd end = find_head_end(view(link.in), scan);
        if (end == HeadEnd::malformed) co_return HeadResult{fault(call, "its answer is not HTTP")};
        if (end == HeadEnd::found) {
            Result<AnswerHead> head = parse_answer_head(view(link.in).substr(0, scan.at));
            if (!head) co_return HeadResult{fault(call, head.error().detail)};
            consume(link.in, scan.at);
            if (head->head.status / 100 != 1) co_return HeadResult{std::move(head)};
            if (head->head.status == 101) co_return HeadResult{fault(call, "it switched protocols unasked")};
            scan = {};
            ++interim;
            continue;
        }
        if (size(link.in) > max_head) co_return HeadResult{fault(call, "the head of its answer is larger than 64 kB")};
        const error_code ec = co_await fill(link);
        if (call.cancelled || call.timed_out) co_return HeadResult{fault(call, {})};
        if (ec) {
            const bool ended = ec == asio::error::eof || ec == asio::ssl::error::stream_truncated;
            co_return HeadResult{
                fault(call, ended ? "it closed the connection without an answer" : "the connection failed: " + ec.message()),
                nothing_came && size(link.in) == 0};
        }
        nothing_came = false;
    }
    co_return HeadResult{fault(call, "it sent one interim answer after the other")};
}

/// The answer is read to its clean end: the connection can serve another call, if both sides kept to the protocol.
void release(Call& call) {
    call.complete = true;
    call.stage = Stage::idle;
    call.deadline = TimePoint::max();
    if (!call.link) return;
    Link& link = *call.link;
    consume(link.in, std::exchange(call.handed, 0));
    if (call.keep_alive && !link.sending && !link.unsendable && size(link.in) == 0) {
        put_idle(call.pool, call.key, std::move(call.link));
    }
    call.link.reset();
}

bool at_end(const Call& call) {
    switch (call.framing) {
        case Framing::none: return true;
        case Framing::length: return call.left == 0;
        case Framing::chunked: return call.chunks.at == ChunkState::At::done;
        case Framing::until_close: return false;
    }
    return true;
}

void begin_body(Call& call, const AnswerHead& head, bool to_head_request) {
    call.answered = true;
    call.keep_alive = head.keep_alive;
    call.framing = to_head_request          ? Framing::none
                   : head.chunked           ? Framing::chunked
                   : head.content_length    ? Framing::length
                                            : Framing::until_close;
    call.left = head.content_length.value_or(0);  // of an answer to HEAD: of what is not sent
    call.chunks = {};
}

/// What the buffer holds of the body, its framing undone. Empty: nothing (yet).
Result<std::string_view> take_buffered(Call& call) {
    Buffer& in = call.link->in;
    if (size(in) == 0) return std::string_view();
    if (call.framing == Framing::chunked) {
        const ChunkStep chunk = decode(call.chunks, data(in), size(in));
        if (chunk.malformed) return fault(call, "the chunks of its answer are malformed");
        call.handed = chunk.consumed;
        return chunk.data;
    }
    std::string_view bytes = view(in);
    if (call.framing == Framing::length) {
        bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(call.left, bytes.size())));
        call.left -= bytes.size();
    }
    call.handed = bytes.size();
    return bytes;
}

}  // namespace

CallPtr make_call(Pool& pool, Target target, Timeouts timeouts) {
    CallPtr call(new Call);
    call->pool = pool.state;
    call->target = std::move(target);
    call->timeouts = timeouts;
    call->key = key_of(call->target);
    call->self = call->pool->calls.insert(call->pool->calls.end(), call.get());
    start_tick(call->pool);
    return call;
}

void CallDeleter::operator()(Call* call) const {
    if (call->answered && !call->complete && call->link && !call->cancelled && !call->timed_out && at_end(*call)) {
        release(*call);  // everything was read, only the last empty piece was not asked for
    }
    call->pool->calls.erase(call->self);
    if (call->dialing) abort(*call->dialing);
    if (call->link) close(call->link->stream);
    delete call;
}

bool connected(const Call& call) { return call.connected; }

void interrupt(Call& call) {
    if (call.dialing) abort(*call.dialing);
    if (call.link) close(call.link->stream);
}

void cancel(Call& call) {
    if (call.cancelled) return;
    call.cancelled = true;
    interrupt(call);
}

awaitable<Result<ResponseHead>> exchange(Call& call, Request request) {
    if (call.answered || call.link || call.dialing) co_return fail(Errc::internal, "a call makes one exchange");
    const bool head_request = request.method == "HEAD";
    auto out = std::make_shared<Outgoing>();
    out->head = encode_request_head(request, call.target.base_path, host_field(call.target));
    out->body = std::move(request.body);
    for (bool may_reuse = true;; may_reuse = false) {
        if (call.cancelled) co_return fault(call, {});
        LinkPtr link = may_reuse ? take_idle(*call.pool, call.key) : nullptr;
        const bool reused = link != nullptr;
        if (!reused) {
            call.connected = false;
            Result<LinkPtr> opened = co_await connect(call);
            if (!opened) co_return tl::unexpected(opened.error());
            link = std::move(*opened);
        }
        call.connected = true;
        call.link = link;
        start_sending(link, out);
        if (!reused) out.reset();  // there is no second try: its memory is needed no longer than sending takes
        enter(call, Stage::head, call.timeouts.first_byte);
        HeadResult got = co_await read_head(call, *link);
        if (got.head) {
            begin_body(call, *got.head, head_request);
            enter(call, Stage::body, call.timeouts.silence);
            got.head->head.length = got.head->content_length;
            co_return std::move(got.head->head);
        }
        close(link->stream);
        call.link.reset();
        if (!reused || !got.nothing_came) co_return tl::unexpected(got.head.error());
    }
}

awaitable<Result<std::string_view>> read_some(Call& call) {
    if (call.cancelled || call.timed_out) co_return fault(call, {});
    if (call.complete) co_return std::string_view();
    if (!call.answered || !call.link) co_return fail(Errc::internal, "there is no answer to read");
    const LinkPtr link = call.link;
    for (;;) {
        consume(link->in, std::exchange(call.handed, 0));
        if (at_end(call)) {
            release(call);
            co_return std::string_view();
        }
        const Result<std::string_view> bytes = take_buffered(call);
        if (!bytes || !bytes->empty()) {
            // The reader has the word: how long it takes (a slow client behind it, say) is no silence of the server's.
            call.deadline = TimePoint::max();
            co_return bytes;
        }
        if (call.handed != 0) continue;  // framing only
        enter(call, Stage::body, call.timeouts.silence);
        const error_code ec = co_await fill(*link);
        if (call.cancelled || call.timed_out) co_return fault(call, {});
        if (!ec) continue;
        if (ec == asio::error::eof && call.framing == Framing::until_close) {
            call.keep_alive = false;
            release(call);
            co_return std::string_view();
        }
        const bool ended = ec == asio::error::eof || ec == asio::ssl::error::stream_truncated;
        close(link->stream);
        co_return fault(call, ended ? "it closed the connection in mid-answer" : "the connection failed in mid-answer: " + ec.message());
    }
}

awaitable<Result<std::string>> read_all(Call& call, std::size_t max_bytes) {
    std::string body;
    for (;;) {
        const Result<std::string_view> piece = co_await read_some(call);
        if (!piece) co_return tl::unexpected(piece.error());
        if (piece->empty()) co_return body;
        if (body.size() + piece->size() > max_bytes) {
            co_return fault(call, "its answer is larger than " + std::to_string(max_bytes) + " bytes");
        }
        body += *piece;
    }
}

awaitable<Result<Fetched>> fetch(Pool& pool, Target target, Timeouts timeouts, Request request) {
    const CallPtr call = make_call(pool, std::move(target), timeouts);
    Result<ResponseHead> head = co_await exchange(*call, std::move(request));
    if (!head) co_return tl::unexpected(head.error());
    Result<std::string> body = co_await read_all(*call);
    if (!body) co_return tl::unexpected(body.error());
    co_return Fetched{head->status, std::move(head->fields), std::move(*body)};
}

}  // namespace lc::net
