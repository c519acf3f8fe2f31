// The completion of a forced call as a stream of chat chunks.
#include "core/api/json_dom.hpp"
#include "core/api/splice.hpp"
#include "core/tools/force.hpp"
#include "core/tools/text_parts.hpp"

namespace lc::tools {

namespace {

sse::Frame frame_of(std::string data) {
    sse::Frame frame;
    frame.raw = "data: " + data + "\n\n";
    frame.data = std::move(data);
    frame.has_data = true;
    return frame;
}

std::string head(const ForcedStream& stream) {
    return R"({"id":)" + api::json_quote(stream.id) + R"(,"object":"chat.completion.chunk","created":)" +
           std::to_string(stream.created) + R"(,"model":)" + api::json_quote(stream.model);
}

sse::Frame chunk(const ForcedStream& stream, const std::string& delta, const std::string& finish = "null") {
    return frame_of(head(stream) + R"(,"choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish +
                    "}]}");
}

void begin_call(ForcedStream& stream, const std::string& name, std::vector<sse::Frame>& out) {
    stream.begun = true;
    out.push_back(chunk(stream, R"({"role":"assistant","content":null,"tool_calls":[{"index":0,"id":)" +
                                    api::json_quote("call_" + stream.id) + R"(,"type":"function","function":{"name":)" +
                                    api::json_quote(name) + R"(,"arguments":""}}]})"));
}

void arguments(ForcedStream& stream, std::string_view text, std::vector<sse::Frame>& out) {
    if (text.empty()) return;
    out.push_back(
        chunk(stream, R"({"tool_calls":[{"index":0,"function":{"arguments":)" + api::json_quote(text) + "}}]}"));
}

/// Passes the arguments' JSON on up to its last brace; what closes the call around it stays here.
void pass_arguments(ForcedStream& stream, std::vector<sse::Frame>& out) {
    const std::size_t from = stream.passed;
    std::size_t at = from;
    for (; at < stream.text.size() && !stream.whole; ++at) {
        const char c = stream.text[at];
        if (stream.escaped) {
            stream.escaped = false;
        } else if (stream.in_string) {
            stream.escaped = c == '\\';
            if (c == '"') stream.in_string = false;
        } else if (c == '"') {
            stream.in_string = true;
        } else if (c == '{' || c == '[') {
            stream.started = true;
            ++stream.depth;
        } else if (c == '}' || c == ']') {
            stream.whole = --stream.depth <= 0;
        }
    }
    arguments(stream, std::string_view(stream.text).substr(from, at - from), out);
    stream.passed = at;
}

/// In `{"name": "x", "arguments": ...`: the name, and where the arguments begin.
void find_name(ForcedStream& stream, std::vector<sse::Frame>& out) {
    const std::string& text = stream.text;
    const std::size_t key = text.find("\"name\"");
    const std::size_t open = key == std::string::npos ? key : text.find('"', key + 6);
    const std::size_t close = open == std::string::npos ? open : text.find('"', open + 1);
    if (close == std::string::npos) return;
    const std::size_t arguments_key = text.find('"', close + 1);
    const std::size_t colon = arguments_key == std::string::npos ? arguments_key : text.find(':', arguments_key);
    const std::size_t value = colon == std::string::npos ? colon : text.find('{', colon);
    if (value == std::string::npos) return;
    stream.passed = value;
    begin_call(stream, text.substr(open + 1, close - open - 1), out);
}

bool is_xml(const ForcedStream& stream) {
    return stream.force.markup == Markup::glm || stream.force.markup == Markup::qwen_xml;
}

void take_text(const ToolSet& tools, ForcedStream& stream, bool last, std::vector<sse::Frame>& out) {
    if (stream.force.what == Wanted::text) {
        if (stream.passed < stream.text.size()) {
            out.push_back(chunk(stream, R"({"content":)" + api::json_quote(stream.text.substr(stream.passed)) + "}"));
        }
        stream.passed = stream.text.size();
        return;
    }
    if (is_xml(stream)) {
        if (!last) return;
        const bool glm = stream.force.markup == Markup::glm;
        std::string_view inside = stream.text;
        if (const std::size_t end = inside.rfind("</tool_call>"); end != std::string_view::npos)
            inside = inside.substr(0, end);
        const auto calls = calls_in(tools, glm ? Format::glm : Format::qwen_xml, inside, false);
        if (calls.empty()) return;
        begin_call(stream, calls[0].name, out);
        arguments(stream, calls[0].arguments, out);
        stream.whole = true;
        return;
    }
    if (!stream.begun && !stream.force.name.empty()) begin_call(stream, stream.force.name, out);
    if (!stream.begun) find_name(stream, out);
    if (stream.begun) pass_arguments(stream, out);
}

std::string usage_of(const Value& last) {
    const auto count = [&](const char* key) {
        const Value* value = find(last, key);
        const double number = value ? number_of(*value) : 0;
        return number > 0 && number < 1e15 ? static_cast<std::int64_t>(number) : 0;
    };
    const Value* timings = find(last, "timings");
    const Value* cached = timings ? find(*timings, "cache_n") : nullptr;
    const std::int64_t prompt = count("tokens_evaluated"), completion = count("tokens_predicted");
    return R"({"prompt_tokens":)" + std::to_string(prompt) + R"(,"completion_tokens":)" + std::to_string(completion) +
           R"(,"total_tokens":)" + std::to_string(prompt + completion) +
           R"(,"prompt_tokens_details":{"cached_tokens":)" + (cached ? cached->text : "0") + "}}";
}

void end(const ForcedStream& stream, const Value& last, std::vector<sse::Frame>& out) {
    const Value* stop = find(last, "stop_type");
    const bool cut = stop && stop->text == "limit" && !stream.whole;
    const std::string reason = cut ? "length" : stream.force.what == Wanted::text ? "stop" : "tool_calls";
    std::string data = head(stream) + R"(,"choices":[{"index":0,"delta":{},"finish_reason":")" + reason + "\"}]";
    if (const Value* timings = find(last, "timings")) data += ",\"timings\":" + write(*timings);
    out.push_back(frame_of(data + "}"));
    if (stream.include_usage)
        out.push_back(frame_of(head(stream) + R"(,"choices":[],"usage":)" + usage_of(last) + "}"));
    out.push_back(frame_of("[DONE]"));
}

}  // namespace

std::vector<sse::Frame> translate(const ToolSet& tools, ForcedStream& stream, const sse::Frame& frame) {
    std::vector<sse::Frame> out;
    const auto parsed = frame.has_data ? parse(frame.data) : Parsed{};
    if (!parsed.value || find(*parsed.value, "error")) {
        out.push_back(frame);
        return out;
    }
    const Value& native = *parsed.value;
    if (const Value* progress = find(native, "prompt_progress"); progress && progress->kind == Kind::object) {
        out.push_back(frame_of(
            head(stream) +
            R"(,"choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}],"prompt_progress":)" +
            write(*progress) + "}"));
        return out;
    }
    if (const Value* content = find(native, "content"); content && content->kind == Kind::string)
        stream.text += content->text;
    const Value* stop = find(native, "stop");
    const bool last = stop && stop->flag;
    take_text(tools, stream, last, out);
    if (last) end(stream, native, out);
    return out;
}

}  // namespace lc::tools
