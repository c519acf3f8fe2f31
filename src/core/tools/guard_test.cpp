#include "core/tools/guard.hpp"

#include <gtest/gtest.h>

#include "core/api/splice.hpp"

using namespace lc;
using namespace lc::tools;

namespace {

const ToolSet& offered() {
    static const ToolSet set = tools_from_json(
        R"([{"name":"read","parameters":{"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}},"required":["path"]}},
            {"name":"list","parameters":{"type":"object","properties":{}}}])");
    return set;
}

std::string chunk(const std::string& delta, const std::string& finish = "null") {
    return R"(data: {"id":"x","created":1,"model":"m","choices":[{"index":0,"delta":)" + delta +
           R"(,"finish_reason":)" + finish + "}]}\n\n";
}
std::string text(const std::string& content) {
    return chunk(R"({"content":)" + api::json_quote(content) + "}");
}
std::string begin(int index, const std::string& id, const std::string& name, const std::string& arguments = "") {
    return chunk(R"({"tool_calls":[{"index":)" + std::to_string(index) + R"(,"id":)" + api::json_quote(id) +
                 R"(,"type":"function","function":{"name":")" + name + R"(","arguments":)" +
                 api::json_quote(arguments) + "}}]}");
}
std::string more(int index, const std::string& arguments) {
    return chunk(R"({"tool_calls":[{"index":)" + std::to_string(index) + R"(,"function":{"arguments":)" +
                 api::json_quote(arguments) + "}}]}");
}
const std::string stop = chunk("{}", "\"stop\""), called = chunk("{}", "\"tool_calls\""),
                  length = chunk("{}", "\"length\"");
const std::string done = "data: [DONE]\n\n";

struct Run {
    Guard guard;
    std::string out;                 ///< all bytes
    std::vector<std::string> steps;  ///< by frame
    std::string text, calls, finish;
};

void add(Run& run, GuardOut out) {
    run.out += out.bytes;
    run.steps.push_back(out.bytes);
    for (const auto& event : out.events) {
        if (const auto* delta = std::get_if<api::TextDelta>(&event)) run.text += delta->text;
        if (const auto* call = std::get_if<api::ToolBegin>(&event)) run.calls += call->id + ":" + call->name;
        if (const auto* piece = std::get_if<api::ToolArguments>(&event)) run.calls += piece->text;
        if (std::holds_alternative<api::ToolEnd>(event)) run.calls += ";";
        if (const auto* end = std::get_if<api::Finish>(&event)) run.finish = end->reason;
    }
}

Run play(const GuardOptions& options, const std::vector<std::string>& stream) {
    Run run;
    run.guard = make_guard(options, "q");
    sse::State state;
    api::StreamReader reader;
    for (const auto& bytes : stream) {
        std::vector<sse::Frame> frames;
        EXPECT_TRUE(sse::step(state, bytes, frames));
        for (const auto& frame : frames) add(run, step(offered(), run.guard, frame, api::read(reader, frame)));
    }
    return run;
}

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const auto& part : parts) out += part;
    return out;
}

/// What a client reads from the bytes that it gets.
std::string as_client(const std::string& bytes) {
    sse::State state;
    std::vector<sse::Frame> frames;
    EXPECT_TRUE(sse::step(state, bytes, frames));
    Run run;
    api::StreamReader reader;
    for (const auto& frame : frames) add(run, {"", api::read(reader, frame)});
    return run.text + "|" + run.calls + "|" + run.finish;
}

}  // namespace

TEST(Guard, WhatNeedsNoChangePassesByteForByte) {
    const std::vector<std::string> streams[] = {
        {text("Hello "), text("world"), stop, done},
        {text("a <b> and `<tool_call>` [x"), text("] {"), stop, done},
        {text("I read."), begin(0, "c1", "read"), more(0, "{\"path\":"), more(0, " \"a\"}"), called, done},
        {begin(0, "c1", "read", "{\"path\":\"a\"}"), begin(1, "c2", "list", "{}"), called, ": comment\n\n", done},
        {text("<tool_call>\n{\"name\": \"read\", \"arg"), length, done},
        {begin(0, "c1", "read", "{\"path\":\"a"), length, done},
    };
    for (const auto& stream : streams) {
        for (const bool hold : {true, false}) {
            const auto run = play({.hold_calls = hold}, stream);
            EXPECT_EQ(run.out, joined(stream));
            EXPECT_FALSE(run.guard.changed);
        }
    }
}

TEST(Guard, OnlyWhatMayBeACallIsHeld) {
    const auto run = play({}, {text("Hello."), text(" <"), text("b>"), text("<tool_"), text("x")});
    EXPECT_EQ(run.steps,
              (std::vector<std::string>{text("Hello."), "", text(" <") + text("b>"), "", text("<tool_") + text("x")}));
    // A call goes as soon as the next one shows that it is whole.
    const auto first = begin(0, "c1", "list", "{}"), second = begin(1, "c2", "list", "{}");
    EXPECT_EQ(play({}, {first, second, called}).steps, (std::vector<std::string>{"", first, second + called}));
    EXPECT_EQ(play({.hold_calls = false}, {first, second, called}).steps,
              (std::vector<std::string>{first, second, called}));
}

TEST(Guard, BrokenCallsAreRepaired) {
    const struct {
        const char* name;
        std::vector<std::string> stream;
        std::string want;
    } cases[] = {
        {"lost brace",
         {text("Hm."), begin(0, "c1", "read"), more(0, "{\"path\":\"a\""), called, done},
         "Hm.|c1:read{\"path\":\"a\"};|tool_calls"},
        {"wrong case",
         {begin(0, "c1", "Read", "{\"path\":\"a\"}"), called, done},
         "|c1:read{\"path\":\"a\"};|tool_calls"},
        {"the second of two",
         {begin(0, "c1", "list", "{}"), begin(1, "c2", "read", "{'path':'a'}"), called, done},
         "|c1:list{};c2:read{\"path\":\"a\"};|tool_calls"},
        {"both",
         {begin(0, "c1", "LIST", "{}"), begin(1, "c2", "read", "{'path':'a'}"), called, done},
         "|c1:list{};c2:read{\"path\":\"a\"};|tool_calls"},
        {"no id", {begin(0, "", "list", "{}"), called, done}, "|call_q_0:list{};|tool_calls"},
        {"the same id twice",
         {begin(0, "c", "list", "{}"), begin(1, "c", "list", "{}"), called, done},
         "|c:list{};call_q_1:list{};|tool_calls"},
        {"in the text",
         {text("I look.\n<tool_"), text("call>{\"name\":\"read\",\"arguments\":{\"path\":\"a\"}}</tool_call>"), stop,
          done},
         "I look.\n|call_q_0:read{\"path\":\"a\"};|tool_calls"},
        {"two in the text",
         {text("<tool_call>{\"name\":\"list\",\"arguments\":{}}</"
               "tool_call><tool_call>{\"name\":\"list\",\"arguments\":{}}</tool_call>"),
          stop, done},
         "|call_q_0:list{};call_q_1:list{};|tool_calls"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto run = play({}, c.stream);
        EXPECT_EQ(run.text + "|" + run.calls + "|" + run.finish, c.want);
        EXPECT_EQ(as_client(run.out), c.want);
        EXPECT_TRUE(run.out.ends_with(done));
        EXPECT_TRUE(run.guard.changed);
    }
}

TEST(Guard, AsksAgainForWhatCannotBeRepaired) {
    const std::vector<std::string> stream{text("Hm."), begin(0, "c1", "read", "{\"file\":\"a\"}"), called, done};
    auto run = play({}, stream);
    ASSERT_TRUE(run.guard.asking);
    EXPECT_EQ(run.out, text("Hm."));
    const auto asked = question(offered(), run.guard);
    EXPECT_EQ(asked.tool, "read");
    EXPECT_EQ(asked.why, "'path' is required");
    auto second = run;
    add(run, answered(offered(), run.guard, {"read", "{\"path\":\"a\"}", false}));
    EXPECT_FALSE(run.guard.asking);
    EXPECT_EQ(as_client(run.out), "Hm.|c1:read{\"path\":\"a\"};|tool_calls");
    ASSERT_EQ(run.guard.judged.size(), 1U);
    EXPECT_EQ(run.guard.judged[0].outcome, "asked_again");
    // Never valid: after two questions the client gets what the model wrote.
    add(second, answered(offered(), second.guard, {"read", "{}", false}));
    ASSERT_TRUE(second.guard.asking);
    EXPECT_EQ(question(offered(), second.guard).attempt, 2);
    add(second, answered(offered(), second.guard, {"read", "[]", false}));
    EXPECT_FALSE(second.guard.asking);
    EXPECT_EQ(second.out, joined(stream));
    EXPECT_EQ(second.guard.judged[0].outcome, "given_up");
}

TEST(Guard, WhatIsGivenUpCanBecomeTextOrAnError) {
    const std::vector<std::string> stream{begin(0, "c1", "read", "{}"), called, done};
    const auto content = play({.reask = 0, .on_invalid = OnInvalid::content}, stream);
    EXPECT_EQ(as_client(content.out), "The call of the tool 'read' was not valid: 'path' is required\n{}\n||stop");
    const auto error = play({.reask = 0, .on_invalid = OnInvalid::error}, stream);
    EXPECT_EQ(error.out, "");
    EXPECT_TRUE(error.guard.failed);
    EXPECT_NE(error.guard.failure.find("'path' is required"), std::string::npos);
    const auto cut =
        play({.reask = 2, .on_invalid = OnInvalid::error}, {begin(0, "c1", "read", "{\"pa"), length, done});
    EXPECT_FALSE(cut.guard.failed || cut.guard.asking);
    EXPECT_EQ(cut.guard.judged[0].outcome, "cut");
}

TEST(Guard, SeveralChoicesAndErrorsPass) {
    const std::string other = R"(data: {"choices":[{"index":1,"delta":{"content":"<tool_call>"}}]})"
                              "\n\n";
    const std::string error = R"(data: {"error":{"message":"x","code":500}})"
                              "\n\n";
    EXPECT_EQ(play({}, {text("<tool_"), other, stop}).out, text("<tool_") + other + stop);
    EXPECT_EQ(play({}, {begin(0, "c", "read", "{"), error}).out, begin(0, "c", "read", "{") + error);
}

TEST(Guard, WholeAnswers) {
    const auto whole = [](const std::string& message, const std::string& finish) {
        return R"({"id":"x","choices":[{"index":0,"message":)" + message + R"(,"finish_reason":")" + finish +
               R"("}],"usage":{"total_tokens":1.50}})";
    };
    const auto mend = [](const std::string& body) {
        Guard guard = make_guard({.reask = 0}, "q");
        const auto out = open_whole(offered(), guard, body);
        return close_whole(guard, body, out.events);
    };
    const std::string fine = whole(R"({"role":"assistant","content":"hi"})", "stop");
    EXPECT_EQ(mend(fine), fine);
    EXPECT_EQ(
        mend(whole(R"({"role":"assistant","content":"<tool_call>{\"name\":\"list\",\"arguments\":{}}</tool_call>"})",
                   "stop")),
        whole(
            R"({"role":"assistant","content":null,"tool_calls":[{"id":"call_q_0","type":"function","function":{"name":"list","arguments":"{}"}}]})",
            "tool_calls"));
    const std::string broken = whole(
        R"({"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\""}}]})",
        "tool_calls");
    EXPECT_EQ(
        mend(broken),
        whole(
            R"({"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}}]})",
            "tool_calls"));
}
