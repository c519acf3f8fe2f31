#include "core/prefix/tools.hpp"

#include <gtest/gtest.h>

#include "core/prefix/testing.hpp"

namespace lc::prefix {

namespace {

using Names = std::vector<std::string>;

std::string tool(const std::string& name, const std::string& more = "") {
    return R"({"type":"function","function":{"name":")" + name + R"(","parameters":{"maximum":1.0e400)" + more + "}}}";
}

std::string with_tools(const Names& names) {
    std::string list;
    for (const auto& name : names) list += (list.empty() ? "" : " , ") + tool(name);
    return chat({{"user", "x"}}, R"(,"tools":[)" + list + "]");
}

Names names_in(const std::string& body) {
    const Request r("opencode", body);
    return tool_names(r.input());
}

}  // namespace

TEST(Tools, WhatSomeLackComesLast) {
    const Names main = {"write", "bash", "db_query", "task"}, sub = {"bash", "write"};
    KnownTools project = learn({}, main);
    EXPECT_TRUE(project.some.empty());
    EXPECT_EQ(order_tools(main, project, project, {}, ""), (Names{"bash", "db_query", "task", "write"}));
    project = learn(project, sub);
    EXPECT_EQ(order_tools(main, {}, project, {}, ""), (Names{"bash", "write", "db_query", "task"}));
    EXPECT_EQ(order_tools(sub, {}, project, {}, ""), (Names{"bash", "write"}));
    // It does not come back to the front when all later requests have it.
    EXPECT_EQ(learn(project, main), project);
    // What comes later counts as lacking before.
    EXPECT_TRUE(learn(project, Names{"bash", "write", "new"}).some.contains("new"));
}

TEST(Tools, BetweenProjectsOnlyWhatTheClientAlwaysHas) {
    const KnownTools client = learn(learn({}, Names{"bash", "alpha"}), Names{"bash", "zeta"});
    const KnownTools project = learn({}, Names{"bash", "alpha"});
    EXPECT_EQ(order_tools(Names{"alpha", "bash"}, client, project, {}, ""), (Names{"bash", "alpha"}));
}

TEST(Tools, KnownBeforehand) {
    EXPECT_EQ(order_tools(Names{"task", "bash", "todowrite", "write"}, {}, {}, {}, "opencode"),
              (Names{"bash", "write", "task", "todowrite"}));
    EXPECT_EQ(order_tools(Names{"mcp__db", "Read"}, {}, {}, {}, "claude"), (Names{"Read", "mcp__db"}));
}

TEST(Tools, ASessionKeepsItsOrder) {
    KnownTools project = learn(learn({}, Names{"a", "b", "c"}), Names{"b"});
    EXPECT_EQ(order_tools(Names{"c", "b", "a", "n"}, {}, project, Names{"a", "b", "gone", "c"}, ""), (Names{"a", "b", "c", "n"}));
}

TEST(Tools, DefinitionsMoveByteForByte) {
    const auto body = with_tools({"b", "a", "c"});
    const Request r("opencode", body);
    const auto after = api::apply(body, arrange_tools(r.input(), Names{"a", "b", "c"}));
    EXPECT_EQ(after, with_tools({"a", "b", "c"}));
    EXPECT_EQ(names_in(after), (Names{"a", "b", "c"}));
    EXPECT_TRUE(arrange_tools(r.input(), Names{"b", "a", "c"}).empty()) << "nothing to do: no byte changes";
    EXPECT_TRUE(arrange_tools(r.input(), Names{"a", "b"}).empty()) << "no tool is ever lost";
    EXPECT_TRUE(arrange_tools(r.input(), Names{"a", "b", "d"}).empty());
    const Names forms = {"", tool("a", R"(,"type":"object")"), ""};
    const Request other("opencode", api::apply(body, arrange_tools(r.input(), Names{"a", "b", "c"}, forms)));
    EXPECT_NE(other.body.find(forms[1]), std::string::npos);
}

TEST(Tools, OneFormForAllOrdersOfMembers) {
    const Request a("", R"({"messages":[],"tools":[{"function":{"name":"a","parameters":{"b":1,"c":[2,3]}},"type":"function"}]})");
    const Request b("", R"({"messages":[],"tools":[{"type":"function", "function":{"parameters":{"c":[2,3],"b":1},"name":"a"}}]})");
    const Request c("", R"({"messages":[],"tools":[{"type":"function","function":{"name":"a","parameters":{"b":1.0,"c":[2,3]}}}]})");
    const Request d("", R"({"messages":[],"tools":[{"type":"function","function":{"name":"a","parameters":{"b":1,"c":[3,2]}}}]})");
    EXPECT_EQ(canonical_tool(a.input(), 0), canonical_tool(b.input(), 0));
    EXPECT_NE(canonical_tool(a.input(), 0), canonical_tool(c.input(), 0)) << "numbers keep their text";
    EXPECT_NE(canonical_tool(a.input(), 0), canonical_tool(d.input(), 0)) << "the order of a list is meaning";
}

TEST(Tools, TwoOfOneNameAreLeftAlone) {
    EXPECT_TRUE(names_in(with_tools({"a", "b", "a"})).empty());
    EXPECT_TRUE(names_in(chat({{"user", "x"}})).empty());
}

TEST(Project, ByItsFolder) {
    const auto of = [](const std::string& body) { return project_of(Request("", body).input()); };
    EXPECT_EQ(of(chat({{"system", "A\n<env>\n  Working directory: /p q/one\n  x"}, {"user", "x"}})), "/p q/one");
    EXPECT_EQ(of(chat({{"system", "A"}, {"user", "<environment_context>\n  <cwd>/p</cwd>"}})), "/p");
    EXPECT_EQ(of(chat({{"system", "A"}, {"user", "I'm currently working in the directory: /q"}})), "/q");
    EXPECT_EQ(of(chat({{"system", "You are B"}, {"user", "x"}})), "You are B");
    EXPECT_EQ(of(chat({{"user", "x"}})), "");
}

}  // namespace lc::prefix
