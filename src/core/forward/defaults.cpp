#include "core/forward/defaults.hpp"

#include <cmath>
#include <cstdio>

namespace lc::forward {

namespace {

std::string json_number(double value) {
    char text[32];
    const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
    std::snprintf(text, sizeof text, whole ? "%.0f" : "%.6g", value);
    return text;
}

bool generates(api::Dialect dialect) {
    switch (dialect) {
        case api::Dialect::chat:
        case api::Dialect::completions:
        case api::Dialect::messages:
        case api::Dialect::responses:
        case api::Dialect::infill:
        case api::Dialect::fim: return true;
        case api::Dialect::embeddings:
        case api::Dialect::rerank:
        case api::Dialect::plain: return false;
    }
    return false;
}

bool has_template(api::Dialect dialect) {
    return dialect == api::Dialect::chat || dialect == api::Dialect::messages || dialect == api::Dialect::responses;
}

/// The client has said how much is to be thought, in one of the ways of its dialect.
bool says_thinking(const api::RequestView& view) {
    for (const auto* name : {"chat_template_kwargs", "reasoning_effort", "reasoning", "thinking", "thinking_budget_tokens"}) {
        if (api::find(view, name) != nullptr) return true;
    }
    return false;
}

}  // namespace

std::vector<Member> defaults(const config::Model& model, std::string_view kind, const api::RequestView& view) {
    std::vector<Member> out;
    if (!generates(view.dialect)) return out;
    if (const auto found = model.sampling.by_kind.find(kind); found != model.sampling.by_kind.end()) {
        for (const auto& [name, value] : found->second) {
            if (api::find(view, name) == nullptr) out.push_back({name, json_number(value)});
        }
    }
    const auto thinks = model.thinking.by_kind.find(kind);
    if (thinks != model.thinking.by_kind.end() && has_template(view.dialect) && !says_thinking(view)) {
        out.push_back({"chat_template_kwargs", thinks->second ? R"({"enable_thinking":true})" : R"({"enable_thinking":false})"});
    }
    return out;
}

}  // namespace lc::forward
