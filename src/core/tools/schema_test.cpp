#include "core/tools/schema.hpp"

#include <gtest/gtest.h>

#include "core/tools/parse.hpp"

using namespace lc::tools;

namespace {

bool valid(std::string_view schema, std::string_view value, Draft draft = Draft::mixed) {
    const auto compiled = compile_schema(schema, draft);
    EXPECT_TRUE(compiled) << (compiled ? "" : compiled.error().detail);
    const auto parsed = parse(value);
    EXPECT_TRUE(parsed.value) << value;
    const bool ok = is_valid(*compiled, *parsed.value);
    EXPECT_EQ(check(*compiled, *parsed.value).empty(), ok);
    return ok;
}

}  // namespace

TEST(Schema, WhatBothDraftsSay) {
    const struct {
        const char *name, *schema, *value;
        bool want;
    } cases[] = {
        {"anything", "{}", "[1]", true},
        {"true", "true", "null", true},
        {"false", "false", "null", false},
        {"an integer with a fraction of nothing", R"({"type":"integer"})", "3.0", true},
        {"an integer with a fraction", R"({"type":"integer"})", "3.5", false},
        {"a number is no string", R"({"type":"string"})", "3", false},
        {"one of two types", R"({"type":["string","null"]})", "null", true},
        {"characters, not bytes", R"({"maxLength":2})", "\"\xc3\xa9\xf0\x9f\x98\x80\"", true},
        {"too long", R"({"maxLength":1})", "\"ab\"", false},
        {"a pattern matches anywhere", R"({"pattern":"b+"})", "\"abbc\"", true},
        {"a pattern with anchors", R"({"pattern":"^b+$"})", "\"abbc\"", false},
        {"a multiple of a fraction", R"({"multipleOf":0.01})", "4.35", true},
        {"no multiple of a fraction", R"({"multipleOf":0.01})", "4.355", false},
        {"equal numbers written differently", R"({"enum":[1]})", "1.0", true},
        {"false is not 0", R"({"const":0})", "false", false},
        {"equal elements", R"({"uniqueItems":true})", R"([{"a":1,"b":2},{"b":2,"a":1.0}])", false},
        {"a reference to itself", R"({"properties":{"next":{"$ref":"#"}},"additionalProperties":false})",
         R"({"next":{"next":{"x":1}}})", false},
        {"$defs", R"({"$defs":{"n":{"type":"number"}},"items":{"$ref":"#/$defs/n"}})", R"([1,"2"])", false},
        {"definitions", R"({"definitions":{"n":{"type":"number"}},"items":{"$ref":"#/definitions/n"}})", "[1,2]", true},
        {"what stands beside a reference", R"({"$defs":{"n":{"type":"number"}},"$ref":"#/$defs/n","maximum":1})", "2",
         false},
        {"prefixItems", R"({"prefixItems":[{"type":"number"}],"items":false})", "[1,2]", false},
        {"a list of items", R"({"items":[{"type":"number"}],"additionalItems":false})", "[1,2]", false},
        {"dependentRequired", R"({"dependentRequired":{"a":["b"]}})", R"({"a":1})", false},
        {"dependencies", R"({"dependencies":{"a":["b"]}})", R"({"a":1})", false},
        {"if, then", R"({"if":{"required":["a"]},"then":{"required":["b"]}})", R"({"a":1})", false},
        {"oneOf with two", R"({"oneOf":[{"type":"number"},{"minimum":1}]})", "2", false},
        {"unevaluatedProperties", R"({"allOf":[{"properties":{"a":{}}}],"unevaluatedProperties":false})",
         R"({"a":1,"b":2})", false},
        {"of duplicates the last counts", R"({"properties":{"a":{"type":"number"}}})", R"({"a":"x","a":1})", true},
        {"required in draft 3's way means nothing", R"({"properties":{"a":{"type":"string","required":true}}})", "{}",
         true},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(valid(c.schema, c.value), c.want);
    }
}

TEST(Schema, DraftSevenIgnoresWhatStandsBesideAReference) {
    const char* schema =
        R"({"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"n":{"type":"number"}},"items":{"$ref":"#/definitions/n","maximum":1}})";
    EXPECT_TRUE(valid(schema, "[2]"));
}

TEST(Schema, WhatCannotBeASchemaSaysWhere) {
    const struct {
        const char *schema, *where;
    } cases[] = {
        {R"({"properties":{"a":{"type":"strin"}}})", "/properties/a/type"},
        {R"({"properties":[]})", "/properties"},
        {R"({"items":{"anyOf":{}}})", "/items/anyOf"},
        {R"({"properties":{"a/b":3}})", "/properties/a~1b"},
        {"{", "byte 1"},
    };
    for (const auto& c : cases) {
        const auto compiled = compile_schema(c.schema);
        ASSERT_FALSE(compiled) << c.schema;
        EXPECT_NE(compiled.error().detail.find(c.where), std::string::npos) << compiled.error().detail;
    }
}

TEST(Schema, TellsWhatItDoesNotCheck) {
    const auto compiled = compile_schema(
        R"({"properties":{"when":{"format":"date-time"},"who":{"$ref":"https://example.org/who"},"x":{"pattern":"(?<="}}})");
    ASSERT_TRUE(compiled);
    ASSERT_EQ(compiled->unchecked.size(), 3U);
    EXPECT_EQ(compiled->unchecked[0], "/properties/when/format: date-time");
    EXPECT_EQ(compiled->unchecked[1], "/properties/x/pattern: pattern (?<=");
    EXPECT_EQ(compiled->unchecked[2], "/properties/who/$ref: https://example.org/who");
    EXPECT_TRUE(is_valid(*compiled, *parse(R"({"when":"soon","who":1,"x":"y"})").value));
}

TEST(Schema, SaysWhatIsWrongAndWhere) {
    const auto compiled = compile_schema(
        R"({"properties":{"edits":{"items":{"required":["old"],"properties":{"n":{"type":"integer"}}}}}})");
    const auto violations = check(*compiled, *parse(R"({"edits":[{"old":1},{"n":"x"}]})").value);
    EXPECT_EQ(describe(violations), "at /edits/1: 'old' is required; at /edits/1/n: must be integer, is string");
}

TEST(Schema, StrangersCannotMakeItRunForEver) {
    // A long text and a pattern with many ways to match it: std::regex overflows the stack here.
    const auto stack = compile_schema(R"({"pattern":"^(a|b)*$"})");
    EXPECT_TRUE(is_valid(*stack, string_value(std::string(2'000'000, 'a'))));
    const auto slow = compile_schema(R"({"pattern":"^(a+)+$"})");
    EXPECT_TRUE(is_valid(*slow, string_value(std::string(64, 'a') + "!")));  // gave up
    const auto loop = compile_schema(R"({"$ref":"#"})");
    EXPECT_TRUE(is_valid(*loop, string_value("x")));
    const auto doubling = compile_schema(
        R"({"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}}})");
    EXPECT_TRUE(is_valid(*doubling, string_value("x")));
}
