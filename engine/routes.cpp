#include "routes.h"

#include "server-chat.h"
#include "server-common.h"
#include "server-context.h"
#include "server-http.h"
#include "server-stream.h"

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include "engine_features.h"
#include "hooks.h"
#include "state/save.h"
#include "state/service.h"

namespace {
using Handler = server_http_context::handler_t;

server_http_res_ptr error_response(const std::string& message, error_type type) {
    auto res = std::make_unique<server_http_res>();
    const json error = format_error_response(message, type);
    res->status = json_value(error, "code", 500);
    res->data = safe_json_to_str({{"error", error}});
    return res;
}

/// The library demands handlers that never throw.
Handler guarded(Handler inner) {
    return [inner = std::move(inner)](const server_http_req& req) -> server_http_res_ptr {
        try {
            return inner(req);
        } catch (const std::invalid_argument& e) {
            return error_response(e.what(), ERROR_TYPE_INVALID_REQUEST);
        } catch (const std::exception& e) {
            return error_response(e.what(), ERROR_TYPE_SERVER);
        } catch (...) {
            return error_response("unknown error", ERROR_TYPE_SERVER);
        }
    };
}

server_http_res_ptr get_engine(const StateService& states) {
    auto res = std::make_unique<server_http_res>();
    json features = json::array();
    for (const auto name : engine_features) {
        features.push_back(std::string(name));
    }
    json out = {{"engine", "localcode-engine"},
                {"api", engine_api_version},
                {"llama_cpp", std::string(engine_llama_version)},
                {"features", features}};
    states.describe(out);
    res->data = safe_json_to_str(out);
    return res;
}

server_http_res_ptr get_slots(StateService& states) {
    auto res = std::make_unique<server_http_res>();
    json slots = json::array();
    for (const auto& slot : states.slots()) {
        slots.push_back({{"id", slot.id}, {"busy", slot.busy}, {"n_tokens", slot.n_tokens}, {"generation", slot.generation}});
    }
    res->data = safe_json_to_str({{"slots", slots}});
    return res;
}

/// llama-server's own saving, loading and erasing of slots: what a slot holds changes without a request.
Handler touching(const Handler& inner, StateService& states) {
    return [inner, &states](const server_http_req& req) {
        const auto id = req.get_param("id_slot");
        const int slot = id.find_first_not_of("0123456789") == std::string::npos && !id.empty() && id.size() < 6 ? std::stoi(id) : -1;
        const bool known = states.slot(slot).has_value();
        if (known) {
            states.touched(slot);
        }
        auto res = inner(req);
        if (known) {
            states.touched(slot);
        }
        return res;
    };
}

server_http_res_ptr get_stats(const EngineStats& stats) {
    auto res = std::make_unique<server_http_res>();
    res->data = safe_json_to_str({{"decodes", stats.decodes.load()},
                                  {"decodes_aborted", stats.decodes_aborted.load()},
                                  {"prefill_tokens_per_second", stats.prefill_tokens_per_ms.load() * 1000.0},
                                  {"prefill_step", stats.prefill_step.load()}});
    return res;
}

/// /apply-template for a body of another dialect, translated as the dialect's own route does it.
Handler rendering(Handler apply_template, json (*translate)(const json&)) {
    return [inner = std::move(apply_template), translate](const server_http_req& req) {
        server_http_req chat = req;
        chat.body = translate(json::parse(req.body)).dump();
        return inner(chat);
    };
}
}  // namespace

void register_routes(const server_http_context& http, const server_routes& routes, std::shared_ptr<const EngineStats> stats,
                     StateService& states) {
    const auto get = [&](const char* path, const Handler& h) { http.get(path, guarded(h)); };
    const auto post = [&](const char* path, const Handler& h) { http.post(path, guarded(h)); };

    const auto complete = [&](const char* path, const Handler& h) { post(path, states.with_state(h)); };

    get("/health", routes.get_health);
    get("/v1/health", routes.get_health);
    get("/metrics", routes.get_metrics);
    get("/props", routes.get_props);
    post("/props", routes.post_props);
    get("/models", routes.get_models);
    get("/v1/models", routes.get_models);

    complete("/completion", routes.post_completions);
    complete("/completions", routes.post_completions);
    complete("/v1/completions", routes.post_completions_oai);
    complete("/chat/completions", routes.post_chat_completions);
    complete("/v1/chat/completions", routes.post_chat_completions);
    post("/v1/chat/completions/control", routes.post_control);
    complete("/responses", routes.post_responses_oai);
    complete("/v1/responses", routes.post_responses_oai);
    post("/audio/transcriptions", routes.post_transcriptions_oai);
    post("/v1/audio/transcriptions", routes.post_transcriptions_oai);
    complete("/v1/messages", routes.post_anthropic_messages);
    complete("/infill", routes.post_infill);

    post("/embedding", routes.post_embeddings);
    post("/embeddings", routes.post_embeddings);
    post("/v1/embeddings", routes.post_embeddings_oai);
    for (const char* path : {"/rerank", "/reranking", "/v1/rerank", "/v1/reranking"}) {
        post(path, routes.post_rerank);
    }

    post("/tokenize", routes.post_tokenize);
    post("/detokenize", routes.post_detokenize);
    post("/apply-template", routes.post_apply_template);
    post("/localcode/render/messages", rendering(routes.post_apply_template, server_chat_convert_anthropic_to_oai));
    post("/localcode/render/responses", rendering(routes.post_apply_template, server_chat_convert_responses_to_chatcmpl));
    for (const char* path : {"/chat/completions/input_tokens", "/v1/chat/completions/input_tokens"}) {
        post(path, routes.post_chat_completions_tok);
    }
    for (const char* path : {"/responses/input_tokens", "/v1/responses/input_tokens"}) {
        post(path, routes.post_responses_tok_oai);
    }
    post("/v1/messages/count_tokens", routes.post_anthropic_count_tokens);

    get("/lora-adapters", routes.get_lora_adapters);
    post("/lora-adapters", [&states, inner = Handler(routes.post_lora_adapters)](const server_http_req& req) {
        states.turn_off("the LoRA adapters were changed at run time");
        return inner(req);
    });
    get("/slots", routes.get_slots);
    post("/slots/:id_slot", touching(routes.post_slots, states));

    // Streams that outlive their connection: only for requests with an X-Conversation-Id header.
    get("/v1/stream", server_stream_make_get_handler());
    post("/v1/streams/lookup", server_stream_make_lookup_handler());
    http.del("/v1/stream", guarded(server_stream_make_delete_handler()));

    get("/localcode/engine", [&states](const server_http_req&) { return get_engine(states); });
    get("/localcode/slots", [&states](const server_http_req&) { return get_slots(states); });
    post("/localcode/save", save_handler(states));
    get("/localcode/stats", [stats = std::move(stats)](const server_http_req&) { return get_stats(*stats); });
}
