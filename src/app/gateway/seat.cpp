// The request's slot and the state it starts from: what app/states decides, told to the client, the log and the metrics.
#include "app/gateway/prompt.hpp"
#include "base/sha256.hpp"
#include "core/kv/keys/answer.hpp"
#include "core/log/prefix.hpp"

namespace lc::gateway {

namespace {

bool uses_slot(api::Endpoint endpoint) {
    switch (endpoint) {
        case api::Endpoint::chat_completions:
        case api::Endpoint::completions:
        case api::Endpoint::infill:
        case api::Endpoint::messages:
        case api::Endpoint::responses: return true;
        default: return false;
    }
}

bool has_messages(api::Dialect dialect) {
    return dialect == api::Dialect::chat || dialect == api::Dialect::messages || dialect == api::Dialect::responses;
}

std::string_view value_of(const Turn& turn, std::string_view body, std::string_view key) {
    const auto* member = api::find(turn.view, key);
    return member ? body.substr(member->value.begin, member->value.end - member->value.begin) : std::string_view();
}

/// Several choices or several prompts: the engine takes a slot for each.
bool takes_several(const Turn& turn, std::string_view body) {
    if (const auto n = value_of(turn, body, "n"); !n.empty() && n != "1" && n != "null") return true;
    if (const auto n = value_of(turn, body, "n_cmpl"); !n.empty() && n != "1" && n != "null") return true;
    auto prompt = value_of(turn, body, "prompt");
    if (prompt.empty() || prompt.front() != '[') return false;
    prompt.remove_prefix(1);
    const auto at = prompt.find_first_not_of(" \t\r\n");
    // A list of numbers is one prompt, tokenised already.
    return at != std::string_view::npos && (prompt[at] == '"' || prompt[at] == '[' || prompt[at] == '{');
}

std::uint64_t short_key(const Digest& key) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < sizeof out; ++i) out = out << 8 | static_cast<std::uint8_t>(key[i]);
    return out;
}
std::size_t bytes_of(const api::MessageView& message) { return message.raw.end - message.raw.begin; }

/// The prompt as the request log remembers it: each message key with the bytes that it adds.
std::vector<log::PrefixPiece> prefix_pieces(const kv::MessageKeys& keys, const api::RequestView& view) {
    std::vector<log::PrefixPiece> out;
    std::size_t head = 0;
    for (const auto& tool : view.tools) head += tool.raw.end - tool.raw.begin;
    for (std::size_t i = 0; i < keys.n_system && i < view.messages.size(); ++i) head += bytes_of(view.messages[i]);
    out.push_back({short_key(keys.head), log::clamp_bytes(head)});
    for (std::size_t i = 0; i < keys.messages.size(); ++i) {
        const std::size_t at = keys.n_system + i;
        out.push_back({short_key(keys.messages[i]), log::clamp_bytes(at < view.messages.size() ? bytes_of(view.messages[at]) : 0)});
    }
    return out;
}

void begin(Gateway& gateway, Turn& turn, const states::StateReport* report) {
    turn.seated = true;
    states::started(*turn.seat, report);
    if (!report) return;
    if (report->from == "state" || report->from == "chunks") {
        metrics::observe(gateway.metrics, "kv_restore_seconds", {}, report->ms / 1000);
    }
    if (report->history && report->history->tokens > 0) {
        const auto& kept = *report->history;
        metrics::add(gateway.metrics, "history_kept_tokens_total", {}, kept.tokens);
        say(gateway, Level::debug,
            "request " + turn.id + ": " + std::to_string(kept.tokens) + " tokens of its history as the model generated them" +
                (kept.turns > 0 ? ", " + std::to_string(kept.turns) + " answers that the client writes differently" : ""));
    }
}

}  // namespace

awaitable<Result<void>> take_seat(Gateway& gateway, Turn& turn, const engines::Ready& ready) {
    if (!uses_slot(turn.match.endpoint)) co_return Result<void>{};
    const auto& body = request(*turn.exchange).body;
    kv::MessageKeys keys;
    std::vector<std::optional<Digest>> answers;
    states::Want want;
    want.kind = turn.prompt && turn.prompt->as_session ? "main" : turn.kind;
    want.has_parent = !turn.session.parent.empty();
    want.cache = turn.view.extensions.cache;
    want.name_space = turn.name_space;
    want.body = body;
    want.view = &turn.view;
    want.several = takes_several(turn, body);
    if (has_messages(turn.match.dialect)) {
        const auto texts = kv::canonical_texts(turn.view, body);
        keys = kv::message_keys(turn.view, texts);
        want.keys = &keys;
        turn.heard.reset();
        const auto& asked = turn.view.extensions.prefix;
        const bool switched_off = asked && asked->empty();
        if (gateway.options.config.prefix.exact_history && !switched_off && turn.view.media == 0) {
            answers = kv::answer_keys(texts, keys);
            want.answers = &answers;
            turn.heard.emplace();
            turn.heard->asked = keys.last();
        }
        want.session = turn.record.session;
        want.own_session = !turn.session.id.empty();
        turn.cache_key = hex(keys.last());
        turn.record.prefix = log::prefix_text(prefix_pieces(keys, turn.view));
    } else {
        // Prompts without messages: one client's follow each other in one slot.
        want.session = turn.session.id.empty() ? "prompts of " + turn.session.client : turn.session.id;
    }
    auto seat = co_await states::take(
        gateway.states, ready, want, [&turn](std::string text) { turn.waiting_for = std::move(text); }, &turn.leave);
    if (!seat) co_return tl::unexpected(seat.error());
    turn.seat = std::move(*seat);
    turn.seated = false;
    co_return Result<void>{};
}

bool note_seat(Gateway& gateway, Turn& turn, std::string_view frame) {
    const auto report = states::report_in(frame);
    begin(gateway, turn, report ? &*report : nullptr);
    return report.has_value();
}

void note_seat(Gateway& gateway, Turn& turn, const net::ResponseHead& head) {
    if (!turn.seat || turn.seated) return;
    const auto report = states::parse_state_report(net::get(head.fields, "x-localcode-state"));
    begin(gateway, turn, report ? &*report : nullptr);
}

std::string cache_outcome(const Turn& turn) {
    if (!turn.seat) return turn.record.cache_outcome;
    if (const auto& timings = turn.tally.timings) {
        states::counted(*turn.seat, static_cast<std::uint32_t>(std::max<std::int64_t>(0, timings->cache_n + timings->prompt_n)),
                        static_cast<std::uint32_t>(std::max<std::int64_t>(0, timings->cache_n)));
    }
    const auto known = states::outcome(*turn.seat);
    return known ? states::print(*known) : std::string();
}

void leave_seat(Gateway& gateway, Turn& turn, bool good) {
    if (!turn.seat) return;
    states::Finished how;
    how.good = good;
    how.finish_reason = turn.tally.finish_reason;
    how.gone = turn.cancelled;
    if (const auto& timings = turn.tally.timings) {
        how.prompt = static_cast<std::uint32_t>(std::max<std::int64_t>(0, timings->cache_n + timings->prompt_n));
        how.cached = static_cast<std::uint32_t>(std::max<std::int64_t>(0, timings->cache_n));
        how.generated = static_cast<std::uint32_t>(std::max<std::int64_t>(0, timings->predicted_n));
        how.prompt_ms = std::max(0.0, timings->prompt_ms);
    }
    how.answer = answered(turn);
    states::finished(*turn.seat, how);
    if (const auto known = states::outcome(*turn.seat)) {
        turn.record.cache_outcome = states::print(*known);
        metrics::add(gateway.metrics, "kv_hits_total",
                     {{"result", std::string(states::name_of(known->result))}, {"reason", known->reason}});
    }
    turn.seat.reset();
}

}  // namespace lc::gateway
