#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "app/commands/json_view.hpp"
#include "app/commands/launch.hpp"
#include "app/commands/text.hpp"

namespace lc::commands {

TEST(Text, CleanHoldsNoControlCharacter) {
    const struct {
        const char* name;
        std::string_view in;
        std::string_view want;
    } cases[] = {
        {"plain", "abc", "abc"},
        {"escape sequence", "\x1b[31mred", " [31mred"},
        {"line ends and tabs", "a\nb\r\tc", "a b  c"},
        {"delete", "a\x7f", "a "},
        {"C1 in UTF-8",
         "a\xc2\x9b"
         "31m",
         "a 31m"},
        {"other two-byte characters stay", "\xc3\xa9\xc2\xa0", "\xc3\xa9\xc2\xa0"},
        {"NUL", std::string_view("a\0b", 3), "a b"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(clean(c.in), c.want);
    }
}

TEST(Text, Table) {
    const std::vector<Column> columns = {{"NAME"}, {"N", Align::right}, {"EMPTY"}, {"TEXT", Align::left, 5}};
    const std::vector<Row> rows = {{{"a", "1"}, {"1"}, {""}, {"short"}},
                                   {{"l\xc3\xa4nger"}, {"1,000"}, {""}, {"much too long"}},
                                   {{"x"}, {""}, {""}, {""}}};
    EXPECT_EQ(table(columns, rows, false),
              "NAME        N  TEXT\n"
              "a           1  short\n"
              "l\xc3\xa4nger  1,000  much\xe2\x80\xa6\n"
              "x\n");
    const std::string coloured = table(columns, {{{"a", "1"}, {"1"}, {""}, {"b"}}}, true);
    EXPECT_EQ(coloured, "\x1b[2mNAME\x1b[0m  \x1b[2mN\x1b[0m  \x1b[2mTEXT\x1b[0m\n\x1b[1ma\x1b[0m     1  b\n");
    EXPECT_EQ(table(columns, {{{"\x1b[2J"}}}, false), "NAME\n [2J\n") << "escape sequences of names do not get through";
}

TEST(Text, Units) {
    EXPECT_EQ(bytes_text(0), "");
    EXPECT_EQ(bytes_text(999), "999 B");
    EXPECT_EQ(bytes_text(1500), "1.5 kB");
    EXPECT_EQ(bytes_text(123'456'789), "123 MB");
    EXPECT_EQ(bytes_text(7'500'000'000), "7.5 GB");
    EXPECT_EQ(ms_text(std::nullopt), "");
    EXPECT_EQ(ms_text(1.25), "1.2 ms");
    EXPECT_EQ(ms_text(340.4), "340 ms");
    EXPECT_EQ(ms_text(12'340), "12.3 s");
    EXPECT_EQ(ms_text(245'000), "4m 05s");
    EXPECT_EQ(duration_text(59), "59s");
    EXPECT_EQ(duration_text(3'661), "1h 01m");
    EXPECT_EQ(duration_text(183'600), "2d 3h");
    EXPECT_EQ(count_text(0), "");
    EXPECT_EQ(count_text(999), "999");
    EXPECT_EQ(count_text(1'000), "1,000");
    EXPECT_EQ(count_text(1'234'567), "1,234,567");
    EXPECT_EQ(count_text(-1'234), "-1,234");
    EXPECT_EQ(list_text({"a", "b"}), "a, b");
}

TEST(JsonView, WhatIsMissingIsEmpty) {
    const auto value = boost::json::parse(R"({"text":"t","n":5,"big":18446744073709551615,"f":1.5,"yes":true,
                                             "list":["a",1,"b"],"null":null})");
    EXPECT_EQ(text_at(value, "text"), "t");
    EXPECT_EQ(text_at(value, "n"), "");
    EXPECT_EQ(text_at(value, "absent"), "");
    EXPECT_EQ(integer_at(value, "n"), 5);
    EXPECT_EQ(integer_at(value, "big"), 0);
    EXPECT_EQ(integer_at(value, "null"), 0);
    EXPECT_TRUE(flag_at(value, "yes"));
    EXPECT_FALSE(flag_at(value, "n"));
    EXPECT_EQ(texts_at(value, "list"), (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE(items_at(value, "text").empty());
    EXPECT_EQ(text_at(boost::json::value(nullptr), "x"), "");
}

TEST(Launch, WhoseWords) {
    using Words = std::vector<std::string>;
    const auto takes = [](std::string_view o) { return o == "--port" || o == "-p" || o == "--model" || o == "--url"; };
    const struct {
        const char* name;
        Words words, ours, serve, theirs;
    } cases[] = {
        {"nothing", {}, {}, {}, {}},
        {"client alone", {"opencode"}, {"opencode"}, {}, {}},
        {"before",
         {"--port", "1", "--stop-after", "opencode", "run"},
         {"--port", "1", "--stop-after", "opencode"},
         {"--port", "1"},
         {"run"}},
        {"after",
         {"opencode", "--port=1", "--stop-after", "run"},
         {"opencode", "--port=1", "--stop-after"},
         {"--port=1"},
         {"run"}},
        {"after, in two words",
         {"claude", "--port", "1", "-p", "hi"},
         {"claude", "--port", "1"},
         {"--port", "1"},
         {"-p", "hi"}},
        {"the client's own",
         {"opencode", "--model", "x", "--port", "1"},
         {"opencode"},
         {},
         {"--model", "x", "--port", "1"}},
        {"two dashes", {"opencode", "--", "--port", "1"}, {"opencode"}, {}, {"--port", "1"}},
        {"two dashes further on are the client's", {"codex", "exec", "--", "-x"}, {"codex"}, {}, {"exec", "--", "-x"}},
        {"a value that is missing", {"opencode", "--port"}, {"opencode", "--port"}, {"--port"}, {}},
        {"elsewhere",
         {"--url", "http://x", "--model", "m", "aider"},
         {"--url", "http://x", "--model", "m", "aider"},
         {"--model", "m"},
         {}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto got = split_launch(c.words, takes);
        EXPECT_EQ(got.ours, c.ours);
        EXPECT_EQ(got.serve, c.serve);
        EXPECT_EQ(got.theirs, c.theirs);
    }
}

}  // namespace lc::commands
