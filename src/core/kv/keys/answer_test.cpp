#include "core/kv/keys/answer.hpp"

#include <gtest/gtest.h>

namespace lc::kv {
namespace {

using api::Dialect;

struct Keys {
    MessageKeys keys;
    std::vector<std::optional<Digest>> answers;
};

Keys keys_of(std::string_view body, Dialect dialect = Dialect::chat) {
    const auto view = api::parse_request(dialect, body);
    EXPECT_TRUE(view) << body << ": " << (view ? "" : view.error().detail);
    if (!view) return {};
    const auto texts = canonical_texts(*view, body);
    Keys out;
    out.keys = message_keys(*view, texts);
    EXPECT_EQ(out.keys, message_keys(*view, body));
    out.answers = answer_keys(texts, out.keys);
    EXPECT_EQ(out.answers.size(), out.keys.messages.size() + 1);
    return out;
}

std::string chat(std::string_view assistant) {
    return R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},)" + std::string(assistant) +
           R"(,{"role":"user","content":"v"}]})";
}

TEST(Answer, WhatTheClientSaysOfIt) {
    const Answer text{"Hello \"you\"\n", {}};
    const Answer call{"", {{"read", "{\"path\": \"a.c\",\n \"from\":1}"}}};
    const Answer both{"I look.", {{"read", "{}"}, {"list", ""}}};
    const struct {
        const char* name;
        const Answer& answer;
        const char* assistant;
        bool same;
    } cases[] = {
        {"text", text, R"({"role":"assistant","content":"Hello \"you\"\n"})", true},
        {"without the space at its end", text, R"({"role":"assistant","content":"Hello \"you\""})", true},
        {"as a part", text, R"({"role":"assistant","content":[{"type":"text","text":"Hello \"you\""}]})", true},
        {"in two parts", text, R"({"role":"assistant","content":[{"type":"text","text":"Hello "},{"type":"text","text":"\"you\""}]})", true},
        {"escaped", text, R"({"role":"assistant","content":"\u0048ello \u0022you\""})", true},
        {"with reasoning", text, R"({"role":"assistant","content":"Hello \"you\"","reasoning_content":"hm"})", true},
        {"edited", text, R"({"role":"assistant","content":"Hello \"me\""})", false},
        {"one space less inside", text, R"({"role":"assistant","content":"Hello\"you\""})", false},
        {"with a call more", text, R"({"role":"assistant","content":"Hello \"you\"","tool_calls":[{"function":{"name":"read","arguments":"{}"}}]})", false},
        {"with an image", text, R"({"role":"assistant","content":[{"type":"text","text":"Hello \"you\""},{"type":"image_url","image_url":{"url":"http://x/y"}}]})", false},
        {"a refusal", text, R"({"role":"assistant","content":[{"text":"Hello \"you\"","type":"refusal"}]})", false},
        {"call", call, R"({"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"read","arguments":"{\"from\":1,\"path\":\"a.c\"}"}}]})", true},
        {"call with an object", call, R"({"role":"assistant","tool_calls":[{"function":{"name":"read","arguments":{"path":"a.c","from":1}}}]})", true},
        {"another argument", call, R"({"role":"assistant","tool_calls":[{"function":{"name":"read","arguments":"{\"from\":2,\"path\":\"a.c\"}"}}]})", false},
        {"another tool", call, R"({"role":"assistant","tool_calls":[{"function":{"name":"write","arguments":"{\"from\":1,\"path\":\"a.c\"}"}}]})", false},
        {"text more", call, R"({"role":"assistant","content":"x","tool_calls":[{"function":{"name":"read","arguments":"{\"from\":1,\"path\":\"a.c\"}"}}]})", false},
        {"both", both, R"({"role":"assistant","content":"I look.","tool_calls":[{"function":{"name":"read","arguments":"{}"}},{"function":{"name":"list","arguments":""}}]})", true},
        {"the other way round", both, R"({"role":"assistant","content":"I look.","tool_calls":[{"function":{"name":"list","arguments":""}},{"function":{"name":"read","arguments":"{}"}}]})", false},
        {"somebody else", text, R"({"role":"user","content":"Hello \"you\"\n"})", false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto [keys, answers] = keys_of(chat(c.assistant));
        ASSERT_EQ(keys.messages.size(), 3u);
        EXPECT_FALSE(answers[0]) << "the user's message follows the head";
        EXPECT_FALSE(answers[2]);
        EXPECT_FALSE(answers[3]);
        EXPECT_EQ(answers[1] == answer_key(keys.messages[0], c.answer), c.same);
        // What came before counts.
        EXPECT_NE(answers[1], answer_key(keys.head, c.answer));
    }
}

TEST(Answer, ArgumentsThatAreNoJson) {
    const Answer broken{"", {{"read", "{\"path\": "}}};
    const auto same = keys_of(chat(R"({"role":"assistant","tool_calls":[{"function":{"name":"read","arguments":"{\"path\": "}}]})"));
    EXPECT_EQ(same.answers[1], answer_key(same.keys.messages[0], broken));
    const auto mended = keys_of(chat(R"({"role":"assistant","tool_calls":[{"function":{"name":"read","arguments":"{\"path\":1}"}}]})"));
    EXPECT_NE(mended.answers[1], answer_key(mended.keys.messages[0], broken));
}

TEST(Answer, OtherDialects) {
    const Answer both{"I look.", {{"read", "{\"path\":\"a.c\"}"}}};
    const auto messages = keys_of(
        R"({"max_tokens":9,"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},)"
        R"({"type":"text","text":"I look."},{"type":"tool_use","id":"t","name":"read","input":{"path":"a.c"}}]},)"
        R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}]})",
        Dialect::messages);
    EXPECT_EQ(messages.answers[1], answer_key(messages.keys.messages[0], both));
    const auto responses = keys_of(
        R"({"input":[{"role":"user","content":"u"},{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},)"
        R"({"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look."}]},)"
        R"({"type":"function_call","call_id":"c","name":"read","arguments":"{\"path\": \"a.c\"}"},)"
        R"({"type":"function_call_output","call_id":"c","output":"x"}]})",
        Dialect::responses);
    EXPECT_EQ(responses.answers[1], answer_key(responses.keys.messages[0], both));
    EXPECT_FALSE(responses.answers[2]) << "in the middle of an answer";
}

}  // namespace
}  // namespace lc::kv
