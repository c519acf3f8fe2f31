// What a method and path ask for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lc::api {

/// The dialect of request and answer: decides the shape of errors, events, pings.
enum class Dialect : std::uint8_t { chat, completions, infill, fim, messages, responses, embeddings, rerank, plain };

enum class Endpoint : std::uint8_t {
    chat_completions,  ///< /v1/chat/completions (and without /v1)
    completions,       ///< /v1/completions; /completions and /completion (llama.cpp's own form of answer)
    infill,            ///< /infill
    fim_completions,   ///< /v1/fim/completions
    messages,          ///< /v1/messages
    messages_count,    ///< /v1/messages/count_tokens
    responses,         ///< /v1/responses
    embeddings,        ///< /v1/embeddings, /embeddings
    rerank,            ///< /v1/rerank, /rerank, /v2/rerank
    models,            ///< GET /v1/models, /models
    model,             ///< GET /v1/models/{id}
    engine_query,      ///< /tokenize, /detokenize, /apply-template, /props, /slots, /lora-adapters,
                       ///< [/v1]/chat/completions/input_tokens, [/v1]/responses/input_tokens
    upstream,          ///< /upstream/{model}/...
    health,            ///< /health, /v1/health
    version,           ///< /version
    metrics,           ///< /metrics
    admin,             ///< /localcode/v1/...
    root,              ///< /, /api/hello (HEAD and GET: Claude Code probes them)
    unknown,
};

struct EndpointMatch {
    Endpoint endpoint = Endpoint::unknown;
    Dialect dialect = Dialect::plain;
    std::string param;       ///< decoded model id of `model` and `upstream`, rest of the path of `admin`
    std::string rest;        ///< `upstream`: the path to ask for, with its leading '/' and its query, as it was sent;
                             ///< paths without a parameter: the path in its canonical form, and the query;
                             ///< `admin`: the query only, with its '?'
    bool method_ok = true;   ///< false: path known, method not (405 with `allow`; OPTIONS: 204 with `allow`)
    std::string_view allow;  ///< empty: any method (upstream, admin)
};

/// Pure. `target` is the request target, also in absolute form. The query decides nothing, repeated and trailing
/// slashes do not count, percent-encoded ids are decoded. Ids of `model` may hold '/'.
[[nodiscard]] EndpointMatch match_endpoint(std::string_view method, std::string_view target);

/// As in logs and metrics: "chat", "completions", ...
[[nodiscard]] std::string_view name_of(Dialect dialect);

}  // namespace lc::api
