#include "core/dialect/write.hpp"

#include <gtest/gtest.h>

#include "core/sse/sse.hpp"

namespace lc::dialect {
namespace {

using api::Dialect;
using Events = std::vector<api::StreamEvent>;

Writer writer_of(Dialect dialect) {
    Writer writer;
    writer.dialect = dialect;
    writer.id = "q";
    writer.model = "m";
    writer.created = 7;
    writer.names = {{"apply_patch", "apply_patch", "", true}, {"ns__read", "read", "ns", false}};
    return writer;
}

struct Line {
    std::string operator()(const api::TextDelta& e) const { return "text " + e.text; }
    std::string operator()(const api::ReasoningDelta& e) const { return "reasoning " + e.text; }
    std::string operator()(const api::ToolBegin& e) const { return "begin " + e.id + " " + e.name; }
    std::string operator()(const api::ToolArguments& e) const { return "args " + e.text; }
    std::string operator()(const api::ToolEnd&) const { return "end"; }
    std::string operator()(const api::Usage& e) const {
        return "usage " + std::to_string(e.prompt) + " " + std::to_string(e.completion) + " " + std::to_string(e.cached.value_or(-1));
    }
    std::string operator()(const api::Timings&) const { return "timings"; }
    std::string operator()(const api::Progress&) const { return "progress"; }
    std::string operator()(const api::Finish& e) const { return "finish " + e.reason; }
    std::string operator()(const api::StreamFailure&) const { return "failure"; }
    std::string operator()(const api::Done&) const { return "done"; }
};

std::string lines(const Events& events) {
    std::string out;
    for (const auto& event : events) out += (out.empty() ? "" : "|") + std::visit(Line{}, event);
    return out;
}

std::vector<sse::Frame> frames_of(std::string_view text) {
    sse::State state;
    std::vector<sse::Frame> out;
    EXPECT_TRUE(sse::step(state, text, out));
    return out;
}

/// What our own reader of that dialect makes of what was written.
std::string read_back(Dialect dialect, std::string_view stream) {
    api::StreamReader reader;
    reader.dialect = dialect;
    Events all;
    for (const auto& frame : frames_of(stream)) {
        for (auto& event : api::read(reader, frame)) all.push_back(std::move(event));
    }
    return lines(all);
}

std::string types(std::string_view stream) {
    std::string out;
    for (const auto& frame : frames_of(stream)) out += (out.empty() ? "" : " ") + frame.event;
    return out;
}

const Events answer = {api::Progress{20, 5, 20, 1},
                       api::ReasoningDelta{"hm", 0},
                       api::TextDelta{"I ", 0},
                       api::TextDelta{"look", 0},
                       api::ToolBegin{0, "c1", "ns__read", 0},
                       api::ToolArguments{0, R"({"a":)"},
                       api::ToolArguments{0, "1}"},
                       api::ToolEnd{0},
                       api::ToolBegin{1, "", "apply_patch", 0},
                       api::ToolArguments{1, R"({"input":"x\ny"})"},
                       api::ToolEnd{1},
                       api::Finish{"tool_calls", 0},
                       api::Usage{20, 9, 29, 5, std::nullopt},
                       api::Done{}};

TEST(Write, Messages) {
    auto writer = writer_of(Dialect::messages);
    const auto out = write(writer, answer);
    EXPECT_EQ(read_back(Dialect::messages, out),
              "reasoning hm|text I |text look|begin c1 ns__read|args {\"a\":|args 1}|end|begin call_q_3 apply_patch|"
              "args {\"input\":\"x\\ny\"}|end|finish tool_calls|usage 20 9 5|done");
    EXPECT_EQ(types(out),
              "message_start content_block_start content_block_delta content_block_delta content_block_stop "
              "content_block_start content_block_delta content_block_delta content_block_stop "
              "content_block_start content_block_delta content_block_delta content_block_stop "
              "content_block_start content_block_delta content_block_stop message_delta message_stop");
    EXPECT_NE(out.find(R"("usage":{"input_tokens":15,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":0})"), out.npos);
    EXPECT_NE(out.find(R"("index":2,"content_block":{"type":"tool_use","id":"c1","name":"ns__read","input":{}})"), out.npos);
    EXPECT_EQ(write_whole(writer_of(Dialect::messages), answer),
              R"({"id":"msg_q","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"I look"},{"type":"tool_use","id":"c1","name":"ns__read","input":{"a":1}},{"type":"tool_use","id":"call_q_3","name":"apply_patch","input":{"input":"x\ny"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":15,"cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":9}})");
}

TEST(Write, Responses) {
    auto writer = writer_of(Dialect::responses);
    const auto out = write(writer, answer);
    EXPECT_EQ(read_back(Dialect::responses, out),
              "reasoning hm|text I |text look|begin c1 read|args {\"a\":|args 1}|end|begin call_q_3 apply_patch|args x\ny|end|"
              "finish tool_calls|usage 20 9 5|done");
    EXPECT_EQ(types(out),
              "response.created response.in_progress response.output_item.added response.reasoning_text.delta "
              "response.reasoning_text.done response.output_item.done response.output_item.added response.content_part.added "
              "response.output_text.delta response.output_text.delta response.output_text.done response.content_part.done "
              "response.output_item.done response.output_item.added response.function_call_arguments.delta "
              "response.function_call_arguments.delta response.function_call_arguments.done response.output_item.done "
              "response.output_item.added response.custom_tool_call_input.delta response.custom_tool_call_input.done "
              "response.output_item.done response.completed");
    EXPECT_NE(out.find(R"("type":"function_call","call_id":"c1","name":"read","namespace":"ns","arguments":"{\"a\":1}"})"), out.npos);
    const auto whole = write_whole(writer_of(Dialect::responses), answer);
    EXPECT_NE(whole.find(R"("status":"completed","model":"m")"), whole.npos);
    EXPECT_EQ(lines(api::read_whole(Dialect::responses, whole)),
              "reasoning hm|text I look|begin c1 read|args {\"a\":1}|end|begin call_q_3 apply_patch|args x\ny|end|"
              "finish tool_calls|usage 20 9 5|done");
}

TEST(Write, CutAnswersSaySo) {
    const Events cut = {api::ToolBegin{0, "c", "apply_patch", 0}, api::ToolArguments{0, R"({"input":"*** Beg)"}, api::ToolEnd{0},
                        api::Finish{"length", 0}, api::Done{}};
    auto writer = writer_of(Dialect::responses);
    const auto out = write(writer, cut);
    EXPECT_NE(out.find("response.incomplete"), out.npos);
    EXPECT_NE(out.find(R"("status":"incomplete","type":"custom_tool_call")"), out.npos);
    EXPECT_NE(out.find(R"("input":"{\"input\":\"*** Beg")"), out.npos) << "nobody takes this for a patch: " << out;
    const auto whole = write_whole(writer_of(Dialect::messages), cut);
    EXPECT_NE(whole.find(R"("input":{"invalid_arguments":"{\"input\":\"*** Beg"})"), whole.npos) << whole;
    EXPECT_NE(whole.find(R"("stop_reason":"max_tokens")"), whole.npos);
}

TEST(Write, NothingBehindTheEndAndNothingTwice) {
    for (const auto dialect : {Dialect::messages, Dialect::responses}) {
        auto writer = writer_of(dialect);
        const auto out = write(writer, Events{api::Finish{"stop", 0}, api::Timings{3, 4, 2, 0, 0}, api::Done{}});
        EXPECT_EQ(read_back(dialect, out), "finish stop|usage 7 2 3|done");
        EXPECT_EQ(types(out), dialect == Dialect::messages ? "message_start message_delta message_stop"
                                                           : "response.created response.in_progress response.completed");
        EXPECT_EQ(write(writer, answer), "");
    }
}

}  // namespace
}  // namespace lc::dialect
