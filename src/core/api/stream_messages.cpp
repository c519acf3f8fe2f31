// Events and whole answers of /v1/messages.
#include "core/api/stream_parts.hpp"

namespace lc::api {

namespace {

/// `input_tokens` counts what was neither read from nor written to the cache; the neutral count is the whole prompt.
void gather_usage(Json holder, Usage& usage) {
    const auto object = member(holder, "usage");
    if (!object || !object->is_object()) return;
    if (member(*object, "input_tokens")) {
        const std::int64_t cached = integer_at(*object, "cache_read_input_tokens");
        usage.prompt =
            integer_at(*object, "input_tokens") + cached + integer_at(*object, "cache_creation_input_tokens");
        if (member(*object, "cache_read_input_tokens")) usage.cached = cached;
    }
    if (member(*object, "output_tokens")) usage.completion = integer_at(*object, "output_tokens");
    usage.total = usage.prompt + usage.completion;
}

void whole_input(StreamReader& reader, int index, Json block, Events& out) {
    const auto input = member(block, "input");
    if (index < 0 || !input) return;
    simdjson::dom::object object;
    if (input->get(object) == simdjson::SUCCESS && object.size() == 0) return;  // the deltas bring it
    tool_arguments(reader, index, arguments_text(*input), out);
}

void begin_block(StreamReader& reader, Json block, std::int64_t number, Events& out) {
    const std::string_view type = text_at(block, "type");
    if (type == "tool_use") {
        const std::string_view id = text_at(block, "id");
        const int index = begin_tool(reader, 0, number, id, id, text_at(block, "name"), out);
        whole_input(reader, index, block, out);
    } else if (type == "text") {
        const std::string_view text = text_at(block, "text");
        if (!text.empty()) out.push_back(TextDelta{std::string(text), 0});
    } else if (type == "thinking") {
        const std::string_view text = text_at(block, "thinking");
        if (!text.empty()) out.push_back(ReasoningDelta{std::string(text), 0});
    }
}

void finish_with(StreamReader& reader, std::string_view stop_reason, Events& out) {
    if (stop_reason.empty()) return;
    end_tools(reader, 0, out);
    reader.finished = true;
    out.push_back(Finish{finish_reason(stop_reason), 0});
}

}  // namespace

void read_messages_event(StreamReader& reader, std::string_view event, Json data, Events& out) {
    std::string_view type = text_at(data, "type");
    if (type.empty()) type = event;
    if (type == "content_block_delta") {
        const auto delta = member(data, "delta");
        if (!delta) return;
        const std::string_view kind = text_at(*delta, "type");
        if (kind == "text_delta") {
            out.push_back(TextDelta{std::string(text_at(*delta, "text")), 0});
        } else if (kind == "thinking_delta") {
            out.push_back(ReasoningDelta{std::string(text_at(*delta, "thinking")), 0});
        } else if (kind == "input_json_delta") {
            const int index = find_tool(reader, 0, integer_at(data, "index", -1), {});
            if (index >= 0) tool_arguments(reader, index, text_at(*delta, "partial_json"), out);
        }
    } else if (type == "content_block_start") {
        if (const auto block = member(data, "content_block"))
            begin_block(reader, *block, integer_at(data, "index", -1), out);
    } else if (type == "content_block_stop") {
        const int index = find_tool(reader, 0, integer_at(data, "index", -1), {});
        if (index >= 0) end_tool(reader, index, out);
    } else if (type == "message_start") {
        if (const auto message = member(data, "message")) gather_usage(*message, reader.usage);
    } else if (type == "message_delta") {
        gather_usage(data, reader.usage);
        if (const auto delta = member(data, "delta")) finish_with(reader, text_at(*delta, "stop_reason"), out);
        if (member(data, "usage")) out.push_back(reader.usage);
    } else if (type == "message_stop") {
        end_tools(reader, 0, out);
        reader.done = true;
        out.push_back(Done{});
    }
    read_timings(data, out);
    read_progress(data, out);
}

void read_messages_whole(StreamReader& reader, Json body, Events& out) {
    simdjson::dom::array blocks;
    if (const auto content = member(body, "content"); content && content->get(blocks) == simdjson::SUCCESS) {
        std::int64_t number = 0;
        for (const Json block : blocks) begin_block(reader, block, number++, out);
    }
    finish_with(reader, text_at(body, "stop_reason"), out);
    gather_usage(body, reader.usage);
    if (member(body, "usage")) out.push_back(reader.usage);
    if (const auto counted = member(body, "input_tokens")) {  // count_tokens
        reader.usage.prompt = reader.usage.total = integer_of(*counted).value_or(0);
        out.push_back(reader.usage);
    }
}

}  // namespace lc::api
