#include "core/api/stream_event.hpp"

#include "base/text.hpp"
#include "core/api/stream_parts.hpp"
#include "core/api/upstream_error.hpp"

namespace lc::api {

int find_tool(const StreamReader& reader, int choice, std::int64_t wire, std::string_view key) {
    for (std::size_t i = reader.tools.size(); i-- > 0;) {
        const auto& tool = reader.tools[i];
        if (tool.choice != choice) continue;
        if ((wire >= 0 && tool.wire == wire) || (!key.empty() && tool.key == key)) return static_cast<int>(i);
    }
    return -1;
}

int begin_tool(StreamReader& reader, int choice, std::int64_t wire, std::string_view key, std::string_view id,
               std::string_view name, Events& out) {
    if (reader.tools.size() >= StreamReader::max_tools) return -1;
    const int index = static_cast<int>(reader.tools.size());
    reader.tools.push_back({choice, wire, std::string(key), false, false});
    out.push_back(ToolBegin{index, std::string(id), std::string(name), choice});
    return index;
}

void tool_arguments(StreamReader& reader, int index, std::string_view text, Events& out) {
    if (text.empty()) return;
    auto& tool = reader.tools[static_cast<std::size_t>(index)];
    tool.arguments_seen = true;
    tool.ended = false;
    out.push_back(ToolArguments{index, std::string(text)});
}

void end_tool(StreamReader& reader, int index, Events& out) {
    auto& tool = reader.tools[static_cast<std::size_t>(index)];
    if (tool.ended) return;
    tool.ended = true;
    out.push_back(ToolEnd{index});
}

void end_tools(StreamReader& reader, int choice, Events& out) {
    for (std::size_t i = 0; i < reader.tools.size(); ++i) {
        if (reader.tools[i].choice == choice) end_tool(reader, static_cast<int>(i), out);
    }
}

std::string finish_reason(std::string_view wire) {
    if (wire == "end_turn" || wire == "stop_sequence" || wire == "eos" || wire == "word") return "stop";
    if (wire == "max_tokens" || wire == "max_output_tokens" || wire == "limit") return "length";
    if (wire == "tool_use") return "tool_calls";
    return std::string(wire);
}

std::string arguments_text(Json value) {
    return value.is_string() ? std::string(text_of(value)) : std::string(simdjson::minify(value));
}

void read_timings(Json object, Events& out) {
    const auto timings = member(object, "timings");
    if (!timings || !timings->is_object()) return;
    Timings t;
    t.cache_n = integer_at(*timings, "cache_n");
    t.prompt_n = integer_at(*timings, "prompt_n");
    t.predicted_n = integer_at(*timings, "predicted_n");
    if (const auto ms = member(*timings, "prompt_ms")) t.prompt_ms = number_of(*ms).value_or(0);
    if (const auto ms = member(*timings, "predicted_ms")) t.predicted_ms = number_of(*ms).value_or(0);
    out.push_back(t);
}

void read_progress(Json object, Events& out) {
    const auto progress = member(object, "prompt_progress");
    if (!progress || !progress->is_object()) return;
    Progress p;
    p.total = integer_at(*progress, "total");
    p.cached = integer_at(*progress, "cache");
    p.processed = integer_at(*progress, "processed");
    if (const auto ms = member(*progress, "time_ms")) p.time_ms = number_of(*ms).value_or(0);
    out.push_back(p);
}

namespace {

void read_object(StreamReader& reader, std::string_view event, Json root, Events& out) {
    switch (reader.dialect) {
        case Dialect::messages: return read_messages_event(reader, event, root, out);
        case Dialect::responses: return read_responses_event(reader, event, root, out);
        case Dialect::chat:
        case Dialect::completions:
        case Dialect::infill:
        case Dialect::fim:
        case Dialect::embeddings:
        case Dialect::rerank:
        case Dialect::plain: return read_openai_chunk(reader, root, out);
    }
}

/// Some servers (older llama.cpp) send an SSE field `error: {...}` instead of data.
std::string_view error_field(std::string_view raw) {
    for (std::size_t at = 0; at < raw.size();) {
        const std::size_t end = std::min(raw.find_first_of("\r\n", at), raw.size());
        const std::string_view line = raw.substr(at, end - at);
        if (line.starts_with("error:")) return trim(line.substr(6));
        at = end + 1;
    }
    return {};
}

void read_error_text(std::string_view text, Events& out) {
    if (const auto parsed = parse_json(text)) {
        const auto inner = find_error(parsed->root);
        out.push_back(StreamFailure{error_of(inner.value_or(parsed->root), 0), std::string(text)});
    } else {
        out.push_back(StreamFailure{classify_upstream_error(0, text, 0), std::string(text)});
    }
}

}  // namespace

std::vector<StreamEvent> read(StreamReader& reader, const sse::Frame& frame) {
    Events out;
    if (!frame.has_data) {
        if (frame.raw.find("error:") != std::string::npos) {
            if (const auto text = error_field(frame.raw); !text.empty()) read_error_text(text, out);
        }
        return out;
    }
    const std::string_view data = trim(frame.data);
    if (data == "[DONE]") {
        for (std::size_t i = 0; i < reader.tools.size(); ++i) end_tool(reader, static_cast<int>(i), out);
        reader.done = true;
        out.push_back(Done{});
        return out;
    }
    if (frame.event == "error") {  // llama.cpp's /v1/messages sends the bare object
        read_error_text(data, out);
        return out;
    }
    if (!data.starts_with('{')) return out;
    const auto parsed = parse_json(data);
    if (!parsed) return out;
    if (const auto error = find_error(parsed->root)) {
        out.push_back(StreamFailure{error_of(*error, 0), std::string(data)});
        return out;
    }
    read_object(reader, frame.event, parsed->root, out);
    return out;
}

std::vector<StreamEvent> read_whole(Dialect dialect, std::string_view body) {
    Events out;
    const auto parsed = parse_json(body);
    if (!parsed) return out;
    StreamReader reader;
    reader.dialect = dialect;
    if (const auto error = find_error(parsed->root)) {
        out.push_back(StreamFailure{error_of(*error, 0), std::string(body.substr(0, 4096))});
    } else if (dialect == Dialect::messages) {
        read_messages_whole(reader, parsed->root, out);
    } else if (dialect == Dialect::responses) {
        read_responses_whole(reader, parsed->root, out);
    } else {
        read_openai_chunk(reader, parsed->root, out);
        for (std::size_t i = 0; i < reader.tools.size(); ++i) end_tool(reader, static_cast<int>(i), out);
    }
    if (out.empty() || !std::holds_alternative<Done>(out.back())) out.push_back(Done{});
    return out;
}

}  // namespace lc::api
