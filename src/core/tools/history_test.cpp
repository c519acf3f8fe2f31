#include "core/tools/history.hpp"

#include <gtest/gtest.h>

using namespace lc;
using namespace lc::tools;

namespace {

std::string mended(const std::string& messages) {
    const std::string body = R"({"model":"m","messages":[)" + messages + R"(],"n":1.50})";
    const auto view = api::parse_request(api::Dialect::chat, body);
    EXPECT_TRUE(view) << body;
    const std::string out = api::apply(body, mend_history(*view, body).splices);
    EXPECT_TRUE(api::parse_request(api::Dialect::chat, out)) << out;
    const std::string front = R"({"model":"m","messages":[)", back = R"(],"n":1.50})";
    EXPECT_TRUE(out.starts_with(front) && out.ends_with(back)) << out;
    return out.substr(front.size(), out.size() - front.size() - back.size());
}

const std::string user = R"({"role":"user","content":"hi"})";
const std::string healthy =
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"read","arguments":"{\"a\": 1.0}"}}]})";
const std::string result = R"({"role":"tool","tool_call_id":"c1","content":"x"})";

}  // namespace

TEST(History, AHealthyOneKeepsItsBytes) {
    for (
        const std::string& messages :
        {user, user + ", " + healthy + " ,\n" + result,
         user +
             R"(,{"role":"assistant","content":"text","tool_calls":null},{"role":"assistant","content":[{"type":"text","text":"a"}]},)" +
             user,
         user + R"(,{"role":"assistant","content":"","reasoning_content":"hm"})",
         std::string(R"({"role":"assistant","content":""})"), user + "," + healthy + "," + user + "," + result}) {
        EXPECT_EQ(mended(messages), messages);
    }
}

TEST(History, Arguments) {
    const struct {
        const char *name, *given, *want;
    } cases[] = {
        {"an object", R"({"a":1.0})", R"("{\"a\":1.0}")"},
        {"empty", R"("")", R"("{}")"},
        {"null", "null", R"("{}")"},
        {"lost brace", R"("{\"a\": [1")", R"("{\"a\":[1]}")"},
        {"doubly encoded", R"("\"{\\\"a\\\":1}\"")", R"("{\"a\":1}")"},
        {"cut in a string", R"("{\"a\": \"b")", R"("{\"invalid_arguments\":\"{\\\"a\\\": \\\"b\"}")"},
        {"no object", R"("[1]")", R"("{\"invalid_arguments\":\"[1]\"}")"},
        {"a number", "3", R"("{\"invalid_arguments\":\"3\"}")"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto call = [](const std::string& arguments) {
            return user +
                   R"(,{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"read","arguments":)" +
                   arguments + R"(}}]},)" + result;
        };
        EXPECT_EQ(mended(call(c.given)), call(c.want));
    }
    EXPECT_EQ(
        mended(user +
               R"(,{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"read"}}]})"),
        user +
            R"(,{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"arguments":"{}","name":"read"}}]})");
}

TEST(History, IdsAreTheSameOnEveryTurn) {
    const std::string call = R"({"role":"assistant","tool_calls":[{"function":{"name":"read","arguments":"{}"}}]})";
    const std::string with_id =
        R"({"role":"assistant","tool_calls":[{"id":"call_1_0","type":"function","function":{"name":"read","arguments":"{}"}}]})";
    const std::string nameless = R"({"role":"tool","content":"x"})";
    const std::string named = R"({"tool_call_id":"call_1_0","role":"tool","content":"x"})";
    EXPECT_EQ(mended(user + "," + call + "," + nameless).size(), (user + "," + with_id + "," + named).size());
    const std::string shorter = mended(user + "," + call + "," + nameless);
    const std::string longer = mended(user + "," + call + "," + nameless + "," + user + "," + call + "," + nameless);
    EXPECT_TRUE(longer.starts_with(shorter)) << longer;
    EXPECT_NE(longer.find("call_4_0"), std::string::npos);
}

TEST(History, ACallWithoutIdTakesThatOfItsResult) {
    const std::string out = mended(
        user +
        R"(,{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"read","arguments":"{}"}}]},)" +
        result);
    EXPECT_NE(out.find(R"([{"id":"c1",)"), std::string::npos) << out;
    EXPECT_TRUE(out.ends_with(result));
}

TEST(History, OrphanedResultsBecomeWordsOfTheUser) {
    EXPECT_EQ(mended(user + "," + result), user + R"(,{"role":"user","content":"x"})");
    EXPECT_EQ(mended(user + R"(,{"role":"tool","content":null})"), user + R"(,{"role":"user","content":""})");
    EXPECT_EQ(mended(user + "," + healthy + R"(,{"role":"tool","tool_call_id":"zz","content":"x"})"),
              user + "," + healthy + R"(,{"role":"user","content":"x"})");
}

TEST(History, EmptyTurnsGo) {
    const std::string empty = R"({"role":"assistant","content":""})",
                      null = R"({"role":"assistant","content":null,"tool_calls":[]})";
    EXPECT_EQ(mended(user + "," + empty + "," + user), user + "," + user);
    EXPECT_EQ(mended(user + "," + null), user);
    EXPECT_EQ(mended(user + "," + empty + "," + null), user);
    EXPECT_EQ(mended(user + "," + empty + "," + null + "," + user), user + "," + user);
    EXPECT_EQ(mended(empty + "," + user), user);
}
