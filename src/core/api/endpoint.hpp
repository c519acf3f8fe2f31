// What a method and path ask for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lc::api {

/// The dialect of request and answer: decides the shape of errors, events, pings.
enum class Dialect : std::uint8_t { chat, completions, infill, fim, messages, responses, embeddings, rerank, plain };

enum class Endpoint : std::uint8_t {
    chat_completions,      ///< /v1/chat/completions (and without /v1)
    completions,           ///< /v1/completions, /completions, /completion (llama.cpp's own)
    infill,                ///< /infill
    fim_completions,       ///< /v1/fim/completions
    messages,              ///< /v1/messages
    messages_count,        ///< /v1/messages/count_tokens
    responses,             ///< /v1/responses
    embeddings,            ///< /v1/embeddings, /embeddings
    rerank,                ///< /v1/rerank, /rerank, /v2/rerank
    models,                ///< GET /v1/models, /models
    model,                 ///< GET /v1/models/{id}
    engine_query,          ///< /tokenize, /detokenize, /apply-template, /props, /slots, /v1/chat/completions/input_tokens
    upstream,              ///< /upstream/{model}/...
    health,                ///< /health, /v1/health
    version,               ///< /version
    metrics,               ///< /metrics
    admin,                 ///< /localcode/v1/...
    root,                  ///< / (HEAD and GET: Claude Code probes it)
    unknown,
};

struct EndpointMatch {
    Endpoint endpoint = Endpoint::unknown;
    Dialect dialect = Dialect::plain;
    std::string param;      ///< decoded model id of `model` and `upstream`, rest of the path of `admin`
    std::string rest;       ///< `upstream`: the path to ask for, with its leading '/'
    bool method_ok = true;  ///< false: path known, method not (405 with `allow`)
    std::string_view allow;
};

/// Pure. `target` is the request target; its query string is ignored. Percent-encoded ids are decoded.
[[nodiscard]] EndpointMatch match_endpoint(std::string_view method, std::string_view target);

}  // namespace lc::api
