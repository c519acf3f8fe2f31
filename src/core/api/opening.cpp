#include "core/api/opening.hpp"

#include "core/api/json_dom.hpp"
#include "core/api/splice.hpp"

namespace lc::api {

namespace {

std::string frame_text(std::string_view event, const std::string& data) {
    return "event: " + std::string(event) + "\ndata: " + data + "\n\n";
}

/// Usage as far as the frame says it: of a stream that consists of nothing but its end.
std::string message_start(const Opening& opening, Json data) {
    std::int64_t input = 0, cached = 0;
    if (const auto usage = member(data, "usage")) {
        input = integer_at(*usage, "input_tokens");
        cached = integer_at(*usage, "cache_read_input_tokens");
    }
    return frame_text(
        "message_start",
        R"({"type":"message_start","message":{"id":)" + json_quote(opening.id) +
            R"(,"type":"message","role":"assistant","content":[],"model":)" + json_quote(opening.model) +
            R"(,"stop_reason":null,"stop_sequence":null,"usage":{"cache_read_input_tokens":)" +
            std::to_string(cached) + R"(,"input_tokens":)" + std::to_string(input) + R"(,"output_tokens":0}}})");
}

std::string response_event(const Opening& opening, std::string_view type, std::string_view id) {
    return frame_text(type, R"({"type":")" + std::string(type) + R"(","response":{"id":)" + json_quote(id) +
                                R"(,"object":"response","created_at":)" + std::to_string(opening.created) +
                                R"(,"status":"in_progress","model":)" + json_quote(opening.model) + R"(,"output":[]}})");
}

std::string response_created(const Opening& opening, Json data, std::string_view type) {
    std::string id = opening.id;
    if (const auto response = member(data, "response")) {
        if (const auto own = text_at(*response, "id"); !own.empty()) id = own;
    }
    std::string out = response_event(opening, "response.created", id);
    if (type != "response.in_progress") out += response_event(opening, "response.in_progress", id);
    return out;
}

}  // namespace

Opened open_before(Opening& opening, const sse::Frame& frame) {
    const bool messages = opening.dialect == Dialect::messages;
    if ((!messages && opening.dialect != Dialect::responses) || !frame.has_data) return {};
    if (opening.open && (messages || frame.data.find("response.created") == std::string::npos)) return {};
    if (frame.event == "error" || frame.event == "ping") return {};
    const auto parsed = parse_json(frame.data);
    if (!parsed) return {};
    std::string_view type = text_at(parsed->root, "type");
    if (type.empty()) type = frame.event;
    const std::string_view first = messages ? "message_start" : "response.created";
    if (opening.open) return {{}, type == first};
    const bool own = messages ? type.starts_with("message_") || type.starts_with("content_block_")
                              : type.starts_with("response.") && type != "response.failed";
    if (!own) return {};
    opening.open = true;
    if (type == first) return {};
    return {messages ? message_start(opening, parsed->root) : response_created(opening, parsed->root, type), false};
}

}  // namespace lc::api
