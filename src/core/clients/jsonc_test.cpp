#include "core/clients/jsonc.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "core/clients/diff.hpp"

namespace lc::clients {
namespace {

namespace json = boost::json;

TEST(Jsonc, Settings) {
    const struct {
        const char* name;
        std::string text;
        Setting setting;
        std::string want;
    } cases[] = {
        {"blank", "", {{"a", "b"}, 1}, "{\n  \"a\": { \"b\": 1 }\n}\n"},
        {"a comment alone", "// mine\n", {{"a"}, 1}, "// mine\n{\n  \"a\": 1\n}\n"},
        {"empty object", "{}", {{"a"}, 1}, "{\n  \"a\": 1\n}"},
        {"empty object with a comment", "{\n  // nothing yet\n}\n", {{"a"}, 1}, "{\n  // nothing yet\n  \"a\": 1\n}\n"},
        {"comments stay, the comma comes before them",
         "{\n  \"a\": 1 // one\n  // end\n}\n",
         {{"b"}, "x"},
         "{\n  \"a\": 1, // one\n  // end\n  \"b\": \"x\"\n}\n"},
        {"trailing comma is kept as a habit", "{\n\t\"a\": 1,\n}", {{"b"}, 2}, "{\n\t\"a\": 1,\n\t\"b\": 2,\n}"},
        {"on one line", R"({"a":1})", {{"b"}, 2}, R"({"a":1, "b": 2})"},
        {"inside",
         "{\n    \"p\": {\n        \"x\": 1\n    }\n}",
         {{"p", "y"}, 2},
         "{\n    \"p\": {\n        \"x\": 1,\n        \"y\": 2\n    }\n}"},
        {"replace",
         "{ /* a */ \"a\" /* b */ : /* c */ [1, 2] /* d */ }",
         {{"a"}, true},
         "{ /* a */ \"a\" /* b */ : /* c */ true /* d */ }"},
        {"same value: untouched", "{ \"a\" : [1,2 , ] }", {{"a"}, json::array{1, 2}}, "{ \"a\" : [1,2 , ] }"},
        {"if absent, present", R"({"a":null})", {{"a"}, 1, How::if_absent}, R"({"a":null})"},
        {"append makes a list", "{}", {{"l"}, "x", How::append}, "{\n  \"l\": [\"x\"]\n}"},
        {"append to an empty list", R"({"l": [ ]})", {{"l"}, "x", How::append}, R"({"l": ["x"]})"},
        {"append to a list", R"({"l": ["y"]})", {{"l"}, "x", How::append}, R"({"l": ["y", "x"]})"},
        {"append to a long list",
         "{\n  \"l\": [\n    \"y\", // why\n  ]\n}",
         {{"l"}, "x", How::append},
         "{\n  \"l\": [\n    \"y\", // why\n    \"x\",\n  ]\n}"},
        {"append what is there", R"({"l": ["x"]})", {{"l"}, "x", How::append}, R"({"l": ["x"]})"},
        {"the last of repeated keys", R"({"a":1,"a":2})", {{"a"}, 3}, R"({"a":1,"a":3})"},
        {"marks inside strings", R"({"a":"// no } \" comment"})", {{"b"}, 1}, R"({"a":"// no } \" comment", "b": 1})"},
        {"a key with an escape", R"({"\u0061":1})", {{"a"}, 2}, R"({"\u0061":2})"},
        {"a line that gets too long",
         R"({"a": {"key": "0123456789 0123456789 0123456789 0123456789", "n": 1.0}})",
         {{"a", "more"}, "0123456789 0123456789 0123456789"},
         "{\"a\": {\n  \"key\": \"0123456789 0123456789 0123456789 0123456789\",\n  \"n\": 1.0,\n"
         "  \"more\": \"0123456789 0123456789 0123456789\"\n}}"},
        {"a comment on the line that gets too long",
         R"({"a": {/* why */ "key": "0123456789 0123456789 0123456789 01234567"}})",
         {{"a", "more"}, "0123456789 0123456789 0123456789"},
         "{\"a\": {/* why */ \"key\": \"0123456789 0123456789 0123456789 01234567\",\n\"more\": \"0123456789 "
         "0123456789 0123456789\"\n}}"},
        {"line ends of Windows", "{\r\n  \"a\": 1\r\n}\r\n", {{"b"}, 2}, "{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}\r\n"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto got = with_setting(c.text, c.setting);
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(*got, c.want);
        const auto again = with_setting(*got, c.setting);
        ASSERT_TRUE(again) << again.error().detail;
        EXPECT_EQ(*again, c.want) << "setting it twice changes nothing";
        EXPECT_TRUE(read_jsonc(*got));
    }
}

TEST(Jsonc, LongObjectsAreWrittenOverLines) {
    const auto value = json::parse(R"({"a":{"b":{"c":1}},"l":[{"d":1},2],"e":{}})");
    EXPECT_EQ(
        pretty(value),
        "{\n  \"a\": {\n    \"b\": { \"c\": 1 }\n  },\n  \"l\": [\n    { \"d\": 1 },\n    2\n  ],\n  \"e\": {}\n}");
    EXPECT_EQ(*read_jsonc(pretty(value)), value);
}

TEST(Jsonc, SaysWhereItIsBroken) {
    const struct {
        const char* text;
        const char* said;
    } cases[] = {
        {"{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: a comma is missing"},
        {"{\"a\" 1}", "line 1, column 6: a ':' is missing"},
        {"{a: 1}", "a key in double quotes"},
        {"{\"a\": nope}", "line 1, column 7: this is not a JSON value"},
        {"{\"a\": \"x\n\"}", "has no end"},
        {"{\"a\": [1, 2}", "line 1, column 12: a comma is missing"},
        {"{", "no '}'"},
        {"{} x", "something follows"},
        {"{\"a\":,}", "not a JSON value"},
        {"{,}", "a key in double quotes"},
        {"{\"a\":1,,}", "a key in double quotes"},
        {"/* open", "line 1, column 1"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.text);
        const auto got = with_setting(c.text, {{"k"}, 1});
        ASSERT_FALSE(got) << *got;
        EXPECT_NE(got.error().detail.find(c.said), std::string::npos) << got.error().detail;
    }
    EXPECT_EQ(with_setting(R"({"a":1})", {{"a", "b"}, 1}).error().detail,
              "'a' is no object, so 'b' cannot be set in it");
    EXPECT_EQ(with_setting("[]", {{"b"}, 1}).error().detail, "the file is no object, so 'b' cannot be set in it");
    EXPECT_EQ(with_setting(R"({"a":1})", {{"a"}, 1, How::append}).error().code, Errc::bad_request);
    EXPECT_FALSE(with_setting(std::string(3000, '['), {{"a"}, 1}));
}

TEST(Diff, Unified) {
    EXPECT_EQ(unified_diff("a\n", "a\n", "x", "y"), "");
    EXPECT_EQ(unified_diff("", "a\nb\n", "/dev/null", "y"), "--- /dev/null\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "f", "f"),
              "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    EXPECT_EQ(unified_diff("a", "a\n", "f", "f"), "--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
    std::string many, other;
    for (int i = 0; i < 40; ++i) {
        many += std::to_string(i) + "\n";
        other += (i == 3 || i == 30 ? "new" : std::to_string(i)) + "\n";
    }
    const auto two = unified_diff(many, other, "f", "f");
    EXPECT_NE(two.find("@@ -1,7 +1,7 @@"), std::string::npos) << two;
    EXPECT_NE(two.find("@@ -28,7 +28,7 @@"), std::string::npos) << two;
}

}  // namespace
}  // namespace lc::clients
