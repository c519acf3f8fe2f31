#include <spdlog/fmt/fmt.h>

#include "app/gateway/parts.hpp"
#include "core/api/assemble.hpp"

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
    return api::comment_frame("localcode " + json + "}");
}

Error cut_short(const Turn& turn) {
    return {Errc::upstream_error, (turn.local ? "the engine of model '" + turn.record.model_used + "'"
                                              : "backend '" + turn.record.backend + "'") +
                                      " ended its answer in the middle"};
}

}  // namespace

awaitable<tl::expected<void, Relayed>> relay_stream(Gateway& gateway, Turn& turn, net::Call& call) {
    sse::State state;
    api::StreamReader reader;
    reader.dialect = turn.match.dialect;
    std::vector<sse::Frame> frames;
    std::string out;
    bool failed = false;
    Error failure;

    while (true) {
        const auto piece = co_await net::read_some(call);
        if (!piece) co_return tl::unexpected(Relayed{failed, failed ? failure : piece.error()});
        if (piece->empty()) break;
        frames.clear();
        if (auto ok = sse::step(state, *piece, frames); !ok) co_return tl::unexpected(Relayed{false, ok.error()});

        out.clear();
        for (const auto& frame : frames) {
            const auto events = api::read(reader, frame);
            note_progress(turn, events);
            if (turn.local && !turn.view.return_progress && api::is_progress_only(frame)) continue;
            note_events(gateway, turn, events);
            if (const auto* error = failure_in(events)) {
                failed = true;
                failure = error->error;
                // Other wordings of an overflow are retried for ever by clients: they get the one that is understood.
                out += failure.code == Errc::context_length_exceeded ? api::error_frames(turn.match.dialect, failure)
                                                                     : frame.raw;
                continue;
            }
            if (is_last_frame(events)) out += closing_comment(turn);
            out += frame.raw;
        }
        if (out.empty()) continue;
        if (!turn.sent.committed) {
            turn.sent.committed = true;
            turn.record.status = 200;
            if (auto ok = net::start_now(*turn.exchange, turn_head(gateway, turn, 200, "text/event-stream")); !ok) {
                co_return tl::unexpected(Relayed{false, ok.error()});
            }
        }
        turn.record.bytes_out += static_cast<std::int64_t>(out.size());
        if (auto ok = co_await net::send(*turn.exchange, out); !ok) co_return tl::unexpected(Relayed{false, ok.error()});
        note_sent(turn, Clock::now());
    }

    if (failed) co_return tl::unexpected(Relayed{true, failure});
    if (!sse::at_frame_end(state) || !(reader.done || reader.finished)) {
        co_return tl::unexpected(Relayed{false, cut_short(turn)});
    }
    if (!reader.done) {
        // A server that says "finished" and closes cleanly without the last event: complete it for the client.
        out = closing_comment(turn);
        if (reader.dialect == api::Dialect::chat || reader.dialect == api::Dialect::completions) out += "data: [DONE]\n\n";
        if (auto ok = co_await net::send(*turn.exchange, out); !ok) co_return tl::unexpected(Relayed{false, ok.error()});
    }
    co_return tl::expected<void, Relayed>{};
}

awaitable<Result<std::string>> collect_stream(Gateway& gateway, Turn& turn, net::Call& call) {
    sse::State state;
    api::StreamReader reader;
    reader.dialect = turn.match.dialect;
    api::Assembly assembly(turn.match.dialect);
    std::vector<sse::Frame> frames;

    while (true) {
        const auto piece = co_await net::read_some(call);
        if (!piece) co_return tl::unexpected(piece.error());
        if (piece->empty()) break;
        frames.clear();
        if (auto ok = sse::step(state, *piece, frames); !ok) co_return tl::unexpected(ok.error());
        for (const auto& frame : frames) {
            const auto events = api::read(reader, frame);
            note_events(gateway, turn, events);
            if (const auto* error = failure_in(events)) co_return tl::unexpected(error->error);
            if (!api::is_progress_only(frame)) api::add(assembly, frame);
        }
    }
    if (!(reader.done || reader.finished)) co_return tl::unexpected(cut_short(turn));
    co_return api::finish(assembly);
}

}  // namespace lc::gateway
