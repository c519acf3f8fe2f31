// A connection's writes: what the socket takes at once goes straight to it, the rest waits in one queue with one write under
// way.
#include <array>
#include <boost/asio/post.hpp>
#include <utility>

#include "shell/net/connection.hpp"

namespace lc::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t join_below = 16 << 10;  // small pieces of the queue are joined up to here

void flush(Connection& c);

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

}  // namespace

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
}  // namespace lc::net
