#include "core/log/json.hpp"

#include <cstdio>
#include <string_view>

#include "core/api/splice.hpp"
#include "core/log/describe.hpp"

namespace lc::log {

namespace {

/// An object under construction; empty values are left out.
struct Object {
    std::string out = "{";

    Object& raw(std::string_view key, std::string_view value) {
        if (out.size() > 1) out.push_back(',');
        out.append("\"").append(key).append("\":").append(value);
        return *this;
    }
    Object& text(std::string_view key, std::string_view value) {
        return value.empty() ? *this : raw(key, quote_line(value));
    }
    Object& number(std::string_view key, std::int64_t value) { return raw(key, std::to_string(value)); }
    Object& number(std::string_view key, const std::optional<std::int64_t>& value) {
        return value ? number(key, *value) : *this;
    }
    Object& number(std::string_view key, const std::optional<double>& value) {
        if (!value) return *this;
        char buffer[32];
        std::snprintf(buffer, sizeof buffer, "%.3f", *value);
        return raw(key, buffer);
    }
    Object& flag(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
    Object& flag_if(std::string_view key, bool value) { return value ? flag(key, true) : *this; }
    Object& list(std::string_view key, const std::vector<std::string>& values) {
        if (values.empty()) return *this;
        std::string array = "[";
        for (const auto& value : values) array += (array.size() > 1 ? "," : "") + quote_line(value);
        return raw(key, array + "]");
    }
    std::string done() { return out + "}"; }
};

std::string messages_json(const RequestRecord& record) {
    std::string out = "[";
    for (const auto& message : record.messages) {
        if (out.size() > 1) out.push_back(',');
        out += Object{}
                   .text("role", message.role)
                   .text("tool_call_id", message.tool_call_id)
                   .text("preview", message.preview)
                   .list("calls", message.calls)
                   .done();
    }
    return out + "]";
}

std::string calls_json(const RequestRecord& record) {
    std::string out = "[";
    for (const auto& call : record.calls) {
        if (out.size() > 1) out.push_back(',');
        out += Object{}
                   .text("id", call.id)
                   .text("name", call.name)
                   .text("arguments", call.arguments)
                   .flag_if("truncated", call.truncated)
                   .flag("complete", call.complete)
                   .text("outcome", call.outcome)
                   .done();
    }
    return out + "]";
}

}  // namespace

std::string quote_line(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    const std::string quoted = api::json_quote(text);
    std::string out;
    out.reserve(quoted.size());
    for (std::size_t i = 0; i < quoted.size(); ++i) {
        const auto next = i + 1 < quoted.size() ? static_cast<unsigned char>(quoted[i + 1]) : 0u;
        if (quoted[i] == '\xc2' && next < 0xa0) {  // U+0080 to U+009F: terminals may take them for ESC sequences
            out += "\\u00";
            out.push_back(digits[next >> 4]);
            out.push_back(digits[next & 15]);
            ++i;
        } else {
            out.push_back(quoted[i]);
        }
    }
    return out;
}

std::string request_line(const RequestRecord& r) {
    Object o;
    o.text("event", "request")
        .text("id", r.id)
        .number("time", r.unix_ms)
        .text("client", r.client)
        .text("session", r.session);
    o.text("parent", r.parent).text("kind", r.kind).text("dialect", r.dialect).text("endpoint", r.endpoint);
    o.text("model_asked", r.model_asked)
        .text("model", r.model_used)
        .text("backend", r.backend)
        .flag("stream", r.stream);
    o.number("n_messages", r.n_messages).number("n_tools", r.n_tools).number("bytes_in", r.bytes_in);
    if (!r.messages.empty()) o.raw("messages", messages_json(r));
    return o.list("tools", r.tools).text("route", r.route_reason).done();
}

std::string response_line(const RequestRecord& r) {
    Object o;
    o.text("event", "response").text("id", r.id).number("time", r.unix_ms).number("status", r.status);
    o.text("model", r.model_used).text("backend", r.backend).text("preview", r.response_preview);
    o.text("reasoning_preview", r.reasoning_preview);
    if (!r.calls.empty()) o.raw("calls", calls_json(r));
    o.text("finish_reason", r.finish_reason);
    if (r.usage) {
        o.raw("usage", Object{}
                           .number("prompt", r.usage->prompt)
                           .number("completion", r.usage->completion)
                           .number("total", r.usage->total)
                           .number("cached", r.usage->cached)
                           .number("reasoning", r.usage->reasoning)
                           .done());
    }
    o.raw("ms", Object{}
                    .number("parse", r.ms.parse)
                    .number("wait", r.ms.wait)
                    .number("connect", r.ms.connect)
                    .number("first_byte", r.ms.first_byte)
                    .number("first_token", r.ms.first_token)
                    .number("total", r.ms.total)
                    .done());
    o.number("tokens_per_second", r.tokens_per_second).number("bytes_in", r.bytes_in).number("bytes_out", r.bytes_out);
    o.text("error_code", r.error_code).text("error_detail", r.error_detail).text("cache", r.cache_outcome)
        .text("prompt_changed", prompt_steps(r));
    return o.flag_if("cancelled", r.cancelled).done();
}

}  // namespace lc::log
