// OpenAI's Responses, as a stream of events and as a whole.
#include "core/dialect/parts.hpp"
#include "core/dialect/write_parts.hpp"
#include "core/tools/parse.hpp"

namespace lc::dialect::responses {

namespace {

std::string frame(Writer& writer, std::string_view type, const std::string& more) {
    return "event: " + std::string(type) + "\ndata: {\"type\":\"" + std::string(type) + "\",\"sequence_number\":" +
           std::to_string(writer.sequence++) + "," + more + "}\n\n";
}

bool is_custom(const Writer& writer) {
    const auto* name = writer.block == Writer::Block::call ? named(writer, writer.call_name) : nullptr;
    return name && name->free_text;
}

std::string item_id(const Writer& writer) {
    const char* kind = "msg_";
    if (writer.block == Writer::Block::reasoning) kind = "rs_";
    if (writer.block == Writer::Block::call) kind = is_custom(writer) ? "ctc_" : "fc_";
    return kind + writer.id + "_" + std::to_string(writer.blocks - 1);
}

std::string place(const Writer& writer) {
    return R"("item_id":)" + json_quote(item_id(writer)) + R"(,"output_index":)" + std::to_string(writer.blocks - 1);
}

std::string text_part(std::string_view type, std::string_view text) {
    std::string out = R"({"type":")" + std::string(type) + R"(","text":)" + json_quote(text);
    return out + (type == "output_text" ? R"(,"annotations":[],"logprobs":[]})" : "}");
}

/// The text of a custom tool. A call that was cut, or is none, stays what the model wrote: nobody takes that for an input.
std::string free_text(const std::string& arguments) {
    const auto parsed = tools::parse(arguments);
    const Value* input = parsed.value ? tools::find(*parsed.value, "input") : nullptr;
    return input && input->kind == Kind::string ? input->text : arguments;
}

/// The open block as an item; `text`: what it holds so far.
std::string item(const Writer& writer, std::string_view status, const std::string& text) {
    std::string out = R"({"id":)" + json_quote(item_id(writer)) + R"(,"status":")" + std::string(status) + "\",";
    switch (writer.block) {
        case Writer::Block::none: return {};
        case Writer::Block::reasoning:
            return out + R"("type":"reasoning","summary":[],"encrypted_content":"","content":[)" +
                   (status == "in_progress" ? "" : text_part("reasoning_text", text)) + "]}";
        case Writer::Block::text:
            return out + R"("type":"message","role":"assistant","content":[)" +
                   (status == "in_progress" ? "" : text_part("output_text", text)) + "]}";
        case Writer::Block::call: break;
    }
    const auto* name = named(writer, writer.call_name);
    const bool custom = is_custom(writer);
    out += custom ? R"("type":"custom_tool_call","call_id":)" : R"("type":"function_call","call_id":)";
    out += json_quote(writer.call_id) + R"(,"name":)" + json_quote(name ? name->client : writer.call_name);
    if (name && !name->space.empty()) out += R"(,"namespace":)" + json_quote(name->space);
    return out + (custom ? R"(,"input":)" : R"(,"arguments":)") + json_quote(text) + "}";
}

bool is_cut(const Writer& writer) { return writer.reason == "length" || writer.reason == "content_filter"; }

std::string usage(const Writer& writer) {
    const api::Usage usage = writer.usage.value_or(api::Usage{writer.prompt, 0, writer.prompt, writer.cached, std::nullopt});
    return R"({"input_tokens":)" + std::to_string(usage.prompt) + R"(,"input_tokens_details":{"cached_tokens":)" +
           std::to_string(usage.cached.value_or(0)) + R"(},"output_tokens":)" + std::to_string(usage.completion) +
           R"(,"output_tokens_details":{"reasoning_tokens":)" + std::to_string(usage.reasoning.value_or(0)) +
           R"(},"total_tokens":)" + std::to_string(usage.total) + "}";
}

std::string response(const Writer& writer, std::string_view status) {
    std::string output;
    for (const auto& each : writer.items) output += (output.empty() ? "" : ",") + each;
    std::string out = R"({"id":)" + json_quote("resp_" + writer.id) + R"(,"object":"response","created_at":)" +
                      std::to_string(writer.created) + R"(,"status":")" + std::string(status) + R"(","model":)" +
                      json_quote(writer.model) + R"(,"error":null,"incomplete_details":)";
    if (status == "incomplete") {
        out += writer.reason == "length" ? R"({"reason":"max_output_tokens"})" : R"({"reason":"content_filter"})";
    } else {
        out += "null";
    }
    out += R"(,"output":[)" + output + "]";
    if (status != "in_progress") out += R"(,"usage":)" + usage(writer);
    return out + "}";
}

std::string_view final_status(const Writer& writer) { return is_cut(writer) ? "incomplete" : "completed"; }

}  // namespace

std::string open(Writer& writer) {
    const std::string body = "\"response\":" + response(writer, "in_progress");
    const std::string created = frame(writer, "response.created", body);
    return created + frame(writer, "response.in_progress", body);
}

std::string begin(Writer& writer) {
    std::string out = frame(writer, "response.output_item.added",
                            R"("output_index":)" + std::to_string(writer.blocks - 1) + R"(,"item":)" +
                                item(writer, "in_progress", ""));
    if (writer.block == Writer::Block::text) {
        out += frame(writer, "response.content_part.added",
                     place(writer) + R"(,"content_index":0,"part":)" + text_part("output_text", ""));
    }
    return out;
}

std::string piece(Writer& writer, std::string_view text) {
    const std::string delta = R"(,"delta":)" + json_quote(text);
    switch (writer.block) {
        case Writer::Block::none: return {};
        case Writer::Block::reasoning:
            return frame(writer, "response.reasoning_text.delta", place(writer) + R"(,"content_index":0)" + delta);
        case Writer::Block::text:
            return frame(writer, "response.output_text.delta", place(writer) + R"(,"content_index":0)" + delta);
        case Writer::Block::call: break;
    }
    // The text of a custom tool stands inside of JSON: it goes when that is whole.
    if (is_custom(writer)) return {};
    return frame(writer, "response.function_call_arguments.delta", place(writer) + delta);
}

std::string close(Writer& writer) {
    const bool cut = is_cut(writer);
    const bool custom = is_custom(writer);
    const std::string text = custom ? free_text(writer.text) : writer.text;
    const std::string whole = item(writer, cut ? "incomplete" : "completed", text);
    std::string out;
    switch (writer.block) {
        case Writer::Block::none: return {};
        case Writer::Block::reasoning:
            out = frame(writer, "response.reasoning_text.done",
                        place(writer) + R"(,"content_index":0,"text":)" + json_quote(text));
            break;
        case Writer::Block::text:
            out = frame(writer, "response.output_text.done",
                        place(writer) + R"(,"content_index":0,"text":)" + json_quote(text));
            out += frame(writer, "response.content_part.done",
                         place(writer) + R"(,"content_index":0,"part":)" + text_part("output_text", text));
            break;
        case Writer::Block::call:
            if (custom) {
                out = frame(writer, "response.custom_tool_call_input.delta", place(writer) + R"(,"delta":)" + json_quote(text));
                out += frame(writer, "response.custom_tool_call_input.done", place(writer) + R"(,"input":)" + json_quote(text));
            } else {
                out = frame(writer, "response.function_call_arguments.done",
                            place(writer) + R"(,"arguments":)" + json_quote(text));
            }
    }
    out += frame(writer, "response.output_item.done",
                 R"("output_index":)" + std::to_string(writer.blocks - 1) + R"(,"item":)" + whole);
    writer.items.push_back(whole);
    return out;
}

std::string end(Writer& writer) {
    const auto status = final_status(writer);
    return frame(writer, "response." + std::string(status), "\"response\":" + response(writer, status));
}

std::string whole(const Writer& writer) { return response(writer, final_status(writer)); }

}  // namespace lc::dialect::responses
