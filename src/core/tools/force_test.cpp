#include "core/tools/force.hpp"

#include <gtest/gtest.h>

#include "core/api/stream_event.hpp"

using namespace lc;
using namespace lc::tools;

namespace {

const std::string definitions =
    R"([{"type":"function","function":{"name":"read","parameters":{"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"number","minimum":1},"todo":{"$ref":"#/$defs/t"}},"required":["path"],"$defs":{"t":{"type":"integer"}}}}},
        {"type":"function","function":{"name":"list","parameters":{"type":"object","properties":{}}}}])";

struct Asked {
    std::string body;
    api::RequestView view;
    ToolSet tools;
};

Asked ask(const std::string& rest) {
    Asked asked;
    asked.body = R"({"model":"m","messages":[],"tools":)" + definitions + rest + "}";
    auto view = api::parse_request(api::Dialect::chat, asked.body);
    EXPECT_TRUE(view) << asked.body;
    asked.view = *view;
    asked.tools = tools_of(asked.view, asked.body);
    return asked;
}

const std::string named = R"(,"tool_choice":{"type":"function","function":{"name":"read"}})";

Force plan(const Asked& asked, std::string_view rendered) {
    auto force = plan_force(asked.tools, asked.view, asked.body, rendered);
    EXPECT_TRUE(force) << (force ? "" : force.error().detail);
    return force ? *force : Force{};
}

/// What a client reads when the engine sends these texts.
std::string played(const Asked& asked, const Force& force, const std::vector<std::string>& texts,
                   const std::string& stop_type) {
    ForcedStream stream;
    stream.force = force;
    stream.id = "r";
    api::StreamReader reader;
    std::string out;
    const auto feed = [&](const std::string& data) {
        sse::Frame frame{"data: " + data + "\n\n", "", data, true};
        for (const auto& chat : translate(asked.tools, stream, frame)) {
            for (const auto& event : api::read(reader, chat)) {
                if (const auto* text = std::get_if<api::TextDelta>(&event)) out += text->text;
                if (const auto* begin = std::get_if<api::ToolBegin>(&event))
                    out += "[" + begin->id + ":" + begin->name + "]";
                if (const auto* piece = std::get_if<api::ToolArguments>(&event)) out += piece->text;
                if (const auto* finish = std::get_if<api::Finish>(&event)) out += "|" + finish->reason;
                if (std::holds_alternative<api::Done>(event)) out += "|done";
            }
        }
    };
    for (const auto& text : texts) feed(R"({"index":0,"content":")" + text + R"(","stop":false})");
    feed(R"({"index":0,"content":"","stop":true,"stop_type":")" + stop_type +
         R"(","tokens_evaluated":5,"tokens_predicted":2})");
    return out;
}

}  // namespace

TEST(Force, WhatLlamaCppDoesNotDoByItself) {
    const struct {
        const char* rest;
        Wanted want;
    } cases[] = {
        {"", Wanted::nothing},
        {R"(,"tool_choice":"auto")", Wanted::nothing},
        {R"(,"tool_choice":"none")", Wanted::nothing},
        {R"(,"tool_choice":"required")", Wanted::call},
        {R"(,"tool_choice":{"type":"function","function":{"name":"read"}})", Wanted::named},
        {R"(,"grammar":"root ::= \"a\"")", Wanted::text},
        {R"(,"response_format":{"type":"json_object"})", Wanted::text},
        {R"(,"response_format":{"type":"text"},"grammar":null)", Wanted::nothing},
    };
    for (const auto& c : cases) {
        const auto asked = ask(c.rest);
        EXPECT_EQ(wanted(asked.view, asked.body), c.want) << c.rest;
    }
}

TEST(Force, OneToolIsCalledRightAway) {
    const auto asked = ask(named + R"(,"max_tokens":9,"stop":["x"],"temperature":0.50)");
    const auto force = plan(asked, "<|im_start|>assistant\n");
    EXPECT_EQ(force.opener, "<tool_call>\n{\"name\": \"read\", \"arguments\": ");
    EXPECT_EQ(
        force.json_schema,
        R"({"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer","minimum":1,"maximum":999999999},"todo":{"$ref":"#/$defs/t"}},"required":["path"],"$defs":{"t":{"type":"integer","minimum":-999999999,"maximum":999999999}}})");
    EXPECT_EQ(
        completion_body(asked.view, asked.body, force, "P"),
        R"({"prompt":"P<tool_call>\n{\"name\": \"read\", \"arguments\": ","stream":true,"return_progress":true,"json_schema":)" +
            force.json_schema + R"(,"n_predict":9,"temperature":0.50})");
    EXPECT_EQ(played(asked, force, {"{\\\"pa", "th\\\": \\\"}\\\\\\\"", "\\\"}", "}\\n"}, "eos"),
              R"([call_r:read]{"path": "}\""}|tool_calls|done)");
    EXPECT_EQ(played(asked, force, {"{\\\"pa"}, "limit"), R"([call_r:read]{"pa|length|done)");
}

TEST(Force, OneOfSeveralTools) {
    const auto asked = ask(R"(,"tool_choice":"required")");
    const auto force = plan(asked, "<|im_start|>assistant\n");
    EXPECT_EQ(force.opener, "<tool_call>\n");
    EXPECT_NE(force.json_schema.find(R"("name":{"const":"list"})"), std::string::npos);
    EXPECT_NE(force.json_schema.find(R"("$ref":"#/$defs/t0/$defs/t")"), std::string::npos) << force.json_schema;
    EXPECT_TRUE(compile_schema(force.json_schema)->unchecked.empty());
    EXPECT_EQ(played(asked, force, {"{\\\"na", "me\\\": \\\"list\\\", \\\"argu", "ments\\\": {", "}}"}, "eos"),
              "[call_r:list]{}|tool_calls|done");
}

TEST(Force, FamiliesBeginCallsAsTheyWereTrained) {
    const struct {
        const char* rendered;
        const char* opener;
    } cases[] = {
        {"... <|start_header_id|>assistant<|end_header_id|>\n\n", "{\"name\": \"read\", \"parameters\": "},
        {"[AVAILABLE_TOOLS] ...", "[TOOL_CALLS][{\"name\": \"read\", \"arguments\": "},
        {"<|start|>assistant", "<|channel|>commentary to=functions.read <|constrain|>json<|message|>"},
        {"<｜Assistant｜>", "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>read<｜tool▁sep｜>"},
        {"<function=example>\n<parameter=p>", "<tool_call>\n"},
        {"<arg_key>k</arg_key><arg_value>v</arg_value>", "<tool_call>"},
        {"<|im_start|>assistant\n<think>\n", "\n</think>\n\n<tool_call>\n{\"name\": \"read\", \"arguments\": "},
    };
    const auto asked = ask(named);
    for (const auto& c : cases) EXPECT_EQ(plan(asked, c.rendered).opener, c.opener);
}

TEST(Force, XmlFamiliesGetAGrammar) {
    const auto asked = ask(named);
    const auto force = plan(asked, "<function=e>\n<parameter=p>");
    EXPECT_NE(force.grammar.find("root ::= call0\ncall0 ::= \"<function=read>\\n\" \"<parameter=path>\\n\" text "
                                 "\"\\n</parameter>\\n\" ( \"<parameter=limit>\\n\" ( number )"),
              std::string::npos)
        << force.grammar;
    EXPECT_EQ(played(asked, force,
                     {"<function=read>\\n<parameter=path>\\n/a\\n</parameter>\\n<parameter=limit>\\n3\\n</para",
                      "meter>\\n</function>\\n</tool_call>"},
                     "eos"),
              R"([call_r:read]{"path":"/a","limit":3}|tool_calls|done)");
}

TEST(Force, AFormatBesideTools) {
    const auto asked = ask(R"(,"grammar":"root ::= \"yes\" | \"no\"","stop":["z"])");
    const auto force = plan(asked, "P");
    EXPECT_EQ(
        completion_body(asked.view, asked.body, force, "P"),
        R"({"prompt":"P","stream":true,"return_progress":true,"grammar":"root ::= \"yes\" | \"no\"","stop":["z"]})");
    EXPECT_EQ(played(asked, force, {"ye", "s"}, "eos"), "yes|stop|done");
}

TEST(Force, WhatCannotBeIsToldBeforehand) {
    for (const char* rest : {R"(,"tool_choice":{"type":"function","function":{"name":"fly"}})", R"(,"grammar":3)",
                             R"(,"json_schema":{"type":"strin"})"}) {
        const auto asked = ask(rest);
        const auto force = plan_force(asked.tools, asked.view, asked.body, "P");
        ASSERT_FALSE(force) << rest;
        EXPECT_EQ(force.error().code, Errc::bad_request);
    }
}

TEST(ToolSet, AllowedTools) {
    const struct {
        api::Dialect dialect;
        std::string choice;
        std::vector<std::string> want;
    } cases[] = {
        {api::Dialect::chat,
         R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"b"}},{"type":"function","function":{"name":"z"}}]}})",
         {"b"}},
        {api::Dialect::responses,
         R"({"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"a"}]})",
         {"a"}},
        {api::Dialect::chat, R"({"type":"function","function":{"name":"a"}})", {"a", "b"}},
        {api::Dialect::chat, R"("auto")", {"a", "b"}},
    };
    const auto tools = tools_from_json(R"([{"name":"a"},{"name":"b"}])");
    for (const auto& c : cases) {
        const std::string body = R"({"messages":[],"input":"x","tool_choice":)" + c.choice + "}";
        const auto view = api::parse_request(c.dialect, body);
        ASSERT_TRUE(view) << body;
        const auto names = allowed_tools(*view, body);
        std::vector<std::string> left;
        for (const auto& tool : (names ? only(tools, *names) : tools).tools) left.push_back(tool.name);
        EXPECT_EQ(left, c.want) << body;
    }
}
