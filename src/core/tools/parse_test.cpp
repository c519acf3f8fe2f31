#include "core/tools/parse.hpp"

#include <gtest/gtest.h>

using namespace lc::tools;

TEST(Parse, StrictlyLikeAnyParser) {
    for (const char* good :
         {"{}", " [1, -0.5e+3 ,null] ", R"({"a":{"b":["\u00e9\ud83d\ude00\n"]}})", "true", "\"\"", "0"}) {
        EXPECT_TRUE(parse(good).value) << good;
    }
    for (const char* bad :
         {"",       "{",   "[1,]",  "{\"a\":1,}", "01",        "1.",  ".5",      "+1",        "NaN",     "tru", "\"a",
          "\"\n\"", "'a'", "{a:1}", "[1 2]",      "{\"a\" 1}", "1 2", "\"\\x\"", "\"\\u12\"", "// x\n1", "True"}) {
        EXPECT_FALSE(parse(bad).value) << bad;
    }
}

TEST(Parse, WritesWhatItRead) {
    const char* text = R"({"b":12345678901234567890.10,"a":[1e400,"\u0001\"",{}],"b":null})";
    EXPECT_EQ(write(*parse(text).value), text);
    EXPECT_EQ(write(*parse("\"\\ud83d\\ude00 \\u00e9\"").value), "\"\xf0\x9f\x98\x80 \xc3\xa9\"");
}

TEST(Parse, SaysHowItBroke) {
    const struct {
        const char* text;
        Broken want;
        std::size_t at;
    } cases[] = {
        {R"({"a": "b)", Broken::cut_string, 8}, {R"({"a": )", Broken::cut, 6}, {R"({"a": 1)", Broken::cut, 7},
        {R"({"a": x})", Broken::syntax, 6},     {"[[[[", Broken::deep, 3},
    };
    for (const auto& c : cases) {
        const auto parsed = parse(c.text, {.max_depth = 2});
        EXPECT_EQ(parsed.broken, c.want) << c.text;
        EXPECT_EQ(parsed.at, c.at) << c.text;
    }
}

TEST(Parse, ClosesOnlyWhatMayBeClosed) {
    const Lenience lenient{.tolerant = true, .close = true};
    EXPECT_TRUE(parse(R"({"a": [1, {"b": 2})", lenient).value);
    for (const char* text : {R"({"a": "b)", R"({"a": 1,)", R"({"a":)", R"({"a")", "{", "[", R"({"a": tru)"})
        EXPECT_FALSE(parse(text, lenient).value) << text;
    EXPECT_FALSE(parse(R"({"a": 1)", {.tolerant = true}).value);
    EXPECT_EQ(write(*parse(R"({"a":[1,2})", lenient).value), R"({"a":[1,2]})");
}

TEST(Parse, ABackslashThatMeansNothingIsNotGuessed) {
    EXPECT_FALSE(parse(R"({"a": "\d"})", {.tolerant = true, .close = true}).value);
    EXPECT_FALSE(parse(R"({"a": "\$x"})", {.tolerant = true, .close = true}).value);
}
