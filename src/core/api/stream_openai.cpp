// Chunks of chat and completions, whole answers of both, and llama.cpp's own form ({"content", "stop"}).
#include "core/api/stream_parts.hpp"

namespace lc::api {

namespace {

void text_pieces(Json content, int choice, Events& out) {
    if (content.is_string()) {
        const std::string_view text = text_of(content);
        if (!text.empty()) out.push_back(TextDelta{std::string(text), choice});
        return;
    }
    simdjson::dom::array parts;  // Mistral's reasoning models send lists of parts
    if (content.get(parts) != simdjson::SUCCESS) return;
    for (const Json part : parts) {
        const std::string_view text = text_at(part, "text");
        if (!text.empty()) out.push_back(TextDelta{std::string(text), choice});
        const auto thinking = member(part, "thinking");
        if (!thinking) continue;
        simdjson::dom::array thoughts;
        if (thinking->is_string())
            out.push_back(ReasoningDelta{std::string(text_of(*thinking)), choice});
        else if (thinking->get(thoughts) == simdjson::SUCCESS) {
            for (const Json thought : thoughts) {
                out.push_back(ReasoningDelta{std::string(text_at(thought, "text")), choice});
            }
        }
    }
}

/// The call that a piece belongs to; a new one begins when its number or its id is new.
int locate_tool(StreamReader& reader, int choice, std::int64_t wire, std::string_view id, std::string_view name,
                Events& out) {
    int index = find_tool(reader, choice, wire, {});
    if (wire < 0) {  // without a number: an id that is not the last call's begins a new one
        index = -1;
        for (std::size_t i = reader.tools.size(); i-- > 0 && index < 0;) {
            if (reader.tools[i].choice == choice) index = static_cast<int>(i);
        }
        if (index >= 0 && id.empty() && !name.empty()) index = -1;
    }
    if (index >= 0) {
        auto& key = reader.tools[static_cast<std::size_t>(index)].key;
        if (id.empty() || key == id) return index;
        if (key.empty() && name.empty()) {
            key = id;
            return index;
        }
        // Another id under the same number: servers that give every parallel call the number 0.
    }
    end_tools(reader, choice, out);
    return begin_tool(reader, choice, wire, id, id, name, out);
}

void tool_pieces(StreamReader& reader, Json calls, int choice, Events& out) {
    simdjson::dom::array list;
    if (calls.get(list) != simdjson::SUCCESS) return;
    for (const Json call : list) {
        if (!call.is_object()) continue;
        const auto function = member(call, "function");
        const Json body = function && function->is_object() ? *function : call;
        const std::string_view id = text_at(call, "id");
        const std::string_view name = text_at(body, "name");
        const int index = locate_tool(reader, choice, integer_at(call, "index", -1), id, name, out);
        if (index < 0) continue;
        if (const auto arguments = member(body, "arguments")) {
            tool_arguments(reader, index, arguments_text(*arguments), out);
        }
    }
}

void read_choice(StreamReader& reader, Json choice, Events& out) {
    simdjson::dom::object object;
    if (choice.get(object) != simdjson::SUCCESS) return;
    std::optional<Json> delta, text, finish;
    int number = 0;
    for (const auto [key, value] : object) {
        if (key == "delta" || key == "message")
            delta = value;
        else if (key == "text")
            text = value;
        else if (key == "finish_reason")
            finish = value;
        else if (key == "index")
            number = static_cast<int>(integer_of(value).value_or(0));
    }
    if (delta && delta->get(object) == simdjson::SUCCESS) {
        std::optional<Json> content, reasoning, other_reasoning, calls, refusal;
        for (const auto [key, value] : object) {
            if (value.is_null()) continue;
            if (key == "content")
                content = value;
            else if (key == "reasoning_content")
                reasoning = value;
            else if (key == "reasoning")
                other_reasoning = value;
            else if (key == "tool_calls")
                calls = value;
            else if (key == "refusal")
                refusal = value;
        }
        if (!reasoning) reasoning = other_reasoning;
        if (reasoning) {
            const std::string_view thought = text_of(*reasoning);
            if (!thought.empty()) out.push_back(ReasoningDelta{std::string(thought), number});
        }
        if (content) text_pieces(*content, number, out);
        if (refusal) text_pieces(*refusal, number, out);
        if (calls) tool_pieces(reader, *calls, number, out);
    }
    if (text) text_pieces(*text, number, out);
    if (finish && !text_of(*finish).empty()) {  // some servers send "" until the end
        end_tools(reader, number, out);
        reader.finished = true;
        out.push_back(Finish{finish_reason(text_of(*finish)), number});
    }
}

std::optional<std::int64_t> detail(Json usage, std::string_view object, std::string_view key) {
    const auto details = member(usage, object);
    if (!details) return std::nullopt;
    const auto value = member(*details, key);
    return value ? integer_of(*value) : std::nullopt;
}

void read_usage(Json usage, Events& out) {
    if (!usage.is_object()) return;
    Usage u;
    u.prompt = integer_at(usage, "prompt_tokens");
    u.completion = integer_at(usage, "completion_tokens");
    u.total = integer_at(usage, "total_tokens", u.prompt + u.completion);
    u.cached = detail(usage, "prompt_tokens_details", "cached_tokens");
    u.reasoning = detail(usage, "completion_tokens_details", "reasoning_tokens");
    out.push_back(u);
}

/// llama.cpp's own chunks: the last one has no `stop: false`, and no `[DONE]` follows. (`response_fields` takes members
/// out of the last one only, `stop` too.)
void read_native(StreamReader& reader, Json chunk, Events& out) {
    const auto number = static_cast<int>(integer_at(chunk, "index"));
    if (const auto content = member(chunk, "content")) text_pieces(*content, number, out);
    const auto stop = member(chunk, "stop");
    bool stopped = true;
    if (stop && (stop->get(stopped) != simdjson::SUCCESS || !stopped)) return;
    const std::string_view type = text_at(chunk, "stop_type");
    reader.finished = reader.done = true;
    out.push_back(Finish{type.empty() ? "stop" : finish_reason(type), number});
    if (member(chunk, "tokens_evaluated")) {
        Usage u;
        u.prompt = integer_at(chunk, "tokens_evaluated");
        u.completion = integer_at(chunk, "tokens_predicted");
        u.total = u.prompt + u.completion;
        if (const auto timings = member(chunk, "timings")) u.cached = integer_at(*timings, "cache_n");
        out.push_back(u);
    }
}

}  // namespace

void read_openai_chunk(StreamReader& reader, Json chunk, Events& out) {
    simdjson::dom::object object;
    if (chunk.get(object) != simdjson::SUCCESS) return;
    std::optional<Json> choices, usage;
    bool timings = false, progress = false;
    bool native = reader.dialect == Dialect::infill || reader.dialect == Dialect::completions;
    for (const auto [key, value] : object) {
        if (key == "choices")
            choices = value;
        else if (key == "usage")
            usage = value;
        else if (key == "timings")
            timings = true;
        else if (key == "prompt_progress")
            progress = true;
    }
    native = native && !choices && !usage;
    if (progress) read_progress(chunk, out);
    simdjson::dom::array list;
    if (choices && choices->get(list) == simdjson::SUCCESS) {
        for (const Json choice : list) read_choice(reader, choice, out);
    }
    if (native) read_native(reader, chunk, out);
    if (usage) read_usage(*usage, out);
    if (timings) read_timings(chunk, out);
    if (native && reader.done) out.push_back(Done{});
}

}  // namespace lc::api
