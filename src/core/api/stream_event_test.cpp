#include "core/api/stream_event.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "core/api/recorded.hpp"

namespace lc::api {
namespace {

std::vector<sse::Frame> frames_of(std::string_view text) {
    sse::State state;
    std::vector<sse::Frame> out;
    EXPECT_TRUE(sse::step(state, text, out));
    return out;
}

/// Events as one short line each: what a row of a table can hold.
struct Text {
    std::string choice(int n) const { return n == 0 ? "" : "#" + std::to_string(n); }
    std::string optional(const char* name, const std::optional<std::int64_t>& n) const {
        return n ? std::string(" ") + name + std::to_string(*n) : "";
    }
    std::string operator()(const TextDelta& e) const { return "text" + choice(e.choice) + " " + e.text; }
    std::string operator()(const ReasoningDelta& e) const { return "reasoning" + choice(e.choice) + " " + e.text; }
    std::string operator()(const ToolBegin& e) const {
        return "begin" + choice(e.choice) + " " + std::to_string(e.index) + " " + e.id + " " + e.name;
    }
    std::string operator()(const ToolArguments& e) const { return "args " + std::to_string(e.index) + " " + e.text; }
    std::string operator()(const ToolEnd& e) const { return "end " + std::to_string(e.index); }
    std::string operator()(const Usage& e) const {
        return "usage " + std::to_string(e.prompt) + "+" + std::to_string(e.completion) + "=" +
               std::to_string(e.total) + optional("c", e.cached) + optional("r", e.reasoning);
    }
    std::string operator()(const Timings& e) const {
        return "timings " + std::to_string(e.cache_n) + "+" + std::to_string(e.prompt_n) + "+" +
               std::to_string(e.predicted_n);
    }
    std::string operator()(const Progress& e) const {
        return "progress " + std::to_string(e.processed) + "/" + std::to_string(e.total) + " c" +
               std::to_string(e.cached);
    }
    std::string operator()(const Finish& e) const { return "finish" + choice(e.choice) + " " + e.reason; }
    std::string operator()(const StreamFailure& e) const {
        return "failure " + std::string(name_of(e.error.code)) + ": " + e.error.detail;
    }
    std::string operator()(const Done&) const { return "done"; }
};

using Lines = std::vector<std::string>;

Lines lines_of(const std::vector<StreamEvent>& events) {
    Lines out;
    for (const auto& event : events) out.push_back(std::visit(Text{}, event));
    return out;
}

Lines read_all(StreamReader& reader, std::string_view stream) {
    Lines out;
    for (const auto& frame : frames_of(stream)) {
        for (auto& line : lines_of(read(reader, frame))) out.push_back(std::move(line));
    }
    return out;
}

std::string frame_text(std::string_view text, std::string_view event = "") {
    std::string out = event.empty() ? "" : "event: " + std::string(event) + "\n";
    return out + "data: " + std::string(text) + "\n\n";
}

std::string delta(std::string_view text, std::string_view finish = "null") {
    return frame_text("{\"choices\":[{\"index\":0,\"delta\":" + std::string(text) +
                      ",\"finish_reason\":" + std::string(finish) + "}]}");
}

TEST(Read, Streams) {
    const struct {
        const char* name;
        Dialect dialect;
        std::string stream;
        Lines want;
        bool finished, done;
    } cases[] = {
        {"chat text",
         Dialect::chat,
         delta(R"({"role":"assistant","content":null})") + delta(R"({"content":"a"})") + delta("{}", "\"stop\"") +
             frame_text(
                 R"({"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}},"timings":{"cache_n":3,"prompt_n":2,"prompt_ms":1.5,"predicted_n":2,"predicted_ms":3}})") +
             frame_text("[DONE]"),
         {"text a", "finish stop", "usage 5+2=7 c3 r1", "timings 3+2+2", "done"},
         true,
         true},
        {"chat cut", Dialect::chat, delta(R"({"content":"a"})"), {"text a"}, false, false},
        {"reasoning in both spellings",
         Dialect::chat,
         delta(R"({"reasoning_content":"a","reasoning":"b"})") + delta(R"({"reasoning":"c"})") +
             delta(R"({"reasoning_content":null,"reasoning":"d"})"),
         {"reasoning a", "reasoning c", "reasoning d"},
         false,
         false},
        {"tool calls by number",
         Dialect::chat,
         delta(R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"read","arguments":""}}]})") +
             delta(R"({"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]})") +
             delta(R"({"tool_calls":[{"index":1,"id":"b","function":{"name":"grep","arguments":"{\"q\":1}"}}]})") +
             delta("{}", "\"tool_calls\""),
         {"begin 0 a read", "args 0 {}", "end 0", "begin 1 b grep", "args 1 {\"q\":1}", "end 1", "finish tool_calls"},
         true,
         false},
        {"id in every piece",
         Dialect::chat,
         delta(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"read","arguments":"{"}}]})") +
             delta(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"read","arguments":"}"}}]})"),
         {"begin 0 a read", "args 0 {", "args 0 }"},
         false,
         false},
        {"no numbers",
         Dialect::chat,
         delta(R"({"tool_calls":[{"id":"a","function":{"name":"read","arguments":"{"}}]})") +
             delta(R"({"tool_calls":[{"function":{"arguments":"}"}}]})") +
             delta(R"({"tool_calls":[{"id":"b","function":{"name":"grep","arguments":"{}"}}]})"),
         {"begin 0 a read", "args 0 {", "args 0 }", "end 0", "begin 1 b grep", "args 1 {}"},
         false,
         false},
        {"no numbers, no ids",
         Dialect::chat,
         delta(
             R"({"tool_calls":[{"function":{"name":"read","arguments":"{}"}},{"function":{"name":"grep","arguments":"{}"}}]})"),
         {"begin 0  read", "args 0 {}", "end 0", "begin 1  grep", "args 1 {}"},
         false,
         false},
        {"all under 0",
         Dialect::chat,
         delta(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"read","arguments":"{}"}}]})") +
             delta(R"({"tool_calls":[{"index":0,"id":"b","function":{"name":"grep","arguments":"{"}}]})") +
             delta(R"({"tool_calls":[{"index":0,"function":{"arguments":"}"}}]})"),
         {"begin 0 a read", "args 0 {}", "end 0", "begin 1 b grep", "args 1 {", "args 1 }"},
         false,
         false},
        {"arguments as an object",
         Dialect::chat,
         delta(R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1}}}]})"),
         {"begin 0 a f", "args 0 {\"x\":1}"},
         false,
         false},
        {"calls of two choices",
         Dialect::chat,
         frame_text(
             R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"1"}}]}},{"index":1,"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"2"}}]}}]})") +
             frame_text(R"({"choices":[{"index":1,"delta":{},"finish_reason":"tool_calls"}]})"),
         {"begin 0 a f", "args 0 1", "begin#1 1 b g", "args 1 2", "end 1", "finish#1 tool_calls"},
         true,
         false},
        {"an empty finish reason is none",
         Dialect::chat,
         delta(R"({"content":"a"})", "\"\""),
         {"text a"},
         false,
         false},
        {"progress",
         Dialect::chat,
         frame_text(
             R"({"choices":[{"delta":{"role":"assistant","content":null},"index":0,"finish_reason":null}],"prompt_progress":{"total":9,"cache":2,"processed":5,"time_ms":7}})"),
         {"progress 5/9 c2"},
         false,
         false},
        {"list content",
         Dialect::chat,
         delta(
             R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"h"}]},{"type":"text","text":"x"}]})"),
         {"reasoning h", "text x"},
         false,
         false},
        {"refusal", Dialect::chat, delta(R"({"refusal":"no"})"), {"text no"}, false, false},
        {"text completions",
         Dialect::completions,
         frame_text(R"({"choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":null}]})") +
             frame_text(
                 R"({"choices":[{"text":"","index":0,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1}})") +
             frame_text("[DONE]"),
         {"text a", "finish length", "usage 1+1=2", "done"},
         true,
         true},
        {"native",
         Dialect::completions,
         frame_text(R"({"index":0,"content":"a","stop":false})") +
             frame_text(
                 R"({"index":0,"content":"","stop":true,"stop_type":"limit","tokens_evaluated":4,"tokens_predicted":1,"timings":{"cache_n":3,"prompt_n":1,"predicted_n":1}})"),
         {"text a", "finish length", "usage 4+1=5 c3", "timings 3+1+1", "done"},
         true,
         true},
        {"infill, eos",
         Dialect::infill,
         frame_text(R"({"content":"a","stop":false})") + frame_text(R"({"content":"","stop":true,"stop_type":"eos"})"),
         {"text a", "finish stop", "done"},
         true,
         true},
        {"infill, response_fields",
         Dialect::infill,
         frame_text(R"({"content":"a","stop":false})") + frame_text("{}"),
         {"text a", "finish stop", "done"},
         true,
         true},
        {"fim",
         Dialect::fim,
         delta(R"({"content":"a"})") + frame_text(R"({"choices":[{"text":"b"}]})") + frame_text("[DONE]"),
         {"text a", "text b", "done"},
         false,
         true},
        {"messages",
         Dialect::messages,
         frame_text(
             R"({"type":"message_start","message":{"usage":{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":1,"output_tokens":0}}})",
             "message_start") +
             frame_text(R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}})",
                        "content_block_start") +
             frame_text(R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}})",
                        "content_block_delta") +
             frame_text(R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":""}})",
                        "content_block_delta") +
             frame_text(R"({"type":"content_block_stop","index":0})", "content_block_stop") +
             frame_text(R"({"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}})") +
             frame_text(R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"x"}})") +
             frame_text(
                 R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"Bash","input":{}}})") +
             frame_text(
                 R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}})") +
             frame_text(R"({"type":"content_block_stop","index":2})") + frame_text(R"({"type":"ping"})", "ping") +
             frame_text(R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}})") +
             frame_text(R"({"type":"message_stop"})", "message_stop"),
         {"reasoning h", "text x", "begin 0 t Bash", "args 0 {}", "end 0", "finish tool_calls", "usage 16+7=23 c5",
          "done"},
         true,
         true},
        {"messages, whole input at once",
         Dialect::messages,
         frame_text(
             R"({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"B","input":{"a":1}}})") +
             frame_text(R"({"type":"message_delta","delta":{"stop_reason":"max_tokens"}})"),
         {"begin 0 t B", "args 0 {\"a\":1}", "end 0", "finish length"},
         true,
         false},
        {"responses",
         Dialect::responses,
         frame_text(R"({"type":"response.created","response":{"id":"r","status":"in_progress","error":null}})",
                    "response.created") +
             frame_text(R"({"type":"response.reasoning_text.delta","delta":"h"})") +
             frame_text(R"({"type":"response.output_text.delta","delta":"x"})") +
             frame_text(
                 R"({"type":"response.output_item.added","item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"shell","arguments":""}})") +
             frame_text(R"({"type":"response.function_call_arguments.delta","item_id":"fc_1","delta":"{}"})") +
             frame_text(R"({"type":"response.function_call_arguments.done","item_id":"fc_1","arguments":"{}"})") +
             frame_text(
                 R"({"type":"response.output_item.done","item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"shell","arguments":"{}"}})") +
             frame_text(
                 R"({"type":"response.completed","response":{"usage":{"input_tokens":4,"output_tokens":2,"total_tokens":6,"input_tokens_details":{"cached_tokens":1}}}})"),
         {"reasoning h", "text x", "begin 0 call_1 shell", "args 0 {}", "end 0", "finish tool_calls", "usage 4+2=6 c1",
          "done"},
         true,
         true},
        {"responses, only whole items",
         Dialect::responses,
         frame_text(
             R"({"type":"response.output_item.done","item":{"type":"custom_tool_call","id":"x","call_id":"c","name":"patch","input":"abc"}})") +
             frame_text(
                 R"({"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}})"),
         {"begin 0 c patch", "args 0 abc", "end 0", "finish length", "done"},
         true,
         true},
        {"responses progress",
         Dialect::responses,
         frame_text(
             R"({"type":"response.in_progress","response":{},"prompt_progress":{"total":9,"cache":0,"processed":1}})"),
         {"progress 1/9 c0"},
         false,
         false},
        // errors in every shape
        {"chat error",
         Dialect::chat,
         frame_text(R"({"error":{"code":500,"type":"server_error","message":"boom"}})"),
         {"failure upstream_error: boom"},
         false,
         false},
        {"chat error as text",
         Dialect::chat,
         frame_text(R"({"error":"rate_limit exceeded"})"),
         {"failure rate_limited: rate_limit exceeded"},
         false,
         false},
        {"llama.cpp's overflow in mid-decode",
         Dialect::chat,
         frame_text(R"({"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}})"),
         {"failure context_length_exceeded: Context size has been exceeded."},
         false,
         false},
        {"error field",
         Dialect::chat,
         "error: {\"code\":503,\"message\":\"busy\",\"type\":\"unavailable_error\"}\n\n",
         {"failure overloaded: busy"},
         false,
         false},
        {"error field, wrapped",
         Dialect::chat,
         "error: {\"error\":{\"message\":\"m\",\"type\":\"invalid_request_error\"}}\n\n",
         {"failure bad_request: m"},
         false,
         false},
        {"error event",
         Dialect::messages,
         frame_text(R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})", "error"),
         {"failure overloaded: Overloaded"},
         false,
         false},
        {"error event of llama.cpp",
         Dialect::messages,
         frame_text(
             R"({"code":400,"message":"request (9 tokens) exceeds the available context size (8 tokens), try increasing it","type":"exceed_context_size_error"})",
             "error"),
         {"failure context_length_exceeded: request (9 tokens) exceeds the available context size (8 tokens), try "
          "increasing it"},
         false,
         false},
        {"response.failed",
         Dialect::responses,
         frame_text(
             R"({"type":"response.failed","response":{"status":"failed","error":{"code":"context_length_exceeded","message":"too long"}}})"),
         {"failure context_length_exceeded: too long"},
         false,
         true},
        {"responses error event",
         Dialect::responses,
         frame_text(R"({"type":"error","code":"rate_limit_exceeded","message":"slow"})", "error"),
         {"failure rate_limited: slow"},
         false,
         false},
        {"llama.cpp's error in responses",
         Dialect::responses,
         frame_text(R"({"error":{"code":500,"message":"Compute error.","type":"server_error"}})"),
         {"failure upstream_error: Compute error."},
         false,
         false},
        // what means nothing
        {"noise",
         Dialect::chat,
         frame_text("{oops") + frame_text("7") + frame_text("[]") + frame_text("null") + frame_text("\"x\"") +
             frame_text("") + ": ping\n\n" + frame_text("{}") + frame_text(R"({"choices":null})") +
             frame_text(R"({"choices":[5,null,{}]})") + frame_text(R"({"choices":[{"delta":5}]})") +
             frame_text(R"({"error":null})") + frame_text(R"({"choices":[{"delta":{"tool_calls":[null,5,"x"]}}]})"),
         {},
         false,
         false},
        {"arguments of nobody",
         Dialect::messages,
         frame_text(
             R"({"type":"content_block_delta","index":9,"delta":{"type":"input_json_delta","partial_json":"x"}})") +
             frame_text(R"({"type":"content_block_stop","index":9})"),
         {},
         false,
         false},
        {"half a surrogate pair", Dialect::chat, delta(R"({"content":"\ud83d"})"), {"text \xef\xbf\xbd"}, false, false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        StreamReader reader;
        reader.dialect = c.dialect;
        EXPECT_EQ(read_all(reader, c.stream), c.want);
        EXPECT_EQ(reader.finished, c.finished);
        EXPECT_EQ(reader.done, c.done);
    }
}

/// Arguments without spaces: /v1/messages gives them as an object when it does not stream.
std::string text_of_events(const std::vector<StreamEvent>& events) {
    std::string out;
    for (const auto& event : events) {
        if (const auto* text = std::get_if<TextDelta>(&event); text != nullptr && text->choice == 0) out += text->text;
        if (const auto* piece = std::get_if<ToolArguments>(&event)) {
            std::copy_if(piece->text.begin(), piece->text.end(), std::back_inserter(out),
                         [](char c) { return c != ' '; });
        }
        if (const auto* begin = std::get_if<ToolBegin>(&event)) out += "<" + begin->name + ">";
    }
    return out;
}

template <class T>
const T* last(const std::vector<StreamEvent>& events) {
    const T* found = nullptr;
    for (const auto& event : events) {
        if (const auto* hit = std::get_if<T>(&event)) found = hit;
    }
    return found;
}

TEST(Read, RecordedStreamsSayWhatTheWholeAnswerSays) {
    const struct {
        const recorded::Pair& pair;
        Dialect dialect;
    } cases[] = {
        {recorded::chat, Dialect::chat},
        {recorded::without_usage, Dialect::chat},
        {recorded::logprobs, Dialect::chat},
        {recorded::two_choices, Dialect::chat},
        {recorded::stop_word, Dialect::chat},
        {recorded::tool_call, Dialect::chat},
        {recorded::completions, Dialect::completions},
        {recorded::native, Dialect::completions},
        {recorded::native, Dialect::infill},
        {recorded::messages, Dialect::messages},
        {recorded::responses, Dialect::responses},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(std::string(c.pair.name));
        StreamReader reader;
        reader.dialect = c.dialect;
        std::vector<StreamEvent> streamed;
        for (const auto& frame : frames_of(c.pair.stream)) {
            for (auto& event : read(reader, frame)) streamed.push_back(std::move(event));
        }
        const auto whole = read_whole(c.dialect, c.pair.whole);
        EXPECT_TRUE(reader.done);
        EXPECT_TRUE(reader.finished);
        EXPECT_EQ(text_of_events(streamed), text_of_events(whole));
        EXPECT_FALSE(text_of_events(whole).empty());
        ASSERT_NE(last<Finish>(streamed), nullptr);
        ASSERT_NE(last<Finish>(whole), nullptr);
        EXPECT_EQ(last<Finish>(streamed)->reason, last<Finish>(whole)->reason);
        EXPECT_NE(last<Done>(whole), nullptr);
        const Usage* want = last<Usage>(whole);
        ASSERT_NE(want, nullptr);
        const Usage* got = last<Usage>(streamed);
        if (got == nullptr) {  // asked without usage: the timings tell
            const Timings* timings = last<Timings>(streamed);
            ASSERT_NE(timings, nullptr);
            EXPECT_EQ(timings->cache_n + timings->prompt_n, want->prompt);
            EXPECT_EQ(timings->predicted_n, want->completion);
        } else {
            EXPECT_EQ(got->prompt, want->prompt);
            EXPECT_EQ(got->completion, want->completion);
        }
    }
}

TEST(ReadWhole, Table) {
    const struct {
        const char* name;
        Dialect dialect;
        const char* body;
        Lines want;
    } cases[] = {
        {"chat",
         Dialect::chat,
         R"({"choices":[{"index":0,"message":{"role":"assistant","content":"x","reasoning_content":"h","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})",
         {"reasoning h", "text x", "begin 0 a f", "args 0 {}", "end 0", "finish tool_calls", "usage 1+2=3", "done"}},
        {"messages",
         Dialect::messages,
         R"({"type":"message","content":[{"type":"text","text":"x"},{"type":"tool_use","id":"t","name":"B","input":{"a":1}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":2}})",
         {"text x", "begin 0 t B", "args 0 {\"a\":1}", "end 0", "finish tool_calls", "usage 1+2=3", "done"}},
        {"count_tokens", Dialect::messages, R"({"input_tokens":42})", {"usage 42+0=42", "done"}},
        {"responses",
         Dialect::responses,
         R"({"object":"response","status":"completed","output":[{"type":"reasoning","content":[{"type":"reasoning_text","text":"h"}]},{"type":"message","content":[{"type":"output_text","text":"x"}]}],"usage":{"input_tokens":1,"output_tokens":2}})",
         {"reasoning h", "text x", "finish stop", "usage 1+2=3", "done"}},
        {"responses, failed",
         Dialect::responses,
         R"({"status":"failed","error":{"code":"server_error","message":"m"}})",
         {"failure upstream_error: m", "done"}},
        {"embeddings",
         Dialect::embeddings,
         R"({"object":"list","data":[],"usage":{"prompt_tokens":7,"total_tokens":7}})",
         {"usage 7+0=7", "done"}},
        {"error",
         Dialect::chat,
         R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})",
         {"failure overloaded: Loading model", "done"}},
        {"not JSON", Dialect::chat, "<html>", {}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(lines_of(read_whole(c.dialect, c.body)), c.want);
    }
}

TEST(ProgressOnly, Table) {
    const struct {
        const char* name;
        const char* data;
        bool want;
    } cases[] = {
        {"chat",
         R"({"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"prompt_progress":{"total":7}})",
         true},
        {"chat with text",
         R"({"choices":[{"finish_reason":null,"index":0,"delta":{"content":"x"}}],"prompt_progress":{"total":7}})",
         false},
        {"chat with a finish",
         R"({"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"prompt_progress":{"total":7}})", false},
        {"chat with a call", R"({"choices":[{"index":0,"delta":{"tool_calls":[]}}],"prompt_progress":{"total":7}})",
         false},
        {"chat without",
         R"({"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}]})", false},
        {"only in the text", R"({"choices":[{"index":0,"delta":{"content":"\"prompt_progress\""}}]})", false},
        {"completions",
         R"({"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":null}],"prompt_progress":{"total":7}})",
         true},
        {"native", R"({"index":0,"content":"","tokens":[0],"stop":false,"prompt_progress":{"total":7}})", true},
        {"native end", R"({"index":0,"content":"","stop":true,"prompt_progress":{"total":7}})", false},
        {"responses", R"({"type":"response.in_progress","response":{},"prompt_progress":{"total":7}})", true},
        {"responses text", R"({"type":"response.output_text.delta","delta":"x","prompt_progress":{"total":7}})", false},
        {"null", R"({"choices":[],"prompt_progress":null})", false},
        {"broken", R"({"prompt_progress")", false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto frames = frames_of(frame_text(c.data));
        EXPECT_EQ(is_progress_only(frames.at(0)), c.want);
    }
}

TEST(ClassifyUpstreamError, Table) {
    const struct {
        const char* name;
        int status;
        const char* body;
        Errc want;
        const char* detail;  ///< nullptr: any that is not empty
    } cases[] = {
        // overflows, in every wording
        {"llama.cpp 400", 400,
         R"({"error":{"code":400,"message":"request (5033 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5033,"n_ctx":2048}})",
         Errc::context_length_exceeded,
         "request (5033 tokens) exceeds the available context size (2048 tokens), try increasing it"},
        {"llama.cpp 500", 500,
         R"({"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}})",
         Errc::context_length_exceeded, "Context size has been exceeded."},
        {"llama.cpp embeddings", 400,
         R"({"error":{"code":400,"message":"input (9 tokens) is larger than the max context size (8 tokens). skipping","type":"x"}})",
         Errc::context_length_exceeded, nullptr},
        {"OpenAI", 400,
         R"({"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
         Errc::context_length_exceeded, nullptr},
        {"code only", 400, R"({"error":{"code":"context_length_exceeded"}})", Errc::context_length_exceeded,
         "the request exceeds the available context size"},
        {"vLLM", 400,
         R"({"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","type":"BadRequestError","param":null,"code":400})",
         Errc::context_length_exceeded, nullptr},
        {"vLLM prompt", 400,
         R"({"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096.","type":"BadRequestError","code":400}})",
         Errc::context_length_exceeded, nullptr},
        {"Anthropic", 400,
         R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}})",
         Errc::context_length_exceeded, nullptr},
        {"Anthropic, in and out", 400,
         R"({"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 1 + 2 > 2"}})",
         Errc::context_length_exceeded, nullptr},
        {"Bedrock", 400, R"({"message":"Input is too long for requested model."})", Errc::context_length_exceeded,
         nullptr},
        {"Gemini", 400,
         R"([{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}])",
         Errc::context_length_exceeded, nullptr},
        {"xAI", 400,
         R"({"error":"This model's maximum prompt length is 131072 but the request contains 150000 tokens."})",
         Errc::context_length_exceeded, nullptr},
        {"Groq", 400,
         R"({"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error"}})",
         Errc::context_length_exceeded, nullptr},
        {"Mistral", 422,
         R"({"message":"Prompt contains 40000 tokens, too large for model with 32768 maximum context length"})",
         Errc::context_length_exceeded, nullptr},
        {"GLM", 400, R"({"error":{"code":"1261","message":"Prompt exceeds max length"}})",
         Errc::context_length_exceeded, nullptr},
        {"Ollama", 400, R"({"error":"the input length exceeds the context length"})", Errc::context_length_exceeded,
         nullptr},
        {"LM Studio", 400,
         R"({"error":"The number of tokens to keep from the initial prompt is greater than the context length."})",
         Errc::context_length_exceeded, nullptr},
        {"SGLang", 400,
         R"({"object":"error","message":"The input (9 tokens) is longer than the model's context length (8 tokens).","code":400})",
         Errc::context_length_exceeded, nullptr},
        {"TGI", 422,
         R"({"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096.","error_type":"validation"})",
         Errc::context_length_exceeded, nullptr},
        {"Moonshot", 400,
         R"({"error":{"message":"Your request exceeded model token limit: 8192","type":"invalid_request_error"}})",
         Errc::context_length_exceeded, nullptr},
        {"upper case", 400, R"({"error":{"message":"PROMPT IS TOO LONG"}})", Errc::context_length_exceeded, nullptr},
        {"plain text", 500, "Context size has been exceeded.", Errc::context_length_exceeded,
         "Context size has been exceeded."},
        // what only sounds like one
        {"tokens per minute", 429,
         R"({"error":{"message":"Rate limit reached: Request too large, on tokens per min (TPM): Limit 30000. Please reduce the length of the messages.","code":"rate_limit_exceeded"}})",
         Errc::rate_limited, nullptr},
        {"max_tokens over a limit", 400, R"({"error":{"message":"max_tokens: 5000 exceeds the limit of 4096"}})",
         Errc::bad_request, nullptr},
        // by status
        {"bad request", 400, R"({"error":{"message":"bad tools","type":"invalid_request_error"}})", Errc::bad_request,
         "bad tools"},
        {"FastAPI", 422, R"({"detail":[{"loc":["body"],"msg":"field required"}]})", Errc::bad_request, nullptr},
        {"FastAPI text", 404, R"({"detail":"Not Found"})", Errc::not_found, "Not Found"},
        {"unauthorized", 401, R"({"error":{"message":"no such key"}})", Errc::unauthorized, "no such key"},
        {"forbidden", 403, "forbidden", Errc::unauthorized, "forbidden"},
        {"not found", 404, R"({"error":{"message":"no such model","type":"not_found_error"}})", Errc::not_found,
         "no such model"},
        {"too large", 413, "<html>Request Entity Too Large</html>", Errc::too_large, nullptr},
        {"rate", 429, R"({"error":{"message":"slow down"}})", Errc::rate_limited, "slow down"},
        {"loading", 503, R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})",
         Errc::overloaded, "Loading model"},
        {"Anthropic overloaded", 529, R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
         Errc::overloaded, "Overloaded"},
        {"not supported", 501, R"({"error":{"code":501,"message":"no","type":"not_supported_error"}})",
         Errc::unsupported, "no"},
        {"gateway time-out", 504, "", Errc::upstream_timeout, "the backend answered with status 504"},
        {"server error", 500, R"({"error":{"code":500,"message":"Compute error.","type":"server_error"}})",
         Errc::upstream_error, "Compute error."},
        {"bad gateway", 502, "<html>\n<h1>502</h1>", Errc::upstream_error, "<html> <h1>502</h1>"},
        {"empty", 500, "", Errc::upstream_error, "the backend answered with status 500"},
        {"empty object", 500, "{}", Errc::upstream_error, "the backend answered with status 500"},
        {"teapot", 418, "{}", Errc::upstream_error, nullptr},
        {"an answer that is none", 200, "nonsense", Errc::upstream_error, "nonsense"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const Error got = classify_upstream_error(c.status, c.body, 7);
        EXPECT_EQ(name_of(got.code), name_of(c.want)) << got.detail;
        if (c.detail != nullptr) {
            EXPECT_EQ(got.detail, c.detail);
        }
        EXPECT_FALSE(got.detail.empty());
        const bool waits = c.want == Errc::rate_limited || c.want == Errc::overloaded;
        EXPECT_EQ(got.retry_after_s, waits ? 7 : 0);
    }
    EXPECT_LE(classify_upstream_error(500, std::string(100'000, 'x'), 0).detail.size(), 1010u);
    EXPECT_EQ(classify_upstream_error(429, "", -5).retry_after_s, 0);
}

}  // namespace
}  // namespace lc::api
