#include "core/log/format.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "core/log/describe.hpp"
#include "core/log/json.hpp"
#include "core/log/redact.hpp"

namespace lc::log {

namespace {

struct Paint {
    bool color;
    std::string operator()(std::string_view code, std::string_view text) const {
        if (!color) return std::string(text);
        return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
    }
    std::string dim(std::string_view text) const { return (*this)("2", text); }
    std::string bold(std::string_view text) const { return (*this)("1", text); }
    std::string marker(std::string_view text) const { return (*this)("35", text); }
    std::string role(std::string_view role) const {
        std::string padded(role);
        padded.resize(std::max<std::size_t>(padded.size(), 9), ' ');
        if (role == "system" || role == "developer") return (*this)("33", padded);
        if (role == "user") return (*this)("32", padded);
        if (role == "assistant") return (*this)("36", padded);
        return (*this)("35", padded);
    }
};

constexpr std::size_t max_word = 200;

std::string word(std::string_view text) {
    return printable(text, max_word);
}

std::string joined(const std::vector<std::string>& names, std::int64_t total) {
    std::string out;
    for (const auto& name : names) out += (out.empty() ? "" : ", ") + word(name);
    const auto more = total - static_cast<std::int64_t>(names.size());
    if (more > 0) out += ", and " + std::to_string(more) + " more";
    return out;
}

std::string count(std::int64_t n, std::string_view what) {
    return std::to_string(n) + " " + std::string(what) + (n == 1 ? "" : "s");
}

std::string duration(double ms) {
    char buffer[32];
    if (ms < 10)
        std::snprintf(buffer, sizeof buffer, "%.1f ms", ms);
    else if (ms < 1000)
        std::snprintf(buffer, sizeof buffer, "%.0f ms", ms);
    else
        std::snprintf(buffer, sizeof buffer, "%.2f s", ms / 1000);
    return buffer;
}

std::string message_line(const MessageSummary& message, const Paint& paint) {
    std::string line = "\n    " + paint.role(word(message.role));
    if (!message.tool_call_id.empty()) line += " [" + word(message.tool_call_id) + "]";
    if (!message.preview.empty()) line += " \"" + printable(message.preview, preview_chars) + "\"";
    if (!message.calls.empty()) line += " -> " + joined(message.calls, static_cast<std::int64_t>(message.calls.size()));
    return line;
}

std::string arguments_of(const ToolCallSummary& call) {
    return printable(redact(call.arguments), max_arguments_bytes) + (call.truncated ? " ..." : "");
}

std::string call_name(const ToolCallSummary& call) {
    return word(call.name) + (call.id.empty() ? "" : " (" + word(call.id) + ")");
}

std::string usage_text(const UsageSummary& usage) {
    std::string out = "tokens: " + std::to_string(usage.prompt) + " prompt";
    if (usage.cached) out += " (" + std::to_string(*usage.cached) + " cached)";
    out += ", " + std::to_string(usage.completion) + " completion";
    if (usage.reasoning) out += " (" + std::to_string(*usage.reasoning) + " reasoning)";
    return out + ", " + std::to_string(usage.total) + " total";
}

std::string times_text(const RequestRecord& record) {
    std::string out;
    const auto add = [&](std::string_view name, const std::optional<double>& ms) {
        if (ms) out += (out.empty() ? "" : ", ") + std::string(name) + " " + duration(*ms);
    };
    add("waited", record.ms.wait);
    add("first token", record.ms.first_token);
    add("total", record.ms.total);
    if (record.tokens_per_second) {
        char buffer[32];
        std::snprintf(buffer, sizeof buffer, ", %.1f tokens/s", *record.tokens_per_second);
        out += buffer;
    }
    return out;
}

/// One event as a JSON line.
std::string event_line(const RequestRecord& record, std::string_view event, std::string_view members) {
    std::string out = "{\"event\":\"" + std::string(event) + "\",\"id\":" + quote_line(record.id);
    return out.append(members).append("}");
}

struct Event {
    const RequestRecord& record;
    const ResponseTally& tally;
    const Style& style;
    Paint paint{style.color};

    Line chunk(std::string_view what, std::string_view text) const {
        const std::string clean = redact(text);
        if (style.json_lines) {
            return {
                event_line(record, "chunk", ",\"what\":\"" + std::string(what) + "\",\"text\":" + quote_line(clean)),
                true};
        }
        return {paint.dim("[Chunk] " + std::string(what) + " \"" + printable(clean, 500) + "\""), true};
    }
    std::string call_members(const ToolCallSummary& call) const {
        return ",\"call_id\":" + quote_line(call.id) + ",\"name\":" + quote_line(call.name);
    }

    Line operator()(const api::TextDelta& delta) const { return chunk("text", delta.text); }
    Line operator()(const api::ReasoningDelta& delta) const { return chunk("reasoning", delta.text); }
    Line operator()(const api::ToolArguments& piece) const { return chunk("arguments", piece.text); }
    Line operator()(const api::ToolBegin& begin) const {
        const ToolCallSummary call{begin.id, begin.name, {}, false, false};
        if (style.json_lines) return {event_line(record, "tool_call", call_members(call)), false};
        return {paint.marker("[Tool Call]") + " " + call_name(call), false};
    }
    Line operator()(const api::ToolEnd& end) const {
        const auto index = static_cast<std::size_t>(std::max(end.index, 0));
        if (index >= tally.calls.size()) return {};
        const auto& call = tally.calls[index];
        if (style.json_lines) {
            return {event_line(record, "tool_call_complete",
                               call_members(call) + ",\"arguments\":" + quote_line(redact(call.arguments)) +
                                   (call.truncated ? ",\"truncated\":true" : "")),
                    false};
        }
        return {paint.marker("[Tool Call Complete]") + " " + call_name(call) + " " + arguments_of(call), false};
    }
    Line operator()(const api::Progress& progress) const {
        return chunk("progress", std::to_string(progress.processed) + " of " + std::to_string(progress.total) +
                                     " tokens, " + std::to_string(progress.cached) + " cached");
    }
    Line operator()(const api::Usage&) const { return {}; }
    Line operator()(const api::Timings&) const { return {}; }
    Line operator()(const api::Finish& finish) const { return chunk("finish", finish.reason); }
    Line operator()(const api::StreamFailure& failure) const { return chunk("error", failure.error.detail); }
    Line operator()(const api::Done&) const { return {}; }
};

}  // namespace

std::string format_request(const RequestRecord& record, const Style& style) {
    if (style.json_lines) return request_line(record);
    const Paint paint{style.color};
    std::string out = paint.bold("Request") + " " + paint.dim(word(record.id)) + " " + word(record.kind) + " of " +
                      word(record.client.empty() ? "unknown" : record.client) + ", " + word(record.endpoint);
    out += "\n  model " + paint.bold(word(record.model_used.empty() ? record.model_asked : record.model_used));
    if (!record.model_asked.empty() && !record.model_used.empty() && record.model_asked != record.model_used) {
        out += " (asked for " + word(record.model_asked) + ")";
    }
    if (!record.backend.empty()) out += " on " + word(record.backend);
    out += std::string(", stream ") + (record.stream ? "yes" : "no") + ", " + count(record.n_messages, "message");
    if (!record.session.empty()) out += ", session " + word(record.session);
    if (!record.parent.empty()) out += " of " + word(record.parent);

    const std::size_t known = record.messages.size();
    const std::size_t head = known <= style.max_messages ? known : std::min<std::size_t>(2, style.max_messages);
    const std::size_t tail = known <= style.max_messages ? 0 : style.max_messages - head;
    const auto left_out = record.n_messages - static_cast<std::int64_t>(head + tail);
    if (left_out > 0 && tail == 0) out += "\n    (" + count(left_out, "earlier message") + ")";
    for (std::size_t i = 0; i < head; ++i) out += message_line(record.messages[i], paint);
    if (left_out > 0 && tail > 0) out += "\n    (" + count(left_out, "message") + " not shown)";
    for (std::size_t i = known - tail; i < known; ++i) out += message_line(record.messages[i], paint);

    if (record.n_tools > 0) {
        out += "\n  " + paint.marker("[Tool Request]") + " " + count(record.n_tools, "tool") + ": " +
               joined(record.tools, record.n_tools);
    }
    return out;
}

std::string format_response(const RequestRecord& record, const Style& style) {
    if (style.json_lines) return response_line(record);
    const Paint paint{style.color};
    const bool bad = record.status >= 400 || !record.error_code.empty();
    std::string out = paint.bold("Response") + " " + paint.dim(word(record.id)) + " " +
                      paint(bad ? "31" : "32", record.status == 0 ? "no answer" : std::to_string(record.status));
    if (record.cancelled) out += " cancelled";
    if (!record.finish_reason.empty()) out += ", finish " + word(record.finish_reason);
    if (!record.error_code.empty()) {
        out += "\n  " + paint("31", word(record.error_code) + ": " + printable(redact(record.error_detail), 500));
    }
    if (!record.reasoning_preview.empty()) {
        out += "\n  " + paint.dim("reasoning \"" + printable(record.reasoning_preview, preview_chars) + "\"");
    }
    if (!record.response_preview.empty()) out += "\n  \"" + printable(record.response_preview, preview_chars) + "\"";
    for (const auto& call : record.calls) {
        out += "\n  call " + call_name(call) + " " + arguments_of(call) + (call.complete ? "" : " (incomplete)");
        if (!call.outcome.empty() && call.outcome != "valid") out += " [" + printable(call.outcome, 200) + "]";
    }
    if (record.usage) out += "\n  " + usage_text(*record.usage);
    if (const std::string times = times_text(record); !times.empty()) out += "\n  " + paint.dim(times);
    if (!record.cache_outcome.empty()) out += "\n  cache " + word(record.cache_outcome);
    if (const auto steps = prompt_steps(record); !steps.empty()) out += "\n  prompt changed: " + steps;
    return out;
}

Line format_event(const RequestRecord& record, const ResponseTally& tally, const api::StreamEvent& event,
                  const Style& style) {
    return std::visit(Event{record, tally, style}, event);
}

}  // namespace lc::log
