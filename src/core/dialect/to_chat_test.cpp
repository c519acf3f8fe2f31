#include "core/dialect/to_chat.hpp"

#include <gtest/gtest.h>

namespace lc::dialect {
namespace {

constexpr const char* behind = R"("stream_options":{"include_usage":true}})";

TEST(ToChat, Messages) {
    const struct {
        const char *name, *body;
        std::string want;
    } cases[] = {
        {"text, system, members of our own, big numbers",
         R"({"model":"m","max_tokens":9,"seed":12345678901234567890,"id_slot":1,"system":"S","metadata":{"user_id":"u"},"messages":[{"role":"user","content":"Hi"}]})",
         R"({"model":"m","max_tokens":9,"seed":12345678901234567890,"id_slot":1,"messages":[{"role":"system","content":"S"},{"role":"user","content":"Hi"}],)"},
        {"system in blocks",
         R"({"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[]})",
         R"({"messages":[{"role":"system","content":"ab"}],)"},
        {"calls, results before the text behind them, thoughts, images",
         R"({"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"I look"},{"type":"tool_use","id":"t1","name":"read","input":{"n":1.0}}]},{"role":"user","content":[{"type":"text","text":"so?"},{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}]})",
         R"({"messages":[{"role":"assistant","content":"I look","reasoning_content":"hm","tool_calls":[{"id":"t1","type":"function","function":{"name":"read","arguments":"{\"n\":1.0}"}}]},{"role":"tool","tool_call_id":"t1","content":"xy"},{"role":"user","content":[{"type":"text","text":"so?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}],)"},
        {"tools, hosted ones left out, a named one",
         R"({"tools":[{"name":"read","description":"d","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"read","disable_parallel_tool_use":true},"messages":[]})",
         R"({"tool_choice":{"type":"function","function":{"name":"read"}},"parallel_tool_calls":false,"messages":[],"tools":[{"type":"function","function":{"name":"read","description":"d","parameters":{"type":"object"}}}],)"},
        {"any", R"({"tools":[{"name":"read"}],"tool_choice":{"type":"any"},"messages":[]})",
         R"({"tool_choice":"required","messages":[],"tools":[{"type":"function","function":{"name":"read","description":"","parameters":{"type":"object"}}}],)"},
        {"format, stops, a budget of thoughts",
         R"({"messages":[],"stop_sequences":["x"],"thinking":{"type":"enabled","budget_tokens":100},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}})",
         R"({"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object"}}},"stop":["x"],"thinking_budget_tokens":100,"messages":[],)"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto chat = to_chat(api::Dialect::messages, c.body);
        ASSERT_TRUE(chat) << chat.error().detail;
        EXPECT_EQ(chat->body, c.want + behind);
        EXPECT_TRUE(chat->names.empty());
        EXPECT_TRUE(api::parse_request(api::Dialect::chat, chat->body));
    }
}

TEST(ToChat, Responses) {
    const struct {
        const char *name, *body;
        std::string want;
        std::vector<ToolName> names;
    } cases[] = {
        {"text, instructions", R"({"model":"m","instructions":"S","input":"Hi","max_output_tokens":5,"store":false})",
         R"({"model":"m","max_tokens":5,"messages":[{"role":"system","content":"S"},{"role":"user","content":"Hi"}],)", {}},
        {"one turn of reasoning, text and calls",
         R"({"input":[{"role":"developer","content":[{"type":"input_text","text":"D"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}],"content":null},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok"}]},{"type":"function_call","call_id":"c1","name":"read","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"out"},{"type":"web_search_call","id":"w"}]})",
         R"({"messages":[{"role":"developer","content":"D"},{"role":"assistant","content":"ok","reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"read","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"out"}],)", {}},
        {"custom tools and their calls",
         R"({"tools":[{"type":"custom","name":"apply_patch","description":"d","format":{"type":"grammar","syntax":"lark","definition":"g"}}],"tool_choice":{"type":"custom","name":"apply_patch"},"input":[{"type":"custom_tool_call","call_id":"c","name":"apply_patch","input":"a\nb"},{"type":"custom_tool_call_output","call_id":"c","output":"done"}]})",
         R"({"tool_choice":{"type":"function","function":{"name":"apply_patch"}},"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"apply_patch","arguments":"{\"input\":\"a\\nb\"}"}}]},{"role":"tool","tool_call_id":"c","content":"done"}],"tools":[{"type":"function","function":{"name":"apply_patch","description":"d\n\nThe text in `input` follows this grammar (lark):\ng","parameters":{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}}}],)",
         {{"apply_patch", "apply_patch", "", true}}},
        {"namespaces",
         R"({"tools":[{"type":"namespace","name":"ns","tools":[{"type":"function","name":"read","parameters":{"type":"object"}},{"type":"function","name":"spawn"}]},{"type":"function","name":"read"},{"type":"web_search"}],"input":[{"type":"function_call","call_id":"c","namespace":"ns","name":"read","arguments":"{}"}]})",
         R"({"messages":[{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"ns__read","arguments":"{}"}}]}],"tools":[{"type":"function","function":{"name":"read","description":"","parameters":{"type":"object"}}},{"type":"function","function":{"name":"ns__read","description":"","parameters":{"type":"object"}}},{"type":"function","function":{"name":"spawn","description":"","parameters":{"type":"object"}}}],)",
         {{"ns__read", "read", "ns", false}, {"spawn", "spawn", "ns", false}}},
        {"a format, an effort, a choice without tools",
         R"({"input":"x","tool_choice":"auto","reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}},"verbosity":"low"}})",
         R"({"reasoning_effort":"low","response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}},"messages":[{"role":"user","content":"x"}],)", {}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto chat = to_chat(api::Dialect::responses, c.body);
        ASSERT_TRUE(chat) << chat.error().detail;
        EXPECT_EQ(chat->body, c.want + behind);
        EXPECT_EQ(chat->names, c.names);
        EXPECT_TRUE(api::parse_request(api::Dialect::chat, chat->body));
    }
}

TEST(ToChat, WhatCannotBeSaid) {
    const struct {
        const char *body, *named;
    } cases[] = {
        {R"({"input":"x","previous_response_id":"r"})", "previous_response_id"},
        {R"({"input":[{"type":"item_reference","id":"i"}]})", "input[0]"},
        {R"({"input":[{"role":"user","content":[{"type":"input_file","file_id":"f"}]}]})", "input_file"},
        {R"({"model":"m"})", "'input' is required"},
    };
    for (const auto& c : cases) {
        const auto chat = to_chat(api::Dialect::responses, c.body);
        ASSERT_FALSE(chat) << c.body;
        EXPECT_NE(chat.error().detail.find(c.named), std::string::npos) << chat.error().detail;
    }
}

TEST(ToChat, OnlyWhereItIsNeeded) {
    const struct {
        api::Dialect dialect;
        const char* body;
        bool want;
    } cases[] = {
        {api::Dialect::messages, R"({"messages":[{"role":"user","content":"Hi"}]})", false},
        {api::Dialect::messages, R"({"messages":[],"tools":[{"name":"a"}]})", true},
        {api::Dialect::messages, R"({"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t"}]}]})", true},
        {api::Dialect::messages, R"({"messages":[],"output_config":{"effort":"low"}})", false},
        {api::Dialect::messages, R"({"messages":[],"output_format":{"type":"json_schema","schema":{}}})", true},
        {api::Dialect::responses, R"({"input":"Hi","text":{"format":{"type":"text"}}})", false},
        {api::Dialect::responses, R"({"input":"Hi","text":{"format":{"type":"json_object"}}})", true},
        {api::Dialect::responses, R"({"input":[{"type":"custom_tool_call","call_id":"c","name":"a","input":""}]})", true},
        {api::Dialect::chat, R"({"messages":[],"tools":[{"function":{"name":"a"}}]})", false},
    };
    for (const auto& c : cases) {
        const auto view = api::parse_request(c.dialect, c.body);
        ASSERT_TRUE(view) << c.body;
        EXPECT_EQ(needs_chat(*view, c.body), c.want) << c.body;
    }
}

}  // namespace
}  // namespace lc::dialect
