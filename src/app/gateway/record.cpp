// What is kept of a turn: the console's request log, the metrics and requests.db.
#include "app/gateway/parts.hpp"
#include "core/log/describe.hpp"
#include "core/log/format.hpp"
#include "core/log/redact.hpp"
#include "shell/sys/os.hpp"

namespace lc::gateway {

namespace {

log::Style style_of(const Gateway& gateway) {
    log::Style style;
    style.color = gateway.options.colour;
    style.json_lines = gateway.options.config.log.format == "json";
    return style;
}

bool is_token(const api::StreamEvent& event) {
    return std::holds_alternative<api::TextDelta>(event) || std::holds_alternative<api::ReasoningDelta>(event) ||
           std::holds_alternative<api::ToolBegin>(event) || std::holds_alternative<api::ToolArguments>(event);
}

std::string route_of(const Turn& turn) {
    if (turn.choice.model.empty()) return {};
    return header_safe(turn.record.model_used) + ";" + header_safe(turn.record.backend) + ";" + turn.choice.reason;
}

}  // namespace

void declare_metrics(metrics::Metrics& m) {
    metrics::declare(m, "requests_total", "counter", "Requests answered, by kind, model, backend and HTTP status.");
    metrics::declare(m, "time_to_first_token_seconds", "histogram", "From the request read to its first token.");
    metrics::declare(m, "inter_token_seconds", "histogram", "Between two pieces of a streamed answer.");
    metrics::declare(m, "queue_seconds", "histogram", "Wait for a local engine to be ready.");
    metrics::declare(m, "prompt_tokens_total", "counter", "Prompt tokens, cached ones included.");
    metrics::declare(m, "prompt_tokens_cached_total", "counter", "Prompt tokens that needed no prefill.");
    metrics::declare(m, "completion_tokens_total", "counter", "Generated tokens.");
    metrics::declare(m, "tool_calls_total", "counter", "Tool calls in answers, by model, tool and outcome.");
    metrics::declare(m, "engine_restarts_total", "counter", "Engines started again after they had died.");
    metrics::declare(m, "kv_hits_total", "counter", "Requests to local engines by what their KV states were worth.");
    metrics::declare(m, "kv_restore_seconds", "histogram", "Restoring a stored state into a slot.");
    metrics::declare(m, "kv_save_seconds", "histogram", "Saving a slot's state, from the question to the disk.");
    metrics::declare(m, "kv_quarantined_total", "counter", "Stored files or states set aside because they were bad.");
    metrics::declare(m, "kv_slots_lost_total", "counter", "Engines that lost their slots (restarts).");
    metrics::declare(m, "kv_bytes", "gauge", "Bytes of stored states.");
    metrics::declare(m, "route_prediction_error_seconds", "histogram", "Predicted against measured time to first token.");
    metrics::declare(m, "route_fallbacks_total", "counter", "Requests that went to another place because one failed.");
    metrics::declare(m, "history_kept_tokens_total", "counter",
                     "Prompt tokens taken as the model generated them where a new tokenisation differs.");
    metrics::declare(m, "kv_written_bytes_total", "counter", "Bytes of states written to disk.");
    metrics::declare(m, "kv_written_today_bytes", "gauge", "Of these, today (UTC); kv.writes_per_day limits them.");
    metrics::declare(m, "kv_writes_refused_total", "counter", "Saves not made because of kv.writes_per_day.");
    metrics::declare(m, "kv_policy", "gauge", "1: the order of eviction in force.");
    metrics::declare(m, "streams_open", "gauge", "Streamed answers under way.");
}

void begin_record(Gateway& gateway, Turn& turn, const net::Request& request) {
    auto& r = turn.record;
    log::describe(turn.view, r);
    r.id = turn.id;
    r.unix_ms = static_cast<std::int64_t>(sys::unix_ms());
    r.client = turn.session.client;
    r.key = turn.key_name;
    if (gateway.options.config.log.bodies) r.request_body = request.body;
    r.parent = turn.session.parent;
    r.kind = turn.kind;
    r.endpoint = request.target.substr(0, request.target.find('?'));
    r.bytes_in = static_cast<std::int64_t>(request.body.size());
    note_place(gateway, turn);
}

void note_place(const Gateway& gateway, Turn& turn) {
    auto& r = turn.record;
    if (turn.choice.model.empty()) return;  // refused before a place was chosen
    r.model_used = turn.choice.model;
    r.backend = turn.local ? "engine" : gateway.backends[turn.choice.index].config.name;
    r.route_reason = route_of(turn);
}

void log_request(Gateway& gateway, const Turn& turn) {
    if (!gateway.options.config.log.requests) return;
    say(gateway, Level::info, log::format_request(turn.record, style_of(gateway)));
}

void note_events(Gateway& gateway, Turn& turn, const std::vector<api::StreamEvent>& events) {
    const auto now = Clock::now();
    for (const auto& event : events) {
        log::feed(turn.tally, event);
        if (is_token(event)) {
            if (!turn.record.ms.first_token) {
                turn.record.ms.first_token = ms_since(turn.began, now);
            } else {
                const double gap = std::chrono::duration<double>(now - turn.last_token).count();
                metrics::observe(gateway.metrics, "inter_token_seconds", {}, gap);
            }
            turn.last_token = now;
        }
        const bool chunk = is_token(event) && !std::holds_alternative<api::ToolBegin>(event);
        if (!gateway.options.config.log.requests || (chunk && gateway.options.config.log.level != "debug")) continue;
        const auto line = log::format_event(turn.record, turn.tally, event, style_of(gateway));
        if (!line.text.empty()) say(gateway, line.debug ? Level::debug : Level::info, line.text);
    }
}

void keep_answer(const Gateway& gateway, Turn& turn, std::string_view bytes) {
    constexpr std::size_t most = 64u << 20;
    auto& kept = turn.record.response_body;
    if (gateway.options.config.log.bodies) kept += bytes.substr(0, most - std::min(most, kept.size()));
}

void end_record(Gateway& gateway, Turn& turn) {
    auto& r = turn.record;
    r.ms.total = ms_since(turn.began);
    log::conclude(turn.tally, r);
    conclude_tools(turn);
    r.error_detail = log::redact(r.error_detail);  // a backend's words may hold a key
    r.cancelled = turn.cancelled;
    if (turn.cancelled && r.error_code.empty()) r.error_code = name_of(Errc::cancelled);
    if (turn.cancelled && r.status == 0) r.status = api::http_status(Errc::cancelled);

    auto& m = gateway.metrics;
    const std::string status = std::to_string(r.status);
    metrics::add(m, "requests_total", {{"kind", r.kind}, {"model", r.model_used}, {"backend", r.backend}, {"code", status}});
    if (r.ms.first_token) metrics::observe(m, "time_to_first_token_seconds", {}, *r.ms.first_token / 1000);
    if (r.usage) {
        metrics::add(m, "prompt_tokens_total", {}, static_cast<double>(r.usage->prompt));
        metrics::add(m, "prompt_tokens_cached_total", {}, static_cast<double>(r.usage->cached.value_or(0)));
        metrics::add(m, "completion_tokens_total", {}, static_cast<double>(r.usage->completion));
    }
    for (const auto& call : r.calls) {
        // Without the details behind the colon.
        std::string outcome = call.outcome.substr(0, call.outcome.find(':'));
        if (outcome.empty()) outcome = call.complete ? "complete" : "incomplete";
        metrics::add(m, "tool_calls_total", {{"model", r.model_used}, {"tool", call.name}, {"outcome", outcome}});
    }
    if (gateway.options.config.log.requests) {
        const auto level = r.status >= 500 ? Level::error : r.status >= 400 && !r.cancelled ? Level::warn : Level::info;
        say(gateway, level, log::format_response(r, style_of(gateway)));
    }
    if (gateway.options.requests) store::append(*gateway.options.requests, std::move(r));
}

}  // namespace lc::gateway
