// Which models are for what: text, embeddings, reranking, completing code.
#include <algorithm>

#include "app/gateway/parts.hpp"

namespace lc::gateway {

namespace {

using engine::Purpose;

Purpose wanted_of(api::Endpoint endpoint) {
    switch (endpoint) {
        case api::Endpoint::embeddings: return Purpose::embed;
        case api::Endpoint::rerank: return Purpose::rerank;
        default: return Purpose::generate;
    }
}

std::string_view what_it_does(Purpose purpose) {
    switch (purpose) {
        case Purpose::generate: return "writes text";
        case Purpose::embed: return "makes embeddings";
        case Purpose::rerank: return "ranks documents";
    }
    return "";
}

}  // namespace

std::string model_of_role(const Gateway& gateway, const Turn& turn) {
    if (!turn.view.model.empty()) return {};
    const auto endpoint = turn.match.endpoint;
    const std::string_view role = endpoint == api::Endpoint::embeddings ? "embed"
                                  : endpoint == api::Endpoint::rerank   ? "rerank"
                                  : turn.kind == "fim"                  ? "fim"
                                                                        : "";
    if (role.empty()) return {};
    for (const auto& model : gateway.options.config.models) {
        if (std::find(model.roles.begin(), model.roles.end(), role) != model.roles.end()) return model.name;
    }
    return {};
}

awaitable<Result<void>> check_purpose(Gateway& gateway, const Turn& turn) {
    const auto info = co_await engines::describe(*gateway.engines, turn.choice.model);
    if (!info) co_return Result<void>{};  // starting it says why
    const Purpose wanted = wanted_of(turn.match.endpoint), is = (*info)->purpose;
    if (turn.fim && is == Purpose::generate && !(*info)->fim) {
        co_return fail(Errc::unsupported, "model '" + turn.choice.model + "' cannot complete code between two texts: its vocabulary has " +
                                              "no FIM tokens; ask a model that has them (roles = [\"fim\"]), or name them in its args " +
                                              "(--override-kv tokenizer.ggml.fim_pre_token_id=int:N, and so for fim_suf and fim_mid)");
    }
    if (wanted == is) co_return Result<void>{};
    const std::string model = "model '" + turn.choice.model + "' " + std::string(what_it_does(is)) + " only";
    if (wanted == Purpose::generate) co_return fail(Errc::unsupported, model + "; ask another model for text");
    const std::string role = wanted == Purpose::embed ? "embed" : "rerank";
    co_return fail(Errc::unsupported, model + "; set roles = [\"" + role + "\"] in a [[model]] table whose file is made for that");
}

}  // namespace lc::gateway
