// What backends say when something is wrong, as our closed set of codes.
#include "core/api/upstream_error.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "core/api/stream_event.hpp"

namespace lc::api {

namespace {

constexpr std::size_t max_detail = 1000;

/// Wordings of a context overflow (lower case): llama.cpp, OpenAI and vLLM, Anthropic, Gemini, Bedrock, Mistral, xAI,
/// Groq, GLM, Ollama, LM Studio, SGLang, TGI.
constexpr std::string_view overflow_words[] = {
    "exceed_context_size_error",
    "exceeds the available context size",
    "context size has been exceeded",
    "larger than the max context size",
    "context_length_exceeded",
    "model_context_window_exceeded",
    "maximum context length",
    "exceeds maximum context",
    "maximum model length is",
    "maximum prompt length is",
    "context length exceeded",
    "exceeds the context length",
    "exceeds context length",
    "exceed context length",
    "longer than the model's context length",
    "longer than the context length",
    "greater than the context length",
    "context length is only",
    "exceeds the context window",
    "exceed context window",
    "exceed context limit",
    "context window exceeds limit",
    "exceeds the model's context",
    "exceeds the model's maximum context",
    "exceeded model token limit",
    "prompt token count of",
    "too large for model with",
    "reduce the length of the messages",
    "reduce the length of the input",
    "prompt is too long",
    "prompt too long",
    "prompt exceeds max length",
    "prompt exceeds the length limit",
    "input is too long",
    "input too long",
    "input length exceeds",
    "input token count",
    "too many input tokens",
    "exceeds the maximum number of tokens",
    "`inputs` tokens + `max_new_tokens` must be",
    "longer than the maximum model length",
    "the tokens to keep from the initial prompt is greater",
};

bool contains(std::string_view text, std::string_view word) {
    return text.find(word) != std::string_view::npos;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return contains(text, word); });
}

bool says_overflow(std::string_view lower) {
    return std::any_of(std::begin(overflow_words), std::end(overflow_words),
                       [&](std::string_view words) { return contains(lower, words); });
}

/// Token and request limits over time also speak of "tokens" and "limits": they pass by waiting, an overflow does not.
bool says_rate_limit(std::string_view lower) {
    return contains_any(lower, {"rate limit", "rate_limit", "ratelimit", "too many requests", "tokens per min",
                                "requests per min", "insufficient_quota", "quota"});
}

Errc by_status(int status) {
    switch (status) {
        case 400:
        case 422: return Errc::bad_request;
        case 401:
        case 403: return Errc::unauthorized;
        case 404: return Errc::not_found;
        case 408:
        case 504: return Errc::upstream_timeout;
        case 413: return Errc::too_large;
        case 429: return Errc::rate_limited;
        case 501: return Errc::unsupported;
        case 503:
        case 529: return Errc::overloaded;
        default: return Errc::upstream_error;
    }
}

/// The types and codes of OpenAI, Anthropic and llama.cpp, for errors without a status.
Errc by_name(std::string_view lower) {
    if (contains_any(lower, {"rate_limit", "insufficient_quota", "too_many_requests"})) return Errc::rate_limited;
    if (contains_any(lower, {"overloaded", "unavailable"})) return Errc::overloaded;
    if (contains_any(lower, {"not_supported"})) return Errc::unsupported;
    if (contains_any(lower, {"not_found"})) return Errc::not_found;
    if (contains_any(lower, {"request_too_large"})) return Errc::too_large;
    if (contains_any(lower, {"authentication", "permission", "invalid_api_key"})) return Errc::unauthorized;
    if (contains_any(lower, {"timeout"})) return Errc::upstream_timeout;
    if (contains_any(lower, {"invalid_request", "invalid_prompt", "badrequest", "bad_request"}))
        return Errc::bad_request;
    return Errc::upstream_error;
}

Error classified(int status, std::string_view kind, std::string_view message, int retry_after_s) {
    const std::string lower = to_lower(std::string(kind) + " " + std::string(message.substr(0, 4096)));
    Error error;
    error.detail = cut_utf8(message, max_detail);
    const bool named = contains_any(lower, {"context_length_exceeded", "exceed_context_size_error"});
    const bool rate = status == 429 || says_rate_limit(lower);
    if (named || (!rate && says_overflow(lower))) {
        error.code = Errc::context_length_exceeded;
        return error;
    }
    error.code = status >= 400 ? by_status(status) : by_name(to_lower(kind));
    if (error.code == Errc::rate_limited || error.code == Errc::overloaded)
        error.retry_after_s = std::max(0, retry_after_s);
    return error;
}

/// A number, or a text that is one.
int status_of(Json code) {
    if (const auto number = integer_of(code)) return *number >= 400 && *number < 600 ? static_cast<int>(*number) : 0;
    const std::string_view text = text_of(code);
    int status = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), status);
    return fault == std::errc{} && end == text.data() + text.size() && status >= 400 && status < 600 ? status : 0;
}

std::string fallback_detail(int status) {
    return status > 0 ? "the backend answered with status " + std::to_string(status) : "the backend reported an error";
}

}  // namespace

std::optional<Json> find_error(Json root) {
    if (!root.is_object()) return std::nullopt;
    if (const auto error = member(root, "error")) {
        if (error->is_object() || !text_of(*error).empty()) return error;
    }
    if (text_at(root, "type") == "error") return root;
    return std::nullopt;
}

Error error_of(Json object, int status, int retry_after_s) {
    if (object.is_string()) {
        const std::string_view text = text_of(object);
        return classified(status, text.substr(0, 200), text, retry_after_s);
    }
    std::string kind(text_at(object, "type"));
    if (const auto code = member(object, "code")) {
        if (status == 0) status = status_of(*code);
        kind.append(" ").append(text_of(*code));
    }
    std::string message(text_at(object, "message"));
    if (message.empty()) message = text_at(object, "detail");
    if (message.empty() && says_overflow(to_lower(kind))) message = "the request exceeds the available context size";
    if (message.empty()) message = fallback_detail(status);
    return classified(status, kind, message, retry_after_s);
}

Error classify_upstream_error(int status, std::string_view body, int retry_after_s) {
    if (const auto parsed = parse_json(body)) {
        Json root = parsed->root;
        simdjson::dom::array list;  // Gemini wraps its error into an array
        if (root.get(list) == simdjson::SUCCESS && list.size() > 0) root = list.at(0).value_unsafe();
        if (const auto error = find_error(root)) return error_of(*error, status, retry_after_s);
        // FastAPI servers: {"detail": ...}; vLLM and llama.cpp's event stream: the error object itself.
        if (root.is_object()) {
            if (const auto detail = member(root, "detail"); detail && !detail->is_string()) {
                return classified(status, "", std::string(simdjson::minify(*detail)), retry_after_s);
            }
            return error_of(root, status, retry_after_s);
        }
    }
    const std::string plain = preview(trim(body.substr(0, 4096)), max_detail);
    return classified(status, "", plain.empty() ? fallback_detail(status) : plain, retry_after_s);
}

}  // namespace lc::api
