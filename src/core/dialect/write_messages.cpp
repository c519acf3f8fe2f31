// Anthropic's Messages, as a stream of events and as a whole.
#include "core/dialect/write_parts.hpp"
#include "core/tools/parse.hpp"

namespace lc::dialect::messages {

namespace {

std::string frame(std::string_view type, const std::string& more) {
    std::string out = "event: " + std::string(type) + "\ndata: {\"type\":\"" + std::string(type) + "\"";
    if (!more.empty()) out += "," + more;
    return out + "}\n\n";
}

std::string index(const Writer& writer) { return "\"index\":" + std::to_string(writer.blocks - 1); }

std::string usage(const Writer& writer) {
    const std::int64_t prompt = writer.usage ? writer.usage->prompt : writer.prompt;
    const std::int64_t cached = writer.usage ? writer.usage->cached.value_or(0) : writer.cached;
    const std::int64_t completion = writer.usage ? writer.usage->completion : 0;
    return R"("usage":{"input_tokens":)" + std::to_string(prompt > cached ? prompt - cached : 0) +
           R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":)" + std::to_string(cached) +
           R"(,"output_tokens":)" + std::to_string(completion) + "}";
}

std::string_view stop_reason(const Writer& writer) {
    if (writer.reason == "length") return "max_tokens";
    if (writer.reason == "tool_calls") return "tool_use";
    if (writer.reason == "content_filter") return "refusal";
    return "end_turn";
}

std::string delta(const Writer& writer, std::string_view type, std::string_view key, std::string_view text) {
    return frame("content_block_delta", index(writer) + R"(,"delta":{"type":")" + std::string(type) + R"(",")" +
                                            std::string(key) + "\":" + json_quote(text) + "}");
}

/// The arguments as an object, as the client gets it; what is none is kept as a text, so that it is not taken for a call
/// without arguments.
std::string input_of(const std::string& arguments) {
    if (arguments.find_first_not_of(" \t\r\n") == std::string::npos) return "{}";
    const auto parsed = tools::parse(arguments);
    if (parsed.value && parsed.value->kind == tools::Kind::object) return arguments;
    return R"({"invalid_arguments":)" + json_quote(arguments) + "}";
}

std::string head(const Writer& writer, const std::string& content, const std::string& reason) {
    return R"("id":)" + json_quote("msg_" + writer.id) + R"(,"type":"message","role":"assistant","model":)" +
           json_quote(writer.model) + R"(,"content":)" + content + R"(,"stop_reason":)" + reason +
           R"(,"stop_sequence":null,)" + usage(writer);
}

}  // namespace

std::string open(Writer& writer) { return frame("message_start", "\"message\":{" + head(writer, "[]", "null") + "}"); }

std::string begin(Writer& writer) {
    std::string block;
    switch (writer.block) {
        case Writer::Block::none: return {};
        case Writer::Block::reasoning: block = R"({"type":"thinking","thinking":"","signature":""})"; break;
        case Writer::Block::text: block = R"({"type":"text","text":""})"; break;
        case Writer::Block::call:
            block = R"({"type":"tool_use","id":)" + json_quote(writer.call_id) + R"(,"name":)" + json_quote(writer.call_name) +
                    R"(,"input":{}})";
    }
    return frame("content_block_start", index(writer) + R"(,"content_block":)" + block);
}

std::string piece(Writer& writer, std::string_view text) {
    switch (writer.block) {
        case Writer::Block::none: return {};
        case Writer::Block::reasoning: return delta(writer, "thinking_delta", "thinking", text);
        case Writer::Block::text: return delta(writer, "text_delta", "text", text);
        case Writer::Block::call: return delta(writer, "input_json_delta", "partial_json", text);
    }
    return {};
}

std::string close(Writer& writer) {
    std::string out;
    switch (writer.block) {
        case Writer::Block::none: return {};
        case Writer::Block::reasoning:
            out = delta(writer, "signature_delta", "signature", "");
            writer.items.push_back(R"({"type":"thinking","thinking":)" + json_quote(writer.text) + R"(,"signature":""})");
            break;
        case Writer::Block::text:
            writer.items.push_back(R"({"type":"text","text":)" + json_quote(writer.text) + "}");
            break;
        case Writer::Block::call:
            writer.items.push_back(R"({"type":"tool_use","id":)" + json_quote(writer.call_id) + R"(,"name":)" +
                                   json_quote(writer.call_name) + R"(,"input":)" + input_of(writer.text) + "}");
    }
    return out + frame("content_block_stop", index(writer));
}

std::string end(Writer& writer) {
    return frame("message_delta", R"("delta":{"stop_reason":")" + std::string(stop_reason(writer)) +
                                      R"(","stop_sequence":null},)" + usage(writer)) +
           frame("message_stop", "");
}

std::string whole(const Writer& writer) {
    std::string content;
    for (const auto& item : writer.items) content += (content.empty() ? "" : ",") + item;
    return "{" + head(writer, "[" + content + "]", "\"" + std::string(stop_reason(writer)) + "\"") + "}";
}

}  // namespace lc::dialect::messages
