#include "core/tools/force.hpp"

#include <algorithm>

#include "core/api/json_dom.hpp"
#include "core/api/json_scan.hpp"
#include "core/api/splice.hpp"
#include "core/tools/text_parts.hpp"

namespace lc::tools {

// force_schema.cpp
std::string call_schema(const ToolSet& tools, std::string_view arguments_key);

std::string_view name_of(Markup markup) {
    switch (markup) {
        case Markup::hermes: return "hermes";
        case Markup::llama3: return "llama3";
        case Markup::mistral: return "mistral";
        case Markup::deepseek: return "deepseek";
        case Markup::harmony: return "harmony";
        case Markup::glm: return "glm";
        case Markup::qwen_xml: return "qwen_xml";
    }
    return "";
}

Markup markup_of(std::string_view rendered) {
    const auto has = [&](std::string_view what) { return rendered.find(what) != std::string_view::npos; };
    if (has("<arg_key>") && has("<arg_value>")) return Markup::glm;
    if (has("<function=") && has("<parameter=")) return Markup::qwen_xml;
    if (has("<|start|>assistant") || has("<|channel|>")) return Markup::harmony;
    if (has("[AVAILABLE_TOOLS]") || has("[TOOL_CALLS]")) return Markup::mistral;
    if (has("<｜Assistant｜>") || has("<｜tool▁")) return Markup::deepseek;
    if (has("<|start_header_id|>") && !has("<tool_call>")) return Markup::llama3;
    return Markup::hermes;
}

namespace {

std::string_view raw_member(const api::RequestView& view, std::string_view body, std::string_view key) {
    const api::Member* member = api::find(view, key);
    const std::string_view raw = member ? api::slice(body, member->value) : std::string_view{};
    return raw == "null" ? std::string_view{} : raw;
}

/// response_format's type, "" without one.
std::string format_type(const api::RequestView& view, std::string_view body) {
    const auto format = parse(raw_member(view, body, "response_format"));
    const Value* type = format.value ? find(*format.value, "type") : nullptr;
    return type ? type->text : "";
}

bool asks_for_text(const api::RequestView& view, std::string_view body) {
    const std::string_view grammar = raw_member(view, body, "grammar");
    const std::string format = format_type(view, body);
    return (!grammar.empty() && grammar != "\"\"") || !raw_member(view, body, "json_schema").empty() ||
           format == "json_object" || format == "json_schema";
}

/// The grammar or schema that the client sent.
Result<void> read_format(const api::RequestView& view, std::string_view body, Force& force) {
    const auto grammar = parse(raw_member(view, body, "grammar"));
    if (grammar.value && grammar.value->kind == Kind::string && !grammar.value->text.empty()) {
        force.grammar = grammar.value->text;
        return {};
    }
    if (grammar.value && grammar.value->kind != Kind::string)
        return fail(Errc::bad_request, "'grammar' must be a string");
    if (const auto schema = raw_member(view, body, "json_schema"); !schema.empty()) {
        force.json_schema = schema;
    } else {
        const auto format = parse(raw_member(view, body, "response_format"));
        const Value* wrapper = format.value ? find(*format.value, "json_schema") : nullptr;
        const Value* inner = wrapper ? find(*wrapper, "schema") : nullptr;
        if (!inner && format.value) inner = find(*format.value, "schema");
        force.json_schema = inner ? write(*inner) : R"({"type":"object"})";
    }
    if (auto usable = compile_schema(force.json_schema); !usable) return tl::unexpected(usable.error());
    return {};
}

/// How a call of one tool begins, up to its arguments.
std::string named_opener(Markup markup, std::string_view name) {
    const std::string quoted = api::json_quote(name);
    const std::string plain(name);
    switch (markup) {
        case Markup::hermes: return "<tool_call>\n{\"name\": " + quoted + ", \"arguments\": ";
        case Markup::llama3: return "{\"name\": " + quoted + ", \"parameters\": ";
        case Markup::mistral: return "[TOOL_CALLS][{\"name\": " + quoted + ", \"arguments\": ";
        case Markup::deepseek: return "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>" + plain + "<｜tool▁sep｜>";
        case Markup::harmony: return "<|channel|>commentary to=functions." + plain + " <|constrain|>json<|message|>";
        case Markup::glm: return "<tool_call>";
        case Markup::qwen_xml: return "<tool_call>\n";
    }
    return "";
}

std::string any_opener(Markup markup) {
    switch (markup) {
        case Markup::hermes:
        case Markup::qwen_xml: return "<tool_call>\n";
        case Markup::llama3: return "";
        case Markup::mistral: return "[TOOL_CALLS][";
        case Markup::deepseek: return "<｜tool▁calls▁begin｜>";
        case Markup::harmony: return "<|channel|>commentary<|message|>";
        case Markup::glm: return "<tool_call>";
    }
    return "";
}

bool ends_thinking(std::string_view rendered) {
    while (!rendered.empty() && (rendered.back() == '\n' || rendered.back() == ' ')) rendered.remove_suffix(1);
    return rendered.ends_with("<think>");
}

}  // namespace

Wanted wanted(const api::RequestView& view, std::string_view body) {
    if (view.dialect != api::Dialect::chat || view.tools.empty()) return Wanted::nothing;
    if (view.tool_choice == "required") return Wanted::call;
    if (view.tool_choice.starts_with("function:")) return Wanted::named;
    return asks_for_text(view, body) ? Wanted::text : Wanted::nothing;
}

Result<Force> plan_force(const ToolSet& tools, const api::RequestView& view, std::string_view body,
                         std::string_view rendered) {
    Force force;
    force.what = wanted(view, body);
    force.markup = markup_of(rendered);
    force.thinks = ends_thinking(rendered);
    if (force.what == Wanted::nothing) return force;
    if (force.what == Wanted::text) {
        if (auto ok = read_format(view, body, force); !ok) return tl::unexpected(ok.error());
        return force;
    }
    std::vector<const Tool*> usable;
    for (const auto& tool : tools.tools) {
        if (!tool.free_text) usable.push_back(&tool);
    }
    if (force.what == Wanted::named) {
        const Tool* tool = tools.find(std::string_view(view.tool_choice).substr(9));
        if (!tool)
            return fail(Errc::bad_request,
                        "'tool_choice' names a tool that is not in 'tools': '" + view.tool_choice.substr(9) + "'");
        force.name = tool->name;
    } else if (usable.size() == 1) {
        force.name = usable.front()->name;
    }
    if (usable.empty()) return fail(Errc::bad_request, "'tool_choice' is 'required', but no tool can be called");
    const bool xml = force.markup == Markup::glm || force.markup == Markup::qwen_xml;
    force.opener = force.name.empty() ? any_opener(force.markup) : named_opener(force.markup, force.name);
    if (xml)
        force.grammar = xml_grammar(tools, force.name, force.markup);
    else if (force.name.empty())
        force.json_schema = call_schema(tools, force.markup == Markup::llama3 ? "parameters" : "arguments");
    else
        force.json_schema = bounded_schema(tools.find(force.name)->parameters);
    if (force.thinks) force.opener = "\n</think>\n\n" + force.opener;
    return force;
}

std::string completion_body(const api::RequestView& view, std::string_view body, const Force& force,
                            std::string_view rendered) {
    static constexpr std::string_view left_out[] = {"messages",
                                                    "tools",
                                                    "tool_choice",
                                                    "parallel_tool_calls",
                                                    "stream",
                                                    "stream_options",
                                                    "response_format",
                                                    "grammar",
                                                    "json_schema",
                                                    "grammar_lazy",
                                                    "grammar_triggers",
                                                    "model",
                                                    "chat_template_kwargs",
                                                    "reasoning_effort",
                                                    "reasoning_format",
                                                    "reasoning",
                                                    "thinking",
                                                    "n",
                                                    "user",
                                                    "store",
                                                    "metadata",
                                                    "localcode",
                                                    "max_tokens",
                                                    "max_completion_tokens",
                                                    "n_predict",
                                                    "logprobs",
                                                    "top_logprobs",
                                                    "return_progress",
                                                    "prompt",
                                                    "chat_template",
                                                    "add_generation_prompt",
                                                    "parse_tool_calls",
                                                    "service_tier",
                                                    "verbosity"};
    std::string out = "{\"prompt\":" + api::json_quote(std::string(rendered) + force.opener) +
                      ",\"stream\":true,\"return_progress\":true";
    if (!force.grammar.empty()) out += ",\"grammar\":" + api::json_quote(force.grammar);
    if (!force.json_schema.empty()) out += ",\"json_schema\":" + force.json_schema;
    if (view.max_tokens) out += ",\"n_predict\":" + std::to_string(*view.max_tokens);
    for (const auto& member : view.members) {
        const bool dropped = std::find(std::begin(left_out), std::end(left_out), member.key) != std::end(left_out);
        // A stop word would cut a call in one of its strings.
        if (dropped || (member.key == "stop" && force.what != Wanted::text) || api::find(view, member.key) != &member)
            continue;
        out += "," + std::string(api::slice(body, member.whole));
    }
    return out + "}";
}

}  // namespace lc::tools
