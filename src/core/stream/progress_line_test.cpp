#include "core/stream/progress_line.hpp"

#include <gtest/gtest.h>

namespace lc::stream {

namespace {

std::string without(const std::string& body, api::Dialect dialect = api::Dialect::chat) {
    const auto view = api::parse_request(dialect, body);
    EXPECT_TRUE(view) << body;
    return view ? api::apply(body, remove_progress(*view, body)) : std::string();
}

}  // namespace

TEST(ProgressLine, HoldsOnlyWhatCanBeFoundAgain) {
    EXPECT_EQ(progress_line("prefill 43% (1/2 tokens)"), "[LocalCode: prefill 43% (1/2 tokens)]\n");
    EXPECT_EQ(progress_line("a]\n\"\\b\xc3\xa9"), "[LocalCode: a????b??]\n");
    EXPECT_EQ(progress_frame("i", "m", 7, "x"),
              "data: {\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":\"m\",\"choices\":[{\"index\":0,"
              "\"delta\":{\"role\":\"assistant\",\"reasoning_content\":\"[LocalCode: x]\\n\"},\"finish_reason\":null}]}\n\n");
}

TEST(ProgressLine, ComesOutOfHistories) {
    const std::string user = R"({"role":"user","content":"[LocalCode: x]\n","reasoning_content":"[LocalCode: x]\n"})";
    const struct {
        const char* name;
        std::string message, want;
    } cases[] = {
        {"nothing to do", R"({ "role":"assistant", "content":"a", "reasoning_content": "b"})",
         R"({ "role":"assistant", "content":"a", "reasoning_content": "b"})"},
        {"lines before the model's own",
         R"({"role":"assistant", "reasoning_content" : "[LocalCode: a]\n[LocalCode: 1\/2 b]\nI think [LocalCode: c]\n","f":1.50})",
         R"({"role":"assistant","reasoning_content" : "I think [LocalCode: c]\n","f":1.50})"},
        {"nothing else was there", R"({"reasoning_content":"[LocalCode: a]\n","role":"assistant","content":"x"})",
         R"({"role":"assistant","content":"x"})"},
        {"the client trimmed it", R"({"role":"assistant","content":"x","reasoning":"[LocalCode: a]"})",
         R"({"role":"assistant","content":"x"})"},
        {"another's text", R"({"role":"assistant","content":"x","reasoning":"[LocalCode: a"})",
         R"({"role":"assistant","content":"x","reasoning":"[LocalCode: a"})"},
        {"not in the answer itself", R"({"role":"assistant","content":"[LocalCode: a]\n"})",
         R"({"role":"assistant","content":"[LocalCode: a]\n"})"},
        {"not of others", user, user},
        {"no text", R"({"role":"assistant","content":"[LocalCode: a]","reasoning":null})",
         R"({"role":"assistant","content":"[LocalCode: a]","reasoning":null})"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(without("{\"messages\":[" + user + ", " + c.message + " ],\"n\":1.0}"),
                  "{\"messages\":[" + user + ", " + c.want + " ],\"n\":1.0}")
            << c.name;
    }
    const std::string other = R"({"messages":[{"role":"assistant","content":"x","reasoning":"[LocalCode: a]"}]})";
    EXPECT_EQ(without(other, api::Dialect::messages), other);
}

}  // namespace lc::stream
