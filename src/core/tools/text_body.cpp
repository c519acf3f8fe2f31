// What stands between the tags of each format.
#include <algorithm>

#include "core/tools/fit.hpp"
#include "core/tools/schema_parts.hpp"
#include "core/tools/text_parts.hpp"

namespace lc::tools {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

/// Takes everything up to `mark` (and it) off `text`; nothing when there is none.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view mark) {
    const std::size_t at = text.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    const auto out = text.substr(0, at);
    text.remove_prefix(at + mark.size());
    return out;
}

bool take(std::string_view& text, std::string_view mark) {
    if (!text.starts_with(mark)) return false;
    text.remove_prefix(mark.size());
    return true;
}

/// A tool's definition is no call of it.
bool is_definition(const Tool& tool, const Value& arguments) {
    const Value* type = find(arguments, "type");
    return type && type->text == "object" && find(arguments, "properties") && !has_argument(tool.schema, "properties");
}

std::optional<TextCall> call_from(const ToolSet& tools, const Value& object) {
    static constexpr std::string_view argument_keys[] = {"arguments", "parameters", "args", "input"};
    static constexpr std::string_view other_keys[] = {"name", "id", "type", "function", "tool", "tool_name", "call_id"};
    const Value* arguments = nullptr;
    const Value* name = nullptr;
    for (const auto& [key, value] : object.members) {
        if (std::find(std::begin(argument_keys), std::end(argument_keys), key) != std::end(argument_keys)) {
            if (arguments) return std::nullopt;
            arguments = &value;
        } else if (std::find(std::begin(other_keys), std::end(other_keys), key) == std::end(other_keys)) {
            return std::nullopt;
        } else if (key == "function" && value.kind == Kind::object) {
            return call_from(tools, value);
        } else if (key == "name" || key == "function" || key == "tool" || key == "tool_name") {
            if (!name || key == "name") name = &value;
        }
    }
    if (!name || name->kind != Kind::string) return std::nullopt;
    const Tool* tool = find_tool(tools, name->text).tool;
    if (!tool) return std::nullopt;
    TextCall call{Format::json, name->text, {}, {}};
    if (!arguments || arguments->kind == Kind::null) return call;
    if (arguments->kind == Kind::string) {
        call.arguments = arguments->text;
        return call;
    }
    if (arguments->kind != Kind::object || is_definition(*tool, *arguments)) return std::nullopt;
    call.arguments = write(*arguments);
    return call;
}

/// One object, a list of them, or several one after the other.
std::vector<TextCall> json_calls(const ToolSet& tools, std::string_view text, bool cut) {
    std::vector<TextCall> calls;
    text = trimmed(text);
    while (!text.empty()) {
        auto parsed = parse(text);
        if (!parsed.value) parsed = parse_prefix(text);
        if (!parsed.value && !cut) parsed = parse(text, {.tolerant = true, .close = true});
        if (!parsed.value) return {};
        const bool list = parsed.value->kind == Kind::array;
        const std::vector<Value> one{*parsed.value};
        for (const auto& value : list ? parsed.value->items : one) {
            auto call = call_from(tools, value);
            if (!call) return {};
            call->fixes = parsed.fixes;
            calls.push_back(std::move(*call));
        }
        text = trimmed(text.substr(parsed.at));
        // A brace too many behind a whole call.
        while (!cut && !text.empty() && text[0] == '}') {
            note(calls.back().fixes, Fix::extra_closer);
            text = trimmed(text.substr(1));
        }
        if (text.starts_with(',') || text.starts_with(';')) text = trimmed(text.substr(1));
    }
    return calls;
}

/// An argument's value as XML formats write it: text as it is, everything else as JSON.
void add_argument(const Tool& tool, std::string_view key, std::string_view raw, Value& arguments) {
    const std::uint8_t kinds = kinds_of_argument(tool.schema, key);
    Value value = string_value(std::string(raw));
    if ((kinds & bit(Kind::string)) == 0) {
        auto parsed = parse(trimmed(raw));
        if (!parsed.value) parsed = parse(trimmed(raw), {.tolerant = true});
        if (parsed.value && (kinds & bit(parsed.value->kind))) value = std::move(*parsed.value);
    }
    arguments.members.push_back({std::string(key), std::move(value)});
}

std::string_view without_frame_lines(std::string_view value) {
    if (value.starts_with('\n')) value.remove_prefix(1);
    if (value.ends_with('\n')) value.remove_suffix(1);
    return value;
}

/// How XML with tags for each parameter looks.
struct Xml {
    std::string_view call, parameter, parameter_end, call_end;
    bool frame_lines;  ///< a line break after the opening tag and before the closing one belongs to the markup
};

/// A name inside a tag, up to its '>'; quotes and attributes are taken off.
std::optional<std::string> tag_name(std::string_view& text) {
    auto inside = take_until(text, ">");
    if (!inside) return std::nullopt;
    std::string_view name = trimmed(*inside);
    if (name.starts_with('"') || name.starts_with('\'')) {
        const std::size_t close = name.find(name[0], 1);
        if (close == std::string_view::npos) return std::nullopt;
        name = name.substr(1, close - 1);
    }
    return name.empty() ? std::nullopt : std::optional(std::string(name));
}

/// A value ends at the closing tag behind which the markup goes on: others are part of it.
std::optional<std::string_view> take_value(std::string_view& text, const Xml& xml) {
    for (std::size_t at = text.find(xml.parameter_end); at != std::string_view::npos;
         at = text.find(xml.parameter_end, at + 1)) {
        const auto rest = trimmed(text.substr(at + xml.parameter_end.size()));
        if (!rest.empty() && !rest.starts_with(xml.parameter) && !rest.starts_with(xml.call_end)) continue;
        const auto value = text.substr(0, at);
        text.remove_prefix(at + xml.parameter_end.size());
        return value;
    }
    return std::nullopt;
}

std::vector<TextCall> xml_calls(const ToolSet& tools, std::string_view text, const Xml& xml, Format format) {
    std::vector<TextCall> calls;
    for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
        if (!take(text, xml.call)) return {};
        const auto name = tag_name(text);
        const Tool* tool = name ? find_tool(tools, *name).tool : nullptr;
        if (!tool) return {};
        Value arguments = object_value();
        for (text = trimmed(text); take(text, xml.parameter); text = trimmed(text)) {
            const auto key = tag_name(text);
            const auto value = key ? take_value(text, xml) : std::nullopt;
            if (!value) return {};
            add_argument(*tool, *key, xml.frame_lines ? without_frame_lines(*value) : *value, arguments);
        }
        if (!take(text, xml.call_end) && !text.empty()) return {};
        calls.push_back({format, *name, write(arguments), {}});
    }
    return calls;
}

std::vector<TextCall> glm_calls(const ToolSet& tools, std::string_view text) {
    const std::size_t end = std::min(text.find("<arg_key>"), text.size());
    const std::string name(trimmed(text.substr(0, end)));
    const Tool* tool = find_tool(tools, name).tool;
    if (!tool) return {};
    text = trimmed(text.substr(end));
    Value arguments = object_value();
    while (!text.empty()) {
        if (!take(text, "<arg_key>")) return {};
        const auto key = take_until(text, "</arg_key>");
        text = trimmed(text);
        if (!key || !take(text, "<arg_value>")) return {};
        static constexpr Xml xml{"", "<arg_key>", "</arg_value>", "</tool_call>", false};
        const auto value = take_value(text, xml);
        if (!value) return {};
        add_argument(*tool, trimmed(*key), *value, arguments);
        text = trimmed(text);
    }
    return {{Format::glm, name, write(arguments), {}}};
}

std::vector<TextCall> deepseek_calls(const ToolSet& tools, std::string_view text) {
    std::vector<TextCall> calls;
    for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
        if (!take(text, "<｜tool▁call▁begin｜>")) return {};
        auto body = take_until(text, "<｜tool▁call▁end｜>");
        if (!body) {
            body = text;
            text = {};
        }
        auto front = take_until(*body, "<｜tool▁sep｜>");
        if (!front) return {};
        if (trimmed(*front) == "function") front = take_until(*body, "\n");  // before V3.1: the kind, then the name
        if (!front || !find_tool(tools, trimmed(*front)).tool) return {};
        calls.push_back({Format::deepseek, std::string(trimmed(*front)), std::string(trimmed(*body)), {}});
    }
    return calls;
}

std::vector<TextCall> kimi_calls(const ToolSet& tools, std::string_view text) {
    std::vector<TextCall> calls;
    for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
        if (!take(text, "<|tool_call_begin|>")) return {};
        const auto name = take_until(text, "<|tool_call_argument_begin|>");
        if (!name || !find_tool(tools, trimmed(*name)).tool) return {};
        auto body = take_until(text, "<|tool_call_end|>");
        if (!body) {
            body = text;
            text = {};
        }
        calls.push_back({Format::kimi, std::string(trimmed(*name)), std::string(trimmed(*body)), {}});
    }
    return calls;
}

std::vector<TextCall> harmony_calls(const ToolSet& tools, std::string_view text) {
    std::vector<TextCall> calls;
    for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
        const auto header = take_until(text, "<|message|>");
        const std::size_t to = header ? header->find(" to=") : std::string_view::npos;
        if (to == std::string_view::npos) return {};
        std::string_view name = header->substr(to + 4);
        name = name.substr(0, name.find_first_of(" <"));
        if (!find_tool(tools, name).tool) return {};
        auto body = take_until(text, "<|call|>");
        if (!body) body = take_until(text, "<|end|>");
        if (!body) {
            body = text;
            text = {};
        }
        calls.push_back({Format::harmony, std::string(name), std::string(trimmed(*body)), {}});
    }
    return calls;
}

std::vector<TextCall> mistral_calls(const ToolSet& tools, std::string_view text, bool cut) {
    std::vector<TextCall> calls;
    for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
        if (take(text, "[TOOL_CALLS]")) continue;
        if (text[0] == '[' || text[0] == '{') {
            auto some = json_calls(tools, take_until(text, "[TOOL_CALLS]").value_or(text), cut);
            if (some.empty() || !calls.empty()) return {};
            return some;
        }
        const std::size_t end = text.find_first_of("[{ \n");
        if (end == std::string_view::npos) return {};
        const std::string name(text.substr(0, end));
        if (!find_tool(tools, name).tool) return {};
        text = trimmed(text.substr(end));
        if (take(text, "[CALL_ID]")) text.remove_prefix(std::min(text.find("[ARGS]"), text.size()));
        take(text, "[ARGS]");
        const auto body = trimmed(text.substr(0, text.find("[TOOL_CALLS]")));
        const auto parsed = parse_prefix(trimmed(text));
        const std::size_t used = parsed.value ? parsed.at : body.size();
        calls.push_back({Format::mistral, name, std::string(trimmed(text).substr(0, used)), {}});
        text = trimmed(text).substr(used);
    }
    return calls;
}

std::vector<TextCall> fenced_calls(const ToolSet& tools, std::string_view text, bool cut) {
    const std::size_t line = text.find('\n');
    if (line == std::string_view::npos) return {};
    text = trimmed(text.substr(line));
    if (text.ends_with("```"))
        text = trimmed(text.substr(0, text.size() - 3));
    else if (cut)
        return {};
    if (text.find("\n```") != std::string_view::npos) return {};
    if (!take(text, "<tool_call>")) return json_calls(tools, text, cut);
    if (text.ends_with("</tool_call>")) text.remove_suffix(12);
    return calls_in(tools, trimmed(text).starts_with('<') ? Format::qwen_xml : Format::json, text, cut);
}

/// Without markup, only what is a valid call counts as one.
bool all_sound(const ToolSet& tools, const std::vector<TextCall>& calls, bool cut) {
    return std::all_of(calls.begin(), calls.end(), [&](const TextCall& call) {
        const auto outcome = repair(tools, {call.name, call.arguments, cut});
        return outcome.verdict == Verdict::valid || outcome.verdict == Verdict::repaired;
    });
}

std::string without(std::string_view text, std::string_view what) {
    std::string out;
    while (auto before = take_until(text, what)) out += *before;
    return out.append(text);
}

}  // namespace

std::vector<TextCall> calls_in(const ToolSet& tools, Format format, std::string_view inside, bool cut) {
    static constexpr Xml qwen{"<function=", "<parameter=", "</parameter>", "</function>", true};
    static constexpr Xml invoke{"<invoke name=", "<parameter name=", "</parameter>", "</invoke>", false};
    std::vector<TextCall> calls;
    switch (format) {
        case Format::json: calls = json_calls(tools, inside, cut); break;
        case Format::bare:
        case Format::fenced:
            calls = format == Format::bare ? json_calls(tools, inside, cut) : fenced_calls(tools, inside, cut);
            if (!all_sound(tools, calls, cut)) return {};
            break;
        case Format::glm: calls = glm_calls(tools, inside); break;
        case Format::qwen_xml: calls = xml_calls(tools, inside, qwen, format); break;
        case Format::invoke: calls = xml_calls(tools, without(inside, "｜DSML｜"), invoke, format); break;
        case Format::mistral: calls = mistral_calls(tools, inside, cut); break;
        case Format::deepseek: calls = deepseek_calls(tools, inside); break;
        case Format::harmony: calls = harmony_calls(tools, inside); break;
        case Format::kimi: calls = kimi_calls(tools, inside); break;
    }
    const auto is_whole = [](const TextCall& call) { return parse(call.arguments).value.has_value(); };
    if (cut && !std::all_of(calls.begin(), calls.end(), is_whole)) return {};
    for (auto& call : calls) call.format = format;
    return calls;
}

}  // namespace lc::tools
