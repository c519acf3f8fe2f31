#include "core/templates/templates.hpp"

#include <array>
#include <cctype>

namespace lc::templates {

namespace {

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Whether the identifier `wanted` occurs in `code` (the inside of one Jinja tag), string literals left out.
bool names_identifier(std::string_view code, std::string_view wanted) {
    for (std::size_t i = 0; i < code.size();) {
        if (code[i] == '\'' || code[i] == '"') {
            const char quote = code[i++];
            while (i < code.size() && code[i] != quote) i += code[i] == '\\' ? 2 : 1;
            ++i;
        } else if (is_word(code[i])) {
            std::size_t end = i;
            while (end < code.size() && is_word(code[end])) ++end;
            if (code.substr(i, end - i) == wanted) return true;
            i = end;
        } else {
            ++i;
        }
    }
    return false;
}

/// End of the tag that begins at `open`, string literals respected (they may hold "}}").
std::size_t tag_end(std::string_view text, std::size_t open, std::string_view close) {
    for (std::size_t i = open; i < text.size();) {
        if (text.substr(i, close.size()) == close) return i;
        if (text[i] == '\'' || text[i] == '"') {
            const char quote = text[i++];
            while (i < text.size() && text[i] != quote) i += text[i] == '\\' ? 2 : 1;
        }
        ++i;
    }
    return text.size();
}

}  // namespace

std::string_view name_of(Family family) {
    switch (family) {
        case Family::chatml: return "ChatML";
        case Family::llama3: return "Llama 3";
        case Family::llama2: return "Llama 2";
        case Family::mistral: return "Mistral";
        case Family::gemma: return "Gemma";
        case Family::phi: return "Phi";
        case Family::deepseek: return "DeepSeek";
        case Family::glm: return "GLM";
        case Family::command_r: return "Command R";
        case Family::granite: return "Granite";
        case Family::unknown: return "unknown";
    }
    return "unknown";
}

Family family_of(std::string_view t) {
    // Phi 4 and SmolVLM borrow ChatML's first token, but their turns look different.
    if (has(t, "<|im_start|>") && !has(t, "<|im_sep|>") && !has(t, "<end_of_utterance>")) return Family::chatml;
    if (has(t, "<|start_header_id|>")) return Family::llama3;
    if (has(t, "<start_of_turn>")) return Family::gemma;
    if (has(t, "[INST]")) {
        // Mistral's own: tokens for tools or system text, or the first version, which had neither and no <<SYS>>.
        if (has(t, "[AVAILABLE_TOOLS]") || has(t, "[SYSTEM_PROMPT]") || has(t, "[TOOL_CALLS]")) return Family::mistral;
        return has(t, "<<SYS>>") ? Family::llama2 : Family::mistral;
    }
    if (has(t, "<｜Assistant｜>") && has(t, "<｜User｜>")) return Family::deepseek;
    if (has(t, "<|START_OF_TURN_TOKEN|>")) return Family::command_r;
    if (has(t, "<|start_of_role|>")) return Family::granite;
    if (has(t, "[gMASK]")) return Family::glm;
    if (has(t, "<|assistant|>") && has(t, "<|end|>")) return Family::phi;
    return Family::unknown;
}

bool renders_reasoning(std::string_view t) {
    for (const std::string_view word : {"enable_thinking", "<think>", "reasoning_content", "reasoning_effort", "<|channel|>analysis"}) {
        if (t.find(word) != std::string_view::npos) return true;
    }
    return false;
}

bool renders_tools(std::string_view t) {
    for (std::size_t at = t.find('{'); at != std::string_view::npos && at + 1 < t.size(); at = t.find('{', at)) {
        const char kind = t[at + 1];
        if (kind == '#') {
            const std::size_t end = t.find("#}", at + 2);
            if (end == std::string_view::npos) return false;
            at = end + 2;
        } else if (kind == '%' || kind == '{') {
            const std::size_t end = tag_end(t, at + 2, kind == '%' ? "%}" : "}}");
            if (names_identifier(t.substr(at + 2, end - at - 2), "tools")) return true;
            at = end;
        } else {
            ++at;
        }
    }
    return false;
}

std::string_view tool_template_of(Family family) {
    switch (family) {
        case Family::chatml: return "Qwen-Qwen2.5-7B-Instruct.jinja";
        case Family::llama3: return "meta-llama-Llama-3.1-8B-Instruct.jinja";
        case Family::mistral: return "mistralai-Mistral-Nemo-Instruct-2407.jinja";
        case Family::deepseek: return "llama-cpp-deepseek-r1.jinja";
        case Family::glm: return "GLM-4.6.jinja";
        case Family::command_r: return "CohereForAI-c4ai-command-r-plus-tool_use.jinja";
        case Family::granite: return "ibm-granite-granite-4.0.jinja";
        case Family::gemma:  // see builtin_tool_template
        case Family::llama2:
        case Family::phi:
        case Family::unknown: return {};
    }
    return {};
}

std::string_view builtin_tool_template(Family family) {
    // Gemma 2 and 3 were trained without tool tokens. Their turns, with the tools described in the first user turn
    // (they know no system role) and calls in the form that small models know best from ChatML and Hermes.
    static constexpr std::string_view gemma = R"jinja({{- bos_token -}}
{%- set ns = namespace(system='', open='') -%}
{%- if messages and messages[0].role == 'system' -%}
    {%- if messages[0].content is string -%}
        {%- set ns.system = messages[0].content -%}
    {%- else -%}
        {%- for part in messages[0].content -%}{%- if part.type == 'text' -%}{%- set ns.system = ns.system + part.text -%}{%- endif -%}{%- endfor -%}
    {%- endif -%}
{%- endif -%}
{{- '<start_of_turn>user\n' -}}
{%- set ns.open = 'user' -%}
{%- if ns.system -%}{{- ns.system + '\n\n' -}}{%- endif -%}
{{- '# Tools\n\nYou can call these functions:\n<tools>\n' -}}
{%- for tool in tools -%}{{- tool | tojson + '\n' -}}{%- endfor -%}
{{- '</tools>\n\nTo call one, answer with its name and arguments as JSON between these tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>\n\n' -}}
{%- for message in messages -%}
    {%- if message.role != 'system' or not loop.first -%}
        {%- set role = 'model' if message.role == 'assistant' else 'user' -%}
        {%- if ns.open != role -%}
            {{- '<end_of_turn>\n<start_of_turn>' + role + '\n' -}}
            {%- set ns.open = role -%}
        {%- elif not loop.first and loop.previtem.role != 'system' -%}
            {{- '\n' -}}
        {%- endif -%}
        {%- if message.role == 'tool' -%}{{- '<tool_response>\n' -}}{%- endif -%}
        {%- if message.content is string -%}
            {{- message.content | trim -}}
        {%- elif message.content -%}
            {%- for part in message.content -%}{%- if part.type == 'text' -%}{{- part.text | trim -}}{%- endif -%}{%- endfor -%}
        {%- endif -%}
        {%- if message.role == 'tool' -%}{{- '\n</tool_response>' -}}{%- endif -%}
        {%- if message.tool_calls -%}
            {%- for call in message.tool_calls -%}
                {%- if not loop.first or message.content -%}{{- '\n' -}}{%- endif -%}
                {{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' -}}
                {{- call.function.arguments if call.function.arguments is string else call.function.arguments | tojson -}}
                {{- '}\n</tool_call>' -}}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
{%- endfor -%}
{{- '<end_of_turn>\n' -}}
{%- if add_generation_prompt -%}{{- '<start_of_turn>model\n' -}}{%- endif -%}
)jinja";
    return family == Family::gemma ? gemma : std::string_view();
}

std::string_view fallback_template() {
    return "{%- for message in messages -%}"
           "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}"
           "{%- endfor -%}"
           "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";
}

std::string compose(std::string_view own, std::string_view with_tools) {
    // Jinja drops a newline after a block tag, blanks before one, and one newline at the very end. The empty
    // expressions keep the first two off both texts; the third has to be done here, as neither text is at the end any
    // more.
    const auto without_last_newline = [](std::string_view text) {
        if (text.ends_with("\r\n")) return text.substr(0, text.size() - 2);
        return text.ends_with('\n') ? text.substr(0, text.size() - 1) : text;
    };
    constexpr std::string_view guard = "{{ \"\" }}";
    std::string out = "{% if tools %}";
    out.append(guard).append(without_last_newline(with_tools)).append(guard).append("{% else %}");
    out.append(guard).append(without_last_newline(own)).append(guard).append("{% endif %}");
    return out;
}

}  // namespace lc::templates
