#include "core/forward/forward.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include "base/text.hpp"
#include "core/api/assemble.hpp"
#include "core/api/splice.hpp"

namespace lc::forward {

namespace {

std::string_view path_only(std::string_view target) { return target.substr(0, target.find('?')); }

std::string path_of(const Incoming& in, bool engine) {
    const std::string v1 = engine ? "/v1" : "";
    const auto asked = path_only(in.target);
    switch (in.endpoint) {
        case api::Endpoint::chat_completions: return v1 + "/chat/completions";
        case api::Endpoint::messages: return v1 + "/messages";
        case api::Endpoint::messages_count: return v1 + "/messages/count_tokens";
        case api::Endpoint::responses: return v1 + "/responses";
        case api::Endpoint::embeddings: return v1 + "/embeddings";
        case api::Endpoint::rerank: return v1 + "/rerank";
        case api::Endpoint::infill: return "/infill";
        case api::Endpoint::fim_completions: return v1 + "/fim/completions";
        case api::Endpoint::completions:
            // llama.cpp's own /completion and /completions answer in another shape than /v1/completions.
            if (engine) return asked.starts_with("/v1/") ? "/v1/completions" : "/completion";
            return "/completions";
        default: return std::string(asked);
    }
}

void set(std::vector<api::HeaderField>& fields, std::string_view name, std::string_view value) {
    std::erase_if(fields, [&](const api::HeaderField& field) { return iequals(field.name, name); });
    fields.push_back({std::string(name), std::string(value)});
}

/// Engines signal the start of a request only when it streams (their answer's head is the sign that a slot has begun), and
/// refuse logprobs with tools in a stream. Several prompts in one request are answered in a list: those go as they came.
bool should_assemble(const Incoming& in) {
    if (in.view->stream || !api::can_assemble(in.dialect)) return false;
    if (in.endpoint == api::Endpoint::chat_completions) return !(in.view->logprobs && !in.view->tools.empty());
    // A request in another dialect that was made one to /infill: its answer is translated chunk by chunk.
    if (in.endpoint == api::Endpoint::infill) return in.dialect != api::Dialect::infill;
    if (in.endpoint != api::Endpoint::completions || !in.target.starts_with("/v1/")) return false;
    const auto* prompt = api::find(*in.view, "prompt");
    return prompt && in.body[prompt->value.begin] == '"';
}

bool has_body(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

void common_edits(const Incoming& in, std::string_view model, std::vector<api::Splice>& splices) {
    if (in.view->model != model) api::set_member(*in.view, in.body, "model", api::json_quote(model), splices);
    if (api::find(*in.view, "localcode")) api::remove_member(*in.view, in.body, "localcode", splices);
}

Outgoing start_of(const Incoming& in, bool engine) {
    Outgoing out;
    out.method = in.method;
    out.target = path_of(in, engine);
    return out;
}

}  // namespace

Outgoing to_engine(const Incoming& in, std::string_view model, std::span<const Member> members) {
    Outgoing out = start_of(in, true);
    out.assemble = should_assemble(in);
    // The body was decoded to JSON here, whatever the client called it.
    out.fields.push_back({"content-type", "application/json"});
    for (const auto* name : {"anthropic-version", "anthropic-beta"}) {
        if (const auto value = api::header(in.fields, name); !value.empty()) out.fields.push_back({name, std::string(value)});
    }
    if (!has_body(in.method)) return out;

    std::vector<api::Splice> splices;
    common_edits(in, model, splices);
    for (const auto* ours : {"id_slot", "localcode_state"}) {
        if (api::find(*in.view, ours)) api::remove_member(*in.view, in.body, ours, splices);
    }
    for (const auto& member : members) api::set_member(*in.view, in.body, member.name, member.json, splices);
    if (out.assemble) api::set_member(*in.view, in.body, "stream", "true", splices);
    const bool streamed = in.view->stream || out.assemble;
    if (streamed && !in.view->return_progress) api::set_member(*in.view, in.body, "return_progress", "true", splices);
    out.body = api::apply(in.body, std::move(splices));
    return out;
}

Outgoing to_backend(const Incoming& in, std::string_view model, const BackendRules& rules) {
    Outgoing out = start_of(in, false);
    const bool keep_key = !rules.gateway_has_keys && rules.key.empty();
    for (const auto& field : in.fields) {
        if (may_pass(field.name, keep_key)) out.fields.push_back(field);
    }
    if (const auto query = in.target.find('?'); query != std::string_view::npos) out.target += in.target.substr(query);
    set(out.fields, "accept-encoding", "identity");
    if (!rules.key.empty()) {
        set(out.fields, "authorization", "Bearer " + std::string(rules.key));
        if (in.dialect == api::Dialect::messages) set(out.fields, "x-api-key", rules.key);
    }
    if (rules.fields) {
        for (const auto& [name, value] : *rules.fields) set(out.fields, name, value);
    }
    if (!has_body(in.method)) return out;

    std::vector<api::Splice> splices;
    common_edits(in, model, splices);
    out.body = api::apply(in.body, std::move(splices));
    return out;
}

bool passes_as_it_came(int status, Errc code) {
    if (status < 400 || status >= 500) return false;
    // upstream_error: a status between 400 and 499 that stands for nothing in particular.
    return code == Errc::bad_request || code == Errc::upstream_error;
}

// Hop-by-hop fields, and those that must not reach a server behind us: cookies, the compression that we could not look
// into, and x-conversation-id, which opts into streams that outlive the socket in llama.cpp.
bool may_pass(std::string_view name, bool keep_key) {
    static constexpr std::array dropped = {
        "host",     "connection",        "keep-alive",        "proxy-authenticate", "proxy-authorization",
        "te",       "trailer",           "transfer-encoding", "upgrade",            "content-length",
        "expect",   "content-encoding",  "accept-encoding",   "proxy-connection",   "x-conversation-id",
        "cookie",   "origin",            "referer",           "forwarded",          "x-forwarded-for",
        "x-real-ip", "x-forwarded-host", "x-forwarded-proto"};
    for (const auto* field : dropped) {
        if (iequals(name, field)) return false;
    }
    constexpr std::string_view own = "x-localcode-";
    if (name.size() > own.size() && iequals(name.substr(0, own.size()), own)) return false;
    const bool is_key = iequals(name, "authorization") || iequals(name, "x-api-key") || iequals(name, "api-key");
    return keep_key || !is_key;
}

bool answer_may_pass(std::string_view name) {
    static constexpr std::array dropped = {
        "connection", "keep-alive",     "proxy-authenticate", "proxy-connection", "te",         "trailer",
        "upgrade",    "content-length", "transfer-encoding",  "set-cookie",       "set-cookie2", "server",
        "date",       "alt-svc",        "strict-transport-security", "content-security-policy", "x-powered-by"};
    for (const auto* field : dropped) {
        if (iequals(name, field)) return false;
    }
    const auto begins = [name](std::string_view prefix) {
        return name.size() >= prefix.size() && iequals(name.substr(0, prefix.size()), prefix);
    };
    return !begins("access-control-") && !begins("x-localcode-");
}

std::string_view counting_path(api::Endpoint endpoint) {
    switch (endpoint) {
        case api::Endpoint::chat_completions: return "/v1/chat/completions/input_tokens";
        case api::Endpoint::messages: return "/v1/messages/count_tokens";
        case api::Endpoint::responses: return "/v1/responses/input_tokens";
        default: return {};
    }
}

namespace {

/// Digits, perhaps with a fraction; nothing else. Bounded, so that no arithmetic on it can overflow.
std::optional<double> plain_number(std::string_view text) {
    const bool plain = !text.empty() && text.size() <= 18 && text.front() != '.' &&
                       text.find_first_not_of("0123456789.") == std::string_view::npos &&
                       std::count(text.begin(), text.end(), '.') <= 1;
    if (!plain) return std::nullopt;
    return std::strtod(std::string(text).c_str(), nullptr);
}

/// Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7), and of its two obsolete forms.
std::optional<std::int64_t> http_date(std::string_view text) {
    const std::string date(text.substr(0, 64));
    for (const char* form : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
        std::tm parts{};
        const char* end = ::strptime(date.c_str(), form, &parts);
        if (end != nullptr && *end == '\0') return static_cast<std::int64_t>(::timegm(&parts));
    }
    return std::nullopt;
}

constexpr double a_day = 86'400;

}  // namespace

RetryAfter retry_after(std::string_view after, std::string_view after_ms, std::int64_t now_unix_ms) {
    RetryAfter out;
    after = trim(after);
    after_ms = trim(after_ms);
    const auto in_seconds = [](double seconds) { return static_cast<int>(std::ceil(std::clamp(seconds, 0.0, a_day))); };
    if (const auto seconds = plain_number(after)) {
        out.seconds = in_seconds(*seconds);
    } else if (const auto date = http_date(after)) {
        out.seconds = in_seconds(static_cast<double>(*date) - static_cast<double>(now_unix_ms) / 1000);
    }
    if (const auto ms = plain_number(after_ms); ms && *ms <= a_day * 1000) {
        out.milliseconds = after_ms;
        if (out.seconds == 0) out.seconds = in_seconds(*ms / 1000);
    }
    return out;
}

}  // namespace lc::forward
