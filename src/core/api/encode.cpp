#include "core/api/encode.hpp"

#include <algorithm>

#include "core/api/splice.hpp"

namespace lc::api {

namespace {

/// The `type` of OpenAI's error objects.
std::string_view openai_type(Errc code) {
    switch (code) {
        case Errc::bad_request:
        case Errc::too_large:
        case Errc::context_length_exceeded:
        case Errc::unsupported: return "invalid_request_error";
        case Errc::unauthorized: return "authentication_error";
        case Errc::not_found: return "not_found_error";
        case Errc::rate_limited: return "rate_limit_error";
        case Errc::overloaded: return "overloaded_error";
        case Errc::model_load_failed:
        case Errc::upstream_error:
        case Errc::internal: return "server_error";
        case Errc::upstream_timeout: return "timeout_error";
        case Errc::cancelled: return "cancelled";
    }
    return "server_error";
}

/// The `type` of Anthropic's error objects.
std::string_view anthropic_type(Errc code) {
    switch (code) {
        case Errc::bad_request:
        case Errc::context_length_exceeded:
        case Errc::unsupported: return "invalid_request_error";
        case Errc::unauthorized: return "authentication_error";
        case Errc::not_found: return "not_found_error";
        case Errc::too_large: return "request_too_large";
        case Errc::rate_limited: return "rate_limit_error";
        case Errc::overloaded:
        case Errc::model_load_failed: return "overloaded_error";
        case Errc::upstream_timeout: return "timeout_error";
        case Errc::upstream_error:
        case Errc::cancelled:
        case Errc::internal: return "api_error";
    }
    return "api_error";
}

/// The `code` of `response.failed`. Codex gives up on invalid_prompt, compacts on an overflow and tries again on the
/// rest.
std::string_view responses_code(Errc code) {
    switch (code) {
        case Errc::bad_request:
        case Errc::unsupported:
        case Errc::too_large:
        case Errc::unauthorized:
        case Errc::not_found: return "invalid_prompt";
        case Errc::context_length_exceeded: return "context_length_exceeded";
        case Errc::rate_limited: return "rate_limit_exceeded";
        case Errc::overloaded: return "server_is_overloaded";
        case Errc::model_load_failed:
        case Errc::upstream_error:
        case Errc::upstream_timeout:
        case Errc::cancelled:
        case Errc::internal: return "server_error";
    }
    return "server_error";
}

bool contains_ignoring_case(std::string_view text, std::string_view word) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::search(text.begin(), text.end(), word.begin(), word.end(),
                       [&](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

/// Clients know an overflow of a Messages server by these words.
std::string anthropic_message(const Error& error) {
    const std::string_view words = "prompt is too long";
    if (error.code != Errc::context_length_exceeded || contains_ignoring_case(error.detail, words)) return error.detail;
    return std::string(words) + (error.detail.empty() ? "" : ": " + error.detail);
}

std::string openai_object(const Error& error) {
    const std::string detail = error.detail.empty() ? std::string(name_of(error.code)) : error.detail;
    std::string out = "{\"error\":{\"message\":" + json_quote(detail);
    out.append(",\"type\":\"").append(openai_type(error.code));
    out.append("\",\"code\":\"").append(name_of(error.code)).append("\"}}");
    return out;
}

std::string anthropic_object(const Error& error) {
    std::string out = "{\"type\":\"error\",\"error\":{\"type\":\"";
    out.append(anthropic_type(error.code)).append("\",\"message\":").append(json_quote(anthropic_message(error)));
    return out + "}}";
}

std::string responses_failed(const Error& error) {
    std::string message = error.detail;
    if (error.code == Errc::rate_limited && error.retry_after_s > 0) {
        message +=
            " Please try again in " + std::to_string(error.retry_after_s) + "s.";  // Codex reads the delay from here
    }
    std::string out =
        "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"object\":\"response\","
        "\"status\":\"failed\",\"error\":{\"code\":\"";
    out.append(responses_code(error.code)).append("\",\"message\":").append(json_quote(message));
    return out + "}}}\n\n";
}

}  // namespace

int http_status(Errc code) {
    switch (code) {
        case Errc::bad_request: return 400;
        case Errc::unauthorized: return 401;
        case Errc::not_found: return 404;
        case Errc::too_large: return 413;
        case Errc::context_length_exceeded: return 400;
        case Errc::unsupported: return 400;
        case Errc::rate_limited: return 429;
        case Errc::overloaded: return 503;
        case Errc::model_load_failed: return 503;
        case Errc::upstream_error: return 502;
        case Errc::upstream_timeout: return 504;
        case Errc::cancelled: return 499;
        case Errc::internal: return 500;
    }
    return 500;
}

std::string error_body(Dialect dialect, const Error& error) {
    return dialect == Dialect::messages ? anthropic_object(error) : openai_object(error);
}

std::string error_frames(Dialect dialect, const Error& error) {
    switch (dialect) {
        case Dialect::messages: return "event: error\ndata: " + anthropic_object(error) + "\n\n";
        case Dialect::responses: return responses_failed(error);
        case Dialect::chat:
            // OpenCode looks for the code inside the message's text; anything else here it sends again, for ever.
            if (error.code == Errc::context_length_exceeded) {
                return "data: {\"error\":{\"message\":" +
                       json_quote(R"({"type":"error","error":{"code":"context_length_exceeded"}})") + "}}\n\n";
            }
            [[fallthrough]];
        case Dialect::completions:
        case Dialect::infill:
        case Dialect::fim:
        case Dialect::embeddings:
        case Dialect::rerank:
        case Dialect::plain: return "data: " + openai_object(error) + "\n\n";
    }
    return {};
}

std::string comment_frame(std::string_view text) {
    std::string out = text.empty() ? ":" : ": ";
    for (const char c : text) out.push_back(c == '\n' || c == '\r' ? ' ' : c);
    return out + "\n\n";
}

std::string heartbeat_frame(Dialect dialect, std::string_view id, std::string_view model, std::int64_t created) {
    const std::string when = std::to_string(created);
    switch (dialect) {
        case Dialect::chat:
            return "data: {\"id\":" + json_quote(id) + ",\"object\":\"chat.completion.chunk\",\"created\":" + when +
                   ",\"model\":" + json_quote(model) +
                   ",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                   "\"finish_reason\":null}]}\n\n";
        case Dialect::messages: return "event: ping\ndata: {\"type\":\"ping\"}\n\n";
        case Dialect::responses:
            return "event: response.in_progress\ndata: {\"type\":\"response.in_progress\",\"response\":{\"id\":" +
                   json_quote(id) + ",\"object\":\"response\",\"created_at\":" + when +
                   ",\"status\":\"in_progress\",\"model\":" + json_quote(model) + ",\"output\":[]}}\n\n";
        case Dialect::completions:
        case Dialect::infill:
        case Dialect::fim:
        case Dialect::embeddings:
        case Dialect::rerank:
        case Dialect::plain: return comment_frame("waiting");
    }
    return {};
}

}  // namespace lc::api
