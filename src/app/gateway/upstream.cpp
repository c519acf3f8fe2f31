// How a request is put to an engine or to a remote backend.
#include <simdjson.h>

#include <array>

#include "app/gateway/parts.hpp"
#include "base/text.hpp"
#include "core/api/assemble.hpp"
#include "core/api/splice.hpp"

namespace lc::gateway {

namespace {

/// Path on a backend whose base URL already has its /v1, or on an engine.
std::string path_of(api::Endpoint endpoint, std::string_view asked, bool engine) {
    const std::string v1 = engine ? "/v1" : "";
    switch (endpoint) {
        case api::Endpoint::chat_completions: return v1 + "/chat/completions";
        case api::Endpoint::messages: return v1 + "/messages";
        case api::Endpoint::messages_count: return v1 + "/messages/count_tokens";
        case api::Endpoint::responses: return v1 + "/responses";
        case api::Endpoint::embeddings: return v1 + "/embeddings";
        case api::Endpoint::rerank: return v1 + "/rerank";
        case api::Endpoint::fim_completions: return v1 + "/fim/completions";
        case api::Endpoint::infill: return "/infill";
        case api::Endpoint::completions:
            // llama.cpp's own /completion and /completions answer in another shape than /v1/completions.
            if (engine) return asked.starts_with("/v1/") ? "/v1/completions" : "/completion";
            return "/completions";
        default: return std::string(asked);
    }
}

std::string_view path_only(std::string_view target) { return target.substr(0, target.find('?')); }

/// Hop-by-hop fields, and those that must not reach a server behind us: our keys, cookies, the compression we could not
/// look into, and x-conversation-id, which opts into streams that outlive the socket in llama.cpp.
bool forwarded_to_backend(std::string_view name, bool gateway_has_keys) {
    static constexpr std::array dropped = {
        "host",       "connection",        "keep-alive",     "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te",         "trailer",           "transfer-encoding", "upgrade",         "content-length",      "content-encoding",
        "accept-encoding", "expect",       "cookie",         "origin",             "referer",             "x-conversation-id",
        "forwarded",  "x-forwarded-for",   "x-forwarded-host", "x-forwarded-proto", "x-real-ip"};
    for (const auto* field : dropped) {
        if (iequals(name, field)) return false;
    }
    if (name.size() > 12 && iequals(name.substr(0, 12), "x-localcode-")) return false;
    const bool key = iequals(name, "authorization") || iequals(name, "x-api-key") || iequals(name, "api-key");
    return !(key && gateway_has_keys);
}

std::string edited_body(const Turn& turn, const net::Request& request, bool engine, bool force_stream) {
    std::vector<api::Splice> splices;
    const std::string_view body = request.body;
    if (turn.view.model != turn.choice.model) {
        api::set_member(turn.view, body, "model", api::json_quote(turn.choice.model), splices);
    }
    if (api::find(turn.view, "localcode")) api::remove_member(turn.view, body, "localcode", splices);
    if (engine) {
        const bool streamed = turn.view.stream || force_stream;
        if (force_stream) api::set_member(turn.view, body, "stream", "true", splices);
        if (streamed && !turn.view.return_progress) {
            api::set_member(turn.view, body, "return_progress", "true", splices);
        }
    }
    return splices.empty() ? request.body : api::apply(body, std::move(splices));
}

bool has_body(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

/// Engines signal the start of a request only when it streams (reference: engine.md, 2), and refuse logprobs with tools in
/// a stream (11). llama.cpp answers several prompts in one list without a stream: those go as they came.
bool should_assemble(const Turn& turn, const net::Request& request) {
    if (turn.view.stream || !api::can_assemble(turn.match.dialect)) return false;
    if (turn.match.endpoint == api::Endpoint::chat_completions) return !(turn.view.logprobs && !turn.view.tools.empty());
    if (turn.match.endpoint != api::Endpoint::completions || !request.target.starts_with("/v1/")) return false;
    const auto* prompt = api::find(turn.view, "prompt");
    return prompt && request.body[prompt->value.begin] == '"';
}

}  // namespace

Upstream to_engine(const Turn& turn, const engines::Ready& ready, const net::Request& request) {
    Upstream up;
    up.target = ready.target;
    up.assemble = should_assemble(turn, request);
    up.request.method = request.method;
    up.request.target = path_of(turn.match.endpoint, path_only(request.target), true);
    for (const auto* name : {"content-type", "anthropic-version", "anthropic-beta"}) {
        if (const auto value = net::get(request.fields, name); !value.empty()) {
            up.request.fields.push_back({name, std::string(value)});
        }
    }
    if (up.request.fields.empty()) up.request.fields.push_back({"content-type", "application/json"});
    up.request.body = has_body(request.method) ? edited_body(turn, request, true, up.assemble) : std::string();
    return up;
}

Upstream to_backend(const Turn& turn, const Backend& backend, const net::Request& request, bool gateway_has_keys) {
    Upstream up;
    up.target = backend.target;
    up.timeouts = backend.timeouts;
    // Without a stream nothing comes until the whole answer is there: only the first byte's limit applies.
    up.request.method = request.method;
    up.request.target = path_of(turn.match.endpoint, path_only(request.target), false);
    for (const auto& field : request.fields) {
        if (forwarded_to_backend(field.name, gateway_has_keys || !backend.key.empty())) up.request.fields.push_back(field);
    }
    up.request.fields.push_back({"accept-encoding", "identity"});
    if (!backend.key.empty()) {
        if (turn.match.dialect == api::Dialect::messages) up.request.fields.push_back({"x-api-key", backend.key});
        up.request.fields.push_back({"authorization", "Bearer " + backend.key});
    }
    for (const auto& [name, value] : backend.config.headers) net::set(up.request.fields, name, value);
    up.request.body = has_body(request.method) ? edited_body(turn, request, false, false) : std::string();
    return up;
}

namespace {

Result<std::vector<std::string>> model_ids(const std::string& body) {
    simdjson::dom::parser parser;
    simdjson::dom::array list;
    if (parser.parse(body)["data"].get(list) != simdjson::SUCCESS) {
        return fail(Errc::upstream_error, "its answer to GET /models is not a list of models");
    }
    std::vector<std::string> ids;
    for (const auto entry : list) {
        std::string_view id;
        if (entry["id"].get(id) == simdjson::SUCCESS && ids.size() < 1'000) ids.emplace_back(id);
    }
    return ids;
}

awaitable<Result<std::vector<std::string>>> ask_models(Gateway& gateway, net::Target target, std::string key) {
    net::Request request;
    request.method = "GET";
    request.target = "/models";
    request.fields.push_back({"accept", "application/json"});
    if (!key.empty()) request.fields.push_back({"authorization", "Bearer " + key});
    const net::Timeouts timeouts{std::chrono::seconds(3), std::chrono::seconds(5), std::chrono::seconds(5)};
    auto answer = co_await net::fetch(*gateway.pool, std::move(target), timeouts, std::move(request));
    if (!answer) co_return tl::unexpected(answer.error());
    if (answer->status != 200) {
        co_return fail(Errc::upstream_error, "GET /models answered " + std::to_string(answer->status));
    }
    co_return model_ids(answer->body);
}

}  // namespace

awaitable<void> learn_models(Gateway& gateway, std::chrono::seconds max_age) {
    for (std::size_t i = 0; i < gateway.backends.size(); ++i) {
        auto& backend = gateway.backends[i];
        if (!backend.config.models.empty()) continue;
        const auto now = Clock::now();
        if (backend.asked != Clock::time_point{} && now - backend.asked < max_age) continue;
        backend.asked = now;  // before the wait: others do not ask meanwhile
        auto ids = co_await ask_models(gateway, backend.target, backend.key);
        if (!ids) {
            backend.error = ids.error().detail;
            say(gateway, Level::warn, "backend " + backend.config.name + ": its models are not known: " + backend.error);
            continue;
        }
        backend.error.clear();
        backend.models = std::move(*ids);
        gateway.table.remotes[i].models = backend.models;
        const auto& config = gateway.options.config;
        const bool configured = !config.server.model.empty() || !config.models.empty();
        if (!configured && i == 0 && !backend.models.empty()) gateway.table.default_model = backend.models.front();
    }
}

}  // namespace lc::gateway
