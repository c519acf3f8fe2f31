#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/gateway/parts.hpp"
#include "core/stream/progress_line.hpp"

namespace lc::gateway {

void note_sent(Turn& turn, Clock::time_point now) {
    turn.sent.last = now;
    turn.sent.last_heartbeat = now;
}

namespace {

/// The sign of life that clients see: a line of reasoning text where that is wanted and nothing of the answer is there yet.
std::string heartbeat(const Gateway& gateway, const Turn& turn) {
    const auto created = turn.record.unix_ms / 1000;
    const bool told = gateway.options.config.server.progress == "reasoning" && answer_dialect(turn) == api::Dialect::chat &&
                      !turn.record.ms.first_token && !turn.waiting_for.empty();
    if (told) return stream::progress_frame(turn.id, turn.record.model_used, created, turn.waiting_for);
    return api::heartbeat_frame(answer_dialect(turn), turn.id, turn.record.model_used, created);
}

void beat(Gateway& gateway, Turn& turn, Clock::time_point now) {
    const stream::Rules rules{std::chrono::milliseconds(gateway.options.config.server.header_hold_ms)};
    // Bytes of the answer count as well: they are written elsewhere.
    turn.sent.last = std::max(turn.sent.last, net::last_sent(*turn.exchange));
    switch (stream::due(turn.sent, now, rules)) {
        case stream::Beat::nothing: return;
        case stream::Beat::commit:
            turn.sent.committed = true;
            turn.record.status = 200;
            if (!net::start_now(*turn.exchange, turn_head(gateway, turn, 200, "text/event-stream"))) return;
            net::send_now(*turn.exchange, api::comment_frame(turn.waiting_for));
            note_sent(turn, now);
            return;
        case stream::Beat::ping:
            net::send_now(*turn.exchange, api::comment_frame(turn.waiting_for));
            turn.sent.last = now;
            return;
        case stream::Beat::heartbeat:
            net::send_now(*turn.exchange,
                          api::comment_frame(turn.waiting_for) + heartbeat(gateway, turn));
            note_sent(turn, now);
            return;
    }
}

}  // namespace

awaitable<void> beat_loop(Gateway& gateway) {
    const auto timer = gateway.beat_timer;
    while (!gateway.stopping) {
        // Fine enough for short holds in tests, coarse enough to cost nothing with a thousand streams.
        const auto hold = std::chrono::milliseconds(gateway.options.config.server.header_hold_ms);
        timer->expires_after(std::clamp(hold / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(100)));
        boost::system::error_code ec;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return;
        const auto now = Clock::now();
        for (Turn* turn : gateway.turns) {
            if (turn->view.stream && !turn->ended && !net::gone(*turn->exchange)) beat(gateway, *turn, now);
        }
    }
}

}  // namespace lc::gateway
