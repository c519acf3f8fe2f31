// Events and whole answers of /v1/responses.
#include "core/api/stream_parts.hpp"
#include "core/api/upstream_error.hpp"

namespace lc::api {

namespace {

bool is_call(std::string_view type) {
    return type == "function_call" || type == "custom_tool_call";
}

/// A call's item is known by its id; llama.cpp's later events repeat that id.
int call_of_item(StreamReader& reader, Json item, Events& out) {
    const std::string_view item_id = text_at(item, "id");
    const std::string_view call_id = text_at(item, "call_id");
    const std::string_view key = item_id.empty() ? call_id : item_id;
    const int known = find_tool(reader, 0, -1, key);
    if (known >= 0) return known;
    return begin_tool(reader, 0, -1, key, call_id.empty() ? item_id : call_id, text_at(item, "name"), out);
}

void whole_arguments(StreamReader& reader, int index, Json holder, Events& out) {
    if (index < 0 || reader.tools[static_cast<std::size_t>(index)].arguments_seen) return;
    for (const std::string_view key : {"arguments", "input"}) {
        if (const auto value = member(holder, key)) return tool_arguments(reader, index, arguments_text(*value), out);
    }
}

void read_item(StreamReader& reader, Json item, bool whole, Events& out) {
    if (!is_call(text_at(item, "type"))) return;
    const int index = call_of_item(reader, item, out);
    if (index < 0) return;
    whole_arguments(reader, index, item, out);
    if (whole) end_tool(reader, index, out);
}

int call_of_event(StreamReader& reader, Json data) {
    return find_tool(reader, 0, -1, text_at(data, "item_id"));
}

void read_usage(Json response, Events& out) {
    const auto usage = member(response, "usage");
    if (!usage || !usage->is_object()) return;
    Usage u;
    u.prompt = integer_at(*usage, "input_tokens");
    u.completion = integer_at(*usage, "output_tokens");
    u.total = integer_at(*usage, "total_tokens", u.prompt + u.completion);
    if (const auto details = member(*usage, "input_tokens_details")) {
        if (const auto cached = member(*details, "cached_tokens")) u.cached = integer_of(*cached);
    }
    if (const auto details = member(*usage, "output_tokens_details")) {
        if (const auto thought = member(*details, "reasoning_tokens")) u.reasoning = integer_of(*thought);
    }
    out.push_back(u);
}

void read_end(StreamReader& reader, Json response, bool incomplete, Events& out) {
    end_tools(reader, 0, out);
    std::string reason = reader.tools.empty() ? "stop" : "tool_calls";
    if (incomplete) {
        reason = "length";
        if (const auto details = member(response, "incomplete_details")) {
            const std::string_view wire = text_at(*details, "reason");
            if (!wire.empty()) reason = finish_reason(wire);
        }
    }
    reader.finished = reader.done = true;
    out.push_back(Finish{std::move(reason), 0});
    read_usage(response, out);
}

void read_failure(StreamReader& reader, Json response, Events& out) {
    const auto error = member(response, "error");
    reader.done = true;
    out.push_back(
        StreamFailure{error_of(error.value_or(response), 0), std::string(simdjson::minify(error.value_or(response)))});
}

}  // namespace

void read_responses_event(StreamReader& reader, std::string_view event, Json data, Events& out) {
    std::string_view type = text_at(data, "type");
    if (type.empty()) type = event;
    const auto response = member(data, "response");
    if (type == "response.output_text.delta" || type == "response.refusal.delta") {
        out.push_back(TextDelta{std::string(text_at(data, "delta")), 0});
    } else if (type == "response.reasoning_text.delta" || type == "response.reasoning_summary_text.delta") {
        out.push_back(ReasoningDelta{std::string(text_at(data, "delta")), 0});
    } else if (type == "response.function_call_arguments.delta" || type == "response.custom_tool_call_input.delta") {
        const int index = call_of_event(reader, data);
        if (index >= 0) tool_arguments(reader, index, text_at(data, "delta"), out);
    } else if (type == "response.function_call_arguments.done" || type == "response.custom_tool_call_input.done") {
        whole_arguments(reader, call_of_event(reader, data), data, out);
    } else if (type == "response.output_item.added" || type == "response.output_item.done") {
        if (const auto item = member(data, "item")) read_item(reader, *item, type.ends_with("done"), out);
    } else if (type == "response.completed" || type == "response.incomplete") {
        read_end(reader, response.value_or(data), type.ends_with("incomplete"), out);
        read_timings(data, out);
        out.push_back(Done{});
        return;
    } else if (type == "response.failed") {
        read_failure(reader, response.value_or(data), out);
        return;
    }
    read_timings(data, out);
    read_progress(data, out);
}

void read_responses_whole(StreamReader& reader, Json body, Events& out) {
    if (text_at(body, "status") == "failed") return read_failure(reader, body, out);
    simdjson::dom::array items;
    if (const auto output = member(body, "output"); output && output->get(items) == simdjson::SUCCESS) {
        for (const Json item : items) {
            read_item(reader, item, true, out);
            simdjson::dom::array parts;
            const auto content = member(item, "content");
            if (!content || content->get(parts) != simdjson::SUCCESS) continue;
            const bool reasoning = text_at(item, "type") == "reasoning";
            for (const Json part : parts) {
                const std::string text(text_at(part, "text"));
                if (text.empty()) continue;
                if (reasoning)
                    out.push_back(ReasoningDelta{text, 0});
                else
                    out.push_back(TextDelta{text, 0});
            }
        }
    }
    if (const auto counted = member(body, "input_tokens")) {  // input_tokens
        Usage u;
        u.prompt = u.total = integer_of(*counted).value_or(0);
        out.push_back(u);
        return;
    }
    read_end(reader, body, text_at(body, "status") == "incomplete", out);
}

}  // namespace lc::api
