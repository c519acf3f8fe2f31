#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <spdlog/fmt/fmt.h>

#include "app/gateway/fim_turn.hpp"
#include "app/gateway/parts.hpp"
#include "app/gateway/tools_turn.hpp"
#include "core/api/assemble.hpp"
#include "core/api/opening.hpp"
#include "core/log/describe.hpp"

namespace lc::gateway {

namespace {

std::string progress_text(const api::Progress& p) {
    if (p.total <= 0) return "prefill";
    const double done = static_cast<double>(p.processed);
    const double share = 100.0 * done / static_cast<double>(p.total);
    std::string text = fmt::format("prefill {:.0f}% ({}/{} tokens", share, p.processed, p.total);
    // Cached tokens took no time: the speed is that of the others.
    const double fresh = done - static_cast<double>(p.cached);
    if (fresh > 0 && p.time_ms > 0 && p.processed < p.total) {
        text += fmt::format(", about {:.0f} s left", static_cast<double>(p.total - p.processed) * p.time_ms / fresh / 1000);
    }
    return text + ")";
}

void note_progress(Turn& turn, const std::vector<api::StreamEvent>& events) {
    for (const auto& event : events) {
        if (const auto* progress = std::get_if<api::Progress>(&event)) turn.waiting_for = progress_text(*progress);
    }
}

bool is_last_frame(const std::vector<api::StreamEvent>& events) {
    for (const auto& event : events) {
        if (std::holds_alternative<api::Done>(event)) return true;
    }
    return false;
}

const api::StreamFailure* failure_in(const std::vector<api::StreamEvent>& events) {
    for (const auto& event : events) {
        if (const auto* failure = std::get_if<api::StreamFailure>(&event)) return failure;
    }
    return nullptr;
}

/// What became of token-exact history; empty: nothing was to be done.
std::string history_text(const Turn& turn) {
    if (turn.heard && !states::keeps_history(*turn.seat)) return R"(,"exact_history":"absent")";
    const auto& report = states::report(*turn.seat);
    if (!report || !report->history || report->history->tokens == 0) return {};
    return fmt::format(R"(,"exact_history":{{"tokens":{},"turns":{}}})", report->history->tokens, report->history->turns);
}

/// What is only known at the end.
std::string closing_comment(const Turn& turn) {
    std::string json = fmt::format(R"({{"id":"{}","total_ms":{:.1f})", turn.id, ms_since(turn.began));
    if (turn.record.ms.wait) json += fmt::format(R"(,"wait_ms":{:.1f})", *turn.record.ms.wait);
    if (turn.record.ms.first_token) json += fmt::format(R"(,"first_token_ms":{:.1f})", *turn.record.ms.first_token);
    if (const auto& timings = turn.tally.timings) {
        json += fmt::format(R"(,"cached_tokens":{},"prefilled_tokens":{},"prefill_ms":{:.1f},"completion_tokens":{})",
                            timings->cache_n, timings->prompt_n, timings->prompt_ms, timings->predicted_n);
    } else if (const auto& usage = turn.tally.usage) {
        json += fmt::format(R"(,"prompt_tokens":{},"completion_tokens":{})", usage->prompt, usage->completion);
        if (usage->cached) json += fmt::format(R"(,"cached_tokens":{})", *usage->cached);
    }
    if (const auto cache = cache_outcome(turn); !cache.empty()) json += fmt::format(R"(,"cache":"{}")", cache);
    if (const auto steps = log::prompt_steps(turn.record); !steps.empty()) json += fmt::format(R"(,"prompt_changed":"{}")", steps);
    if (turn.seat) {
        if (const auto& report = states::report(*turn.seat); report && report->bytes > 0) {
            json += fmt::format(R"(,"restored_tokens":{},"restored_bytes":{},"restore_ms":{:.1f})", report->used,
                                report->bytes, report->ms);
        }
        json += history_text(turn);
    }
    return api::comment_frame("localcode " + json + "}");
}

Error cut_short(const Turn& turn) {
    return {Errc::upstream_error, (turn.local ? "the engine of model '" + turn.record.model_used + "'"
                                              : "backend '" + turn.record.backend + "'") +
                                      " ended its answer in the middle"};
}

/// A relay under way.
struct Relay {
    sse::State state;
    api::StreamReader reader;
    std::vector<sse::Frame> frames;
    api::Opening opening;
    std::string out;  ///< what goes to the client next
    bool failed = false;
    Error failure;
};

api::Opening opening_of(const Turn& turn) {
    const bool messages = turn.match.dialect == api::Dialect::messages;
    return {turn.match.dialect, (messages ? "msg_" : "resp_") + turn.id,
            turn.record.model_asked.empty() ? turn.record.model_used : turn.record.model_asked,
            turn.record.unix_ms / 1000, false};
}

/// Looks at the frames that came and puts what the client shall see into `out`.
void inspect(Gateway& gateway, Turn& turn, Relay& relay) {
    relay.out.clear();
    std::erase_if(relay.frames, [&](const sse::Frame& frame) {
        return turn.seat && !turn.seated && note_seat(gateway, turn, frame.raw);
    });
    translate_tools(turn, relay.frames);
    translate_fim(turn, relay.frames);
    for (const auto& frame : relay.frames) {
        auto opened = api::open_before(relay.opening, frame);
        relay.out += opened.before;
        if (opened.repeated) continue;
        const auto events = api::read(relay.reader, frame);
        note_progress(turn, events);
        hear(turn, events);
        if (turn.local && !turn.view.return_progress && api::is_progress_only(frame)) {
            (void)shown_bytes(turn, {}, events);
            continue;
        }
        auto shown = watch_tools(turn, frame, events);
        note_events(gateway, turn, shown.events);
        if (const auto* error = failure_in(events)) {
            if (shown.bytes.ends_with(frame.raw)) shown.bytes.resize(shown.bytes.size() - frame.raw.size());
            relay.out += shown_bytes(turn, std::move(shown.bytes), shown.events);
            relay.failed = true;
            relay.failure = error->error;
            // Other wordings of an overflow are retried for ever by clients: they get the one that is understood.
            const bool overflow = relay.failure.code == Errc::context_length_exceeded;
            relay.out += overflow || turn.writer ? api::error_frames(answer_dialect(turn), relay.failure) : frame.raw;
            continue;
        }
        if (is_last_frame(shown.events)) relay.out += closing_comment(turn);
        relay.out += shown_bytes(turn, std::move(shown.bytes), shown.events);
    }
    relay.frames.clear();
}

/// Sends `out`, the head before it when it is still held.
awaitable<Result<void>> pass_on(Gateway& gateway, Turn& turn, Relay& relay) {
    if (relay.out.empty()) co_return Result<void>{};
    if (!turn.sent.committed) {
        turn.sent.committed = true;
        turn.record.status = 200;
        auto started = net::start_now(*turn.exchange, turn_head(gateway, turn, 200, "text/event-stream"));
        if (!started) co_return started;
    }
    turn.record.bytes_out += static_cast<std::int64_t>(relay.out.size());
    keep_answer(gateway, turn, relay.out);
    auto sent = co_await net::send(*turn.exchange, relay.out);
    note_sent(turn, Clock::now());
    co_return sent;
}

/// Settles the tool calls of an answer whose stream is over: asks again, or lets go of what was held.
awaitable<Result<void>> settle_tools(Gateway& gateway, Turn& turn, Relay& relay) {
    while (tools_ask(turn)) {
        auto more = co_await ask_again(gateway, turn);
        note_events(gateway, turn, more.events);
        relay.out.clear();
        if (is_last_frame(more.events)) relay.out += closing_comment(turn);
        relay.out += shown_bytes(turn, std::move(more.bytes), more.events);
        if (auto ok = co_await pass_on(gateway, turn, relay); !ok) co_return ok;
    }
    auto rest = release_tools(turn);
    note_events(gateway, turn, rest.events);
    relay.out = shown_bytes(turn, std::move(rest.bytes), rest.events);
    co_return co_await pass_on(gateway, turn, relay);
}

/// Whether the stream says itself where it ends. llama.cpp's native streams do not: each prompt's last chunk looks alike.
bool has_last_event(const Turn& turn) {
    const bool native = turn.match.dialect == api::Dialect::infill ||
                        (turn.match.endpoint == api::Endpoint::completions && !turn.record.endpoint.starts_with("/v1/"));
    return !native;
}

/// The answer is complete; what follows in the body (the last chunk, nearly always there already) only decides whether the
/// connection can be used again. A backend that does not end its body does not hold anybody up.
awaitable<void> read_to_end(net::Call& call) {
    constexpr auto patience = std::chrono::milliseconds(250);
    constexpr int max_pieces = 16;
    asio::steady_timer timer(co_await asio::this_coro::executor, patience);
    const auto waiting = std::make_shared<bool>(true);
    timer.async_wait([waiting, &call](const boost::system::error_code& ec) {
        if (!ec && *waiting) net::cancel(call);
    });
    for (int i = 0; i < max_pieces; ++i) {
        const auto piece = co_await net::read_some(call);
        if (!piece || piece->empty()) break;
    }
    *waiting = false;
}

}  // namespace

awaitable<tl::expected<void, Relayed>> relay_stream(Gateway& gateway, Turn& turn, net::Call& call) {
    Relay relay;
    relay.reader.dialect = turn.match.dialect;
    relay.opening = opening_of(turn);
    const bool marked = has_last_event(turn);
    while (!(relay.reader.done && marked) && !relay.failed) {
        const auto piece = co_await net::read_some(call);
        if (!piece) {
            co_await settle_tools(gateway, turn, relay);
            co_return tl::unexpected(Relayed{relay.failed, relay.failed ? relay.failure : piece.error()});
        }
        if (piece->empty()) break;
        if (auto ok = sse::step(relay.state, *piece, relay.frames); !ok) {
            co_return tl::unexpected(Relayed{false, ok.error()});
        }
        const bool held = !turn.sent.committed;
        inspect(gateway, turn, relay);
        // An error that comes first is still a real status.
        if (relay.failed && held && turn.tally.text.empty()) co_return tl::unexpected(Relayed{false, relay.failure});
        if (auto ok = co_await pass_on(gateway, turn, relay); !ok) co_return tl::unexpected(Relayed{false, ok.error()});
    }
    sse::finish(relay.state, relay.frames);
    inspect(gateway, turn, relay);
    if (auto ok = co_await pass_on(gateway, turn, relay); !ok) co_return tl::unexpected(Relayed{false, ok.error()});
    if (auto ok = co_await settle_tools(gateway, turn, relay); !ok) co_return tl::unexpected(Relayed{false, ok.error()});
    if (auto failed = tools_failure(turn)) co_return tl::unexpected(Relayed{false, *failed});

    if (relay.failed) co_return tl::unexpected(Relayed{true, relay.failure});
    if (relay.reader.done) {
        turn.ended = true;
        const auto finished = co_await net::finish(*turn.exchange);
        // Now: the client's next request may be here in no time.
        leave_seat(gateway, turn, !turn.cancelled);
        co_await read_to_end(call);
        if (!finished) co_return tl::unexpected(Relayed{false, finished.error()});
        co_return tl::expected<void, Relayed>{};
    }
    if (!sse::at_frame_end(relay.state) || !relay.reader.finished) {
        co_return tl::unexpected(Relayed{false, cut_short(turn)});
    }
    // A server that says "finished" and closes cleanly without the last event: complete it for the client.
    const auto dialect = turn.match.dialect;
    relay.out = closing_comment(turn);
    const std::string last =
        dialect == api::Dialect::chat || dialect == api::Dialect::completions ? "data: [DONE]\n\n" : "";
    relay.out += shown_bytes(turn, last, {api::Done{}});
    if (auto ok = co_await pass_on(gateway, turn, relay); !ok) co_return tl::unexpected(Relayed{false, ok.error()});
    turn.ended = true;
    if (auto ok = co_await net::finish(*turn.exchange); !ok) co_return tl::unexpected(Relayed{false, ok.error()});
    co_return tl::expected<void, Relayed>{};
}

namespace {

/// Frames that may go on, into the answer that is put together.
void collect(Gateway& gateway, Turn& turn, api::Assembly& assembly, const tools::GuardOut& shown) {
    note_events(gateway, turn, shown.events);
    sse::State state;
    std::vector<sse::Frame> frames;
    if (!sse::step(state, shown.bytes, frames)) return;
    for (const auto& frame : frames) api::add(assembly, frame);
}

}  // namespace

awaitable<Result<std::string>> collect_stream(Gateway& gateway, Turn& turn, net::Call& call) {
    sse::State state;
    api::StreamReader reader;
    reader.dialect = turn.match.dialect;
    api::Assembly assembly(turn.match.dialect);
    std::vector<sse::Frame> frames;

    while (!reader.done) {
        const auto piece = co_await net::read_some(call);
        if (!piece) co_return tl::unexpected(piece.error());
        if (piece->empty()) {
            sse::finish(state, frames);
        } else if (auto ok = sse::step(state, *piece, frames); !ok) {
            co_return tl::unexpected(ok.error());
        }
        std::erase_if(frames, [&](const sse::Frame& frame) {
            return turn.seat && !turn.seated && note_seat(gateway, turn, frame.raw);
        });
        translate_tools(turn, frames);
        translate_fim(turn, frames);
        for (const auto& frame : frames) {
            const auto events = api::read(reader, frame);
            if (const auto* error = failure_in(events)) co_return tl::unexpected(error->error);
            hear(turn, events);
            if (!api::is_progress_only(frame)) collect(gateway, turn, assembly, watch_tools(turn, frame, events));
        }
        frames.clear();
        if (piece->empty()) break;
    }
    if (!(reader.done || reader.finished)) co_return tl::unexpected(cut_short(turn));
    if (reader.done) co_await read_to_end(call);
    while (tools_ask(turn)) {
        const auto more = co_await ask_again(gateway, turn);
        collect(gateway, turn, assembly, more);
    }
    collect(gateway, turn, assembly, release_tools(turn));
    if (auto failed = tools_failure(turn)) co_return tl::unexpected(*failed);
    co_return api::finish(assembly);
}

}  // namespace lc::gateway
