#include "core/api/endpoint.hpp"

#include <algorithm>
#include <optional>

namespace lc::api {

namespace {

struct Row {
    std::string_view path;
    Endpoint endpoint;
    Dialect dialect;
    std::string_view allow;
};

constexpr std::string_view get = "GET, HEAD";
constexpr std::string_view post = "POST";

// INTERFACES.md section 2, with the names that llama.cpp's server has for the same things.
constexpr Row rows[] = {
    {"/v1/chat/completions", Endpoint::chat_completions, Dialect::chat, post},
    {"/chat/completions", Endpoint::chat_completions, Dialect::chat, post},
    {"/v1/completions", Endpoint::completions, Dialect::completions, post},
    {"/completions", Endpoint::completions, Dialect::completions, post},
    {"/completion", Endpoint::completions, Dialect::completions, post},
    {"/infill", Endpoint::infill, Dialect::infill, post},
    {"/v1/fim/completions", Endpoint::fim_completions, Dialect::fim, post},
    {"/fim/completions", Endpoint::fim_completions, Dialect::fim, post},
    {"/v1/messages", Endpoint::messages, Dialect::messages, post},
    {"/v1/messages/count_tokens", Endpoint::messages_count, Dialect::messages, post},
    {"/v1/responses", Endpoint::responses, Dialect::responses, post},
    {"/responses", Endpoint::responses, Dialect::responses, post},
    {"/v1/embeddings", Endpoint::embeddings, Dialect::embeddings, post},
    {"/embeddings", Endpoint::embeddings, Dialect::embeddings, post},
    {"/embedding", Endpoint::embeddings, Dialect::embeddings, post},
    {"/v1/rerank", Endpoint::rerank, Dialect::rerank, post},
    {"/v2/rerank", Endpoint::rerank, Dialect::rerank, post},
    {"/rerank", Endpoint::rerank, Dialect::rerank, post},
    {"/v1/reranking", Endpoint::rerank, Dialect::rerank, post},
    {"/reranking", Endpoint::rerank, Dialect::rerank, post},
    {"/v1/models", Endpoint::models, Dialect::plain, get},
    {"/models", Endpoint::models, Dialect::plain, get},
    {"/tokenize", Endpoint::engine_query, Dialect::plain, post},
    {"/detokenize", Endpoint::engine_query, Dialect::plain, post},
    {"/apply-template", Endpoint::engine_query, Dialect::plain, post},
    {"/props", Endpoint::engine_query, Dialect::plain, get},
    {"/slots", Endpoint::engine_query, Dialect::plain, get},
    {"/lora-adapters", Endpoint::engine_query, Dialect::plain, get},
    {"/v1/chat/completions/input_tokens", Endpoint::engine_query, Dialect::plain, post},
    {"/chat/completions/input_tokens", Endpoint::engine_query, Dialect::plain, post},
    {"/v1/responses/input_tokens", Endpoint::engine_query, Dialect::plain, post},
    {"/responses/input_tokens", Endpoint::engine_query, Dialect::plain, post},
    {"/health", Endpoint::health, Dialect::plain, get},
    {"/v1/health", Endpoint::health, Dialect::plain, get},
    {"/version", Endpoint::version, Dialect::plain, get},
    {"/metrics", Endpoint::metrics, Dialect::plain, get},
    {"/", Endpoint::root, Dialect::plain, get},
    {"/api/hello", Endpoint::root, Dialect::plain, get},  // Claude Code asks for it before its first request
};

std::optional<int> nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return std::nullopt;
}

/// Broken escapes stay as they are.
std::string percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            const auto high = nibble(text[i + 1]);
            const auto low = nibble(text[i + 2]);
            if (high && low) {
                out.push_back(static_cast<char>(*high * 16 + *low));
                i += 2;
                continue;
            }
        }
        out.push_back(text[i]);
    }
    return out;
}

/// The path as it is compared: runs of '/' count as one, a trailing one does not count.
std::string normalise(std::string_view path) {
    std::string out;
    for (const char c : percent_decode(path)) {
        if (c != '/' || out.empty() || out.back() != '/') out.push_back(c);
    }
    if (out.size() > 1 && out.back() == '/') out.pop_back();
    if (out.empty()) out = "/";
    return out;
}

bool in_list(std::string_view method, std::string_view allow) {
    while (!allow.empty()) {
        const std::size_t comma = allow.find(", ");
        if (allow.substr(0, comma) == method) return true;
        if (comma == std::string_view::npos) return false;
        allow.remove_prefix(comma + 2);
    }
    return false;
}

/// The target without scheme and authority (absolute form, as sent to proxies) and without a fragment.
std::string_view origin_form(std::string_view target) {
    target = target.substr(0, target.find('#'));
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!target.starts_with(scheme)) continue;
        const std::size_t slash = target.find_first_of("/?", scheme.size());
        return slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    return target;
}

/// The rest of `path` below the folder `prefix` ("/models/"), when there is one. `path` still has its percent escapes.
std::optional<std::string_view> below(std::string_view path, std::string_view prefix) {
    if (!path.starts_with(prefix) || path.size() == prefix.size()) return std::nullopt;
    return path.substr(prefix.size());
}

std::string_view strip_slashes(std::string_view text) {
    while (text.ends_with('/')) text.remove_suffix(1);
    return text;
}

EndpointMatch matched(std::string_view method, Endpoint endpoint, Dialect dialect, std::string_view allow) {
    EndpointMatch match;
    match.endpoint = endpoint;
    match.dialect = dialect;
    match.allow = allow;
    match.method_ok = allow.empty() || in_list(method, allow);
    return match;
}

}  // namespace

EndpointMatch match_endpoint(std::string_view method, std::string_view target) {
    target = origin_form(target);
    const std::size_t question = target.find('?');
    const std::string_view raw_path = target.substr(0, question);
    const std::string_view query = question == std::string_view::npos ? "" : target.substr(question);

    std::string_view path = raw_path;  // a base URL that ends in '/' makes clients ask for "//v1/..."
    while (path.starts_with("//")) path.remove_prefix(1);

    // The rest of these paths belongs to someone else: it keeps its escapes, slashes and query.
    if (const auto rest = below(path, "/upstream/")) {
        const std::size_t slash = rest->find('/');
        EndpointMatch match = matched(method, Endpoint::upstream, Dialect::plain, "");
        match.param = percent_decode(rest->substr(0, slash));
        match.rest = slash == std::string_view::npos ? "/" : std::string(rest->substr(slash));
        match.rest += query;
        if (match.param.empty()) return {};
        return match;
    }
    if (const auto rest = below(path, "/localcode/v1/")) {
        EndpointMatch match = matched(method, Endpoint::admin, Dialect::plain, "");
        match.param = percent_decode(strip_slashes(*rest));
        match.rest = query;
        return match;
    }

    const std::string plain_path = normalise(path);
    const auto* row =
        std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.path == plain_path; });
    if (row != std::end(rows)) {
        EndpointMatch match = matched(method, row->endpoint, row->dialect, row->allow);
        match.rest = std::string(row->path) + std::string(query);
        return match;
    }
    for (const std::string_view prefix : {"/v1/models/", "/models/"}) {
        if (const auto rest = below(path, prefix)) {
            EndpointMatch match = matched(method, Endpoint::model, Dialect::plain, get);
            match.param = percent_decode(strip_slashes(*rest));
            if (!match.param.empty()) return match;
        }
    }
    return {};
}

std::string_view name_of(Dialect dialect) {
    switch (dialect) {
        case Dialect::chat: return "chat";
        case Dialect::completions: return "completions";
        case Dialect::infill: return "infill";
        case Dialect::fim: return "fim";
        case Dialect::messages: return "messages";
        case Dialect::responses: return "responses";
        case Dialect::embeddings: return "embeddings";
        case Dialect::rerank: return "rerank";
        case Dialect::plain: return "plain";
    }
    return "plain";
}

}  // namespace lc::api
