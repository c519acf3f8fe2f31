#include "core/prefix/compaction.hpp"

#include <gtest/gtest.h>

#include "core/prefix/testing.hpp"

namespace lc::prefix {

namespace {

const std::string tools = R"([{"type":"function","function":{"name":"read","parameters":{"maximum":1e400}}}])";

std::string session(const std::string& second = "Go on") {
    return R"({"model":"m","messages":[{"role":"system","content":"Agent."},{"role":"user","content":[{"type":"text","text":"Read a\nfile"},)"
           R"({"type":"text","text":"<system-reminder>x</system-reminder>"}]},{"role":"assistant","content":"I will.","tool_calls":)"
           R"([{"id":"c1","type":"function","function":{"name":"read","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":")" +
           std::string(3000, 'r') + R"("},{"role":"assistant","content":"Done."},{"role":"user","content":")" + second + R"("}],"tools":)" + tools +
           R"(,"chat_template_kwargs":{"a":1},"max_tokens":9})";
}

std::string history(const std::string& rest, const std::string& second = "Go on") {
    return "[User]: Read a\nfile\n\n[Assistant]: I will.\n[Assistant tool call]: read({})\n[Tool result]: " + std::string(2000, 'r') +
           "...(cut)\n\n[Assistant]: Done.\n\n[User]: " + second + rest;
}

std::string asking(const std::string& conversation, const std::string& more = "") {
    return chat({{"system", "You are a context summarization agent."},
                 {"user", "Here it is:\n\n<conversation>\n" + conversation + "\n</conversation>\n\nWrite <template>."}},
                R"(,"max_tokens":600,"temperature":0.5)" + more);
}

LastPrompt last_of(const std::string& body, std::uint64_t tokens = 1000) {
    const Request r("opencode", body);
    auto last = last_prompt(r.input(), pieces_of(r.input()));
    last.tokens = tokens;
    return last;
}

std::optional<std::string> as_turn(const std::string& body, const LastPrompt& last, std::int64_t context = 16'384) {
    return compaction_body(Request("opencode", body).input(), last, context);
}

}  // namespace

TEST(Compaction, BecomesTheSessionsNextTurn) {
    const auto body = as_turn(asking(history("\n\n[Assistant]: All is well.\nReally.")), last_of(session()));
    ASSERT_TRUE(body);
    const Request r("opencode", *body);
    ASSERT_EQ(r.view.messages.size(), 8u);
    const Request before("opencode", session());
    EXPECT_EQ(r.body.find(before.body.substr(before.view.messages[0].raw.begin, 3400)), r.view.messages[0].raw.begin) << "as they were";
    EXPECT_EQ(r.view.messages[6].role, api::Role::assistant);
    EXPECT_EQ(r.text(6), "All is well.\nReally.");
    EXPECT_EQ(r.text(7), "You are a context summarization agent.\n\nHere it is:\n\n<conversation>\n(This conversation, from its beginning up "
                         "to here.)\n</conversation>\n\nWrite <template>.");
    EXPECT_EQ(r.view.tool_choice, "none");
    ASSERT_EQ(r.view.tools.size(), 1u);
    EXPECT_NE(r.body.find(tools), std::string::npos) << "byte for byte";
    EXPECT_NE(r.body.find(R"("chat_template_kwargs":{"a":1})"), std::string::npos);
    EXPECT_NE(api::find(r.view, "grammar"), nullptr);
    EXPECT_EQ(r.view.temperature, 0.5);
    EXPECT_EQ(r.view.max_tokens, 600);
}

TEST(Compaction, WhatCameAfterIsNotLost) {
    const auto body = as_turn(asking(history("\n\n[Assistant]: Look.\n[Assistant tool call]: read({})\n[Tool result]: news")), last_of(session()));
    ASSERT_TRUE(body);
    const Request r("opencode", *body);
    ASSERT_EQ(r.view.messages.size(), 7u);
    EXPECT_NE(r.text(6).find("It went on:\n\n[Assistant]: Look.\n[Assistant tool call]: read({})\n[Tool result]: news\n</conversation>"),
              std::string::npos);
}

TEST(Compaction, ThatBeginsLater) {
    auto later = history("");
    later = later.substr(later.find("[Assistant]: Done."));
    EXPECT_TRUE(as_turn(asking(later), last_of(session())));
}

TEST(Compaction, WhatItDoesNotUnderstandStaysAsItWas) {
    const auto last = last_of(session());
    const struct {
        const char* name;
        std::string body;
    } cases[] = {
        {"another history", asking(history("", "Something else"))},
        {"a message less", asking("[User]: Read a\nfile")},
        {"edited", asking("[User]: Write a file\n\n[User]: Go on")},
        {"empty", asking("")},
        {"no conversation", chat({{"system", "S"}, {"user", "Summarize."}})},
        {"more messages", chat({{"system", "S"}, {"user", "a"}, {"user", "<conversation>\n[User]: Go on\n</conversation>"}})},
        {"tools of its own", asking(history(""), R"(,"tools":[{"type":"function","function":{"name":"x"}}])")},
        {"JSON wanted", asking(history(""), R"(,"response_format":{"type":"json_object"})")},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_FALSE(as_turn(c.body, last));
    }
}

TEST(Compaction, OnlyWhereThereIsRoom) {
    EXPECT_TRUE(as_turn(asking(history("")), last_of(session(), 3000), 4096));
    EXPECT_FALSE(as_turn(asking(history("")), last_of(session(), 3500), 4096));
    EXPECT_FALSE(as_turn(asking(history("")), last_of(session(), 0), 4096)) << "nobody knows how long it is";
}

TEST(Grammar, ForbidsOneWord) {
    EXPECT_EQ(grammar_without("<a"), "root ::= s0\ns0 ::= \"\" | [<] s1 | [^<] s0\ns1 ::= \"\" | [<] s1 | [^a<] s0\n");
}

}  // namespace lc::prefix
