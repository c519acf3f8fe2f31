#include "core/prefix/environment.hpp"

#include <gtest/gtest.h>

#include "core/prefix/testing.hpp"

namespace lc::prefix {

namespace {

const std::string opencode_system =
    "You are a coding agent.\n\n# Code References\n\nBe kind.\n\nYou are powered by the model named m.\nHere is what is useful:\n"
    "<env>\n  Working directory: /p/one\n  Today's date: Mon\n</env>\nInstructions from: /p/one/AGENTS.md\nUse \\ tabs \"here\".\n\n"
    "Skills provide more.\n<available_skills>\n</available_skills>";

std::string moved(const Request& request) {
    return api::apply(request.body, environment_last(request.input()));
}

}  // namespace

TEST(Environment, OpenCodesTailGoesToTheFirstUserMessage) {
    const Request r("opencode", chat({{"system", opencode_system}, {"user", "\"Hello\""}, {"assistant", "Yes."}, {"user", "Go"}}));
    const Request after("opencode", moved(r));
    EXPECT_EQ(after.text(0), "You are a coding agent.\n\n# Code References\n\nBe kind.");
    const auto tail = opencode_system.substr(opencode_system.find("You are powered"));
    EXPECT_EQ(after.text(1), "<system-reminder>\n" + tail + "\n</system-reminder>\n\n\"Hello\"");
    EXPECT_EQ(after.text(2), "Yes.");
    EXPECT_EQ(after.text(3), "Go");
    // Done once, there is nothing left to do.
    EXPECT_EQ(moved(after), after.body);
}

TEST(Environment, TheSameInTwoProjectsUpToTheUser) {
    auto other = opencode_system;
    other.replace(other.find("/p/one"), 6, "/somewhere/else");
    other.replace(other.find("Mon"), 3, "Tue");
    const Request a("opencode", moved({"opencode", chat({{"system", opencode_system}, {"user", "x"}})}));
    const Request b("opencode", moved({"opencode", chat({{"system", other}, {"user", "x"}})}));
    EXPECT_EQ(a.text(0), b.text(0));
    EXPECT_NE(a.text(1), b.text(1));
}

TEST(Environment, OfOtherClientsOnlyTheParagraph) {
    const Request r("continue", chat({{"system", "Agent.\n\nAbout you:\n<env>\ncwd: /p\n</env>\n\nRules."}, {"user", "x"}}));
    const Request after("continue", moved(r));
    EXPECT_EQ(after.text(0), "Agent.\n\nRules.");
    EXPECT_EQ(after.text(1), "<system-reminder>\nAbout you:\n<env>\ncwd: /p\n</env>\n</system-reminder>\n\nx");
}

TEST(Environment, ListsOfPartsAndBillingLines) {
    const Request r("claude", R"({"system":[{"type":"text","text":"x-anthropic-billing-header: cch=1;"},)"
                              R"({"type":"text","text":"Agent.\n\n# Memory\n\nAt `/h/.claude/projects/-p/memory/`.\n\n# Rules\nBe kind."}],)"
                              R"("messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"max_tokens":5})",
                    api::Dialect::messages);
    const Request after("claude", moved(r), api::Dialect::messages);
    EXPECT_EQ(after.text(0), "|Agent.\n\n# Rules\nBe kind.");
    EXPECT_EQ(after.text(1), "<system-reminder>\nx-anthropic-billing-header: cch=1;\n\n# Memory\n\nAt "
                             "`/h/.claude/projects/-p/memory/`.\n</system-reminder>|Hi");
}

TEST(Environment, WhatItDoesNotUnderstandStays) {
    const struct {
        const char* name;
        std::string body;
    } cases[] = {
        {"no tag", chat({{"system", "Agent.\n\nenv: none"}, {"user", "x"}})},
        {"never closed", chat({{"system", "Agent.\n\n<env>\ncwd"}, {"user", "x"}})},
        {"nothing else", chat({{"system", "<env>\ncwd\n</env>"}, {"user", "x"}})},
        {"no user message", chat({{"system", opencode_system}})},
        {"an assistant first", chat({{"system", opencode_system}, {"assistant", "x"}, {"user", "y"}})},
        {"said by the user", chat({{"system", "Agent."}, {"user", "What is\n\nthis:\n<env>\n a\n</env>"}})},
        {"content is a number", R"({"messages":[{"role":"system","content":null},{"role":"user","content":null}]})"},
        {"user without content", R"({"messages":[{"role":"system","content":"A\n\n<env>\nb\n</env>"},{"role":"user"}]})"},
        {"escaped backslash is no line end", R"({"messages":[{"role":"system","content":"A\\n\\n<env>\nb\n</env>"},{"role":"user","content":"x"}]})"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(moved({"opencode", c.body}), c.body);
    }
}

TEST(Environment, HalvesOfSurrogatesAreMovedAsTheyAre) {
    const std::string body = R"({"messages":[{"role":"system","content":"A\n\n<env>\n\ud83d é \u00e9\n</env>"},{"role":"user","content":"x"}]})";
    EXPECT_NE(moved({"opencode", body}).find(R"(<env>\n\ud83d é \u00e9\n</env>\n</system-reminder>\n\nx)"), std::string::npos);
}

TEST(Probe, WhereTheToolsAre) {
    EXPECT_TRUE(tools_behind_system("lcprobesystem # Tools lcprobetool user lcprobefirst lcprobesecond"));
    EXPECT_FALSE(tools_behind_system("lcprobetool lcprobesystem lcprobefirst"));
    EXPECT_FALSE(tools_behind_system("lcprobesystem lcprobefirst lcprobetool lcprobesecond"));
    EXPECT_FALSE(tools_behind_system("lcprobesystem lcprobefirst"));
    EXPECT_FALSE(tools_behind_system(""));
    EXPECT_TRUE(api::parse_request(api::Dialect::chat, probe_body("a \"name\"")));
}

}  // namespace lc::prefix
