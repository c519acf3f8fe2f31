#include "core/templates/templates.hpp"

#include <gtest/gtest.h>

namespace lc::templates {
namespace {

TEST(Templates, FamilyTable) {
    const struct {
        const char* name;
        std::string_view text;
        Family want;
    } cases[] = {
        {"nothing", "", Family::unknown},
        {"ChatML", "{{ '<|im_start|>' + message.role }}", Family::chatml},
        {"Phi 4 is not ChatML", "<|im_start|>user<|im_sep|>", Family::unknown},
        {"SmolVLM is not ChatML", "<|im_start|>User: <end_of_utterance>", Family::unknown},
        {"Llama 3", "<|start_header_id|>user<|end_header_id|>", Family::llama3},
        {"Llama 2", "[INST] <<SYS>>\n", Family::llama2},
        {"Mistral 0.1", "{{ '[INST] ' + message['content'] + ' [/INST]' }}", Family::mistral},
        {"Mistral Nemo", "[AVAILABLE_TOOLS][INST]", Family::mistral},
        {"Gemma", "<start_of_turn>user", Family::gemma},
        {"Phi 3", "<|user|>\n<|end|>\n<|assistant|>", Family::phi},
        {"DeepSeek", "<｜User｜>x<｜Assistant｜>", Family::deepseek},
        {"GLM", "[gMASK]<sop><|user|>", Family::glm},
        {"Command R", "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", Family::command_r},
        {"Granite", "<|start_of_role|>user<|end_of_role|>", Family::granite},
        {"Alpaca", "### Instruction:", Family::unknown},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(family_of(c.text), c.want);
    }
}

TEST(Templates, RendersToolsTable) {
    const struct {
        const char* name;
        std::string_view text;
        bool want;
    } cases[] = {
        {"empty", "", false},
        {"plain ChatML", "{% for message in messages %}{{ message.content }}{% endfor %}", false},
        {"loop over tools", "{% for tool in tools %}{{ tool | tojson }}{% endfor %}", true},
        {"expression", "{{ tools | tojson }}", true},
        {"with dashes", "{%- if tools -%}x{%- endif -%}", true},
        {"only in text", "You have no tools.", false},
        {"only in a string", "{{ 'You have no tools. }}' + \"tools\" }}", false},
        {"after a string with a quote", "{{ 'it\\'s' + tools }}", true},
        {"only in a comment", "{# tools #}{{ x }}", false},
        {"part of another name", "{{ xml_tools }}{{ toolset }}", false},
        {"calls are not tools", "{% if message.tool_calls %}{% endif %}", false},
        {"open comment", "{# tools", false},
        {"open tag", "{{ tools", true},
        {"lone brace at the end", "x{", false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(renders_tools(c.text), c.want);
    }
}

TEST(Templates, EachFamilyHasOneSourceAtMost) {
    for (int i = 0; i <= static_cast<int>(Family::unknown); ++i) {
        const auto family = static_cast<Family>(i);
        SCOPED_TRACE(name_of(family));
        EXPECT_FALSE(!tool_template_of(family).empty() && !builtin_tool_template(family).empty());
        EXPECT_TRUE(tool_template_of(family).empty() || tool_template_of(family).ends_with(".jinja"));
    }
    EXPECT_EQ(tool_template_of(Family::chatml), "Qwen-Qwen2.5-7B-Instruct.jinja");
    EXPECT_TRUE(tool_template_of(Family::unknown).empty());
    EXPECT_TRUE(renders_tools(builtin_tool_template(Family::gemma)));
    EXPECT_EQ(family_of(builtin_tool_template(Family::gemma)), Family::gemma);
    EXPECT_EQ(family_of(fallback_template()), Family::chatml);
    EXPECT_FALSE(renders_tools(fallback_template()));
    EXPECT_FALSE(renders_reasoning(fallback_template()));
    EXPECT_TRUE(renders_reasoning("{% if enable_thinking %}<think>{% endif %}"));
}

TEST(Templates, ComposeKeepsBothTexts) {
    const struct {
        const char* name;
        std::string_view own, tools, want;
    } cases[] = {
        {"plain", "A", "B", R"({% if tools %}{{ "" }}B{{ "" }}{% else %}{{ "" }}A{{ "" }}{% endif %})"},
        {"one newline at the end goes, as Jinja would do", "A\n\n", "B\r\n",
         "{% if tools %}{{ \"\" }}B{{ \"\" }}{% else %}{{ \"\" }}A\n{{ \"\" }}{% endif %}"},
        {"newline at the beginning stays", "\nA", "\nB",
         "{% if tools %}{{ \"\" }}\nB{{ \"\" }}{% else %}{{ \"\" }}\nA{{ \"\" }}{% endif %}"},
        {"empty", "", "", R"({% if tools %}{{ "" }}{{ "" }}{% else %}{{ "" }}{{ "" }}{% endif %})"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(compose(c.own, c.tools), c.want);
        EXPECT_TRUE(renders_tools(compose(c.own, c.tools)));
    }
}

}  // namespace
}  // namespace lc::templates
