// Where the markup of each format begins and ends.
#include <algorithm>

#include "core/tools/text_parts.hpp"

namespace lc::tools {

namespace {

constexpr std::size_t max_name = 128;

std::size_t skip_space(std::string_view text, std::size_t at = 0) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) ++at;
    return at;
}

bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.' || c == ':' || c == '/';
}

std::string_view rest_of(std::string_view text) {
    return text.substr(skip_space(text));
}

/// A name at the beginning of `text`, up to the first character that cannot be in one. `after`: where it ends.
Begin name_begins(const ToolSet& tools, std::string_view text, std::size_t& after) {
    after = 0;
    while (after < text.size() && is_name_char(text[after])) ++after;
    if (after > max_name) return Begin::no;
    if (after == text.size()) return Begin::perhaps;
    return after > 0 && find_tool(tools, text.substr(0, after)).tool ? Begin::yes : Begin::no;
}

Begin literal_begins(std::string_view text, std::string_view literal) {
    if (text.starts_with(literal)) return Begin::yes;
    return literal.starts_with(text) ? Begin::perhaps : Begin::no;
}

/// `{"name": "TOOL"` or an object that begins with another key of a call; a list of such.
Begin json_begins(const ToolSet& tools, std::string_view text, bool only_name = false) {
    text = rest_of(text);
    if (text.starts_with('[')) text = rest_of(text.substr(1));
    if (text.empty()) return Begin::perhaps;
    if (text[0] != '{') return Begin::no;
    text = rest_of(text.substr(1));
    if (text.empty()) return Begin::perhaps;
    const char quote = text[0];
    if (quote != '"' && quote != '\'') return Begin::no;
    text.remove_prefix(1);
    const std::size_t end = text.find(quote);
    const std::string_view key = text.substr(0, end);
    static constexpr std::string_view keys[] = {"name", "arguments", "parameters", "function",
                                                "type", "id",        "tool",       "tool_name"};
    const auto known = [&](std::string_view candidate) {
        return end == std::string_view::npos ? candidate.starts_with(key) : candidate == key;
    };
    if (std::none_of(std::begin(keys), std::end(keys), known)) return Begin::no;
    if (only_name && !known("name")) return Begin::no;
    if (end == std::string_view::npos) return Begin::perhaps;
    if (key != "name") return Begin::yes;
    text = rest_of(text.substr(end + 1));
    if (text.empty()) return Begin::perhaps;
    if (text[0] != ':') return Begin::no;
    text = rest_of(text.substr(1));
    if (text.empty()) return Begin::perhaps;
    if (text[0] != '"' && text[0] != '\'') return Begin::no;
    const std::size_t close = text.find(text[0], 1);
    if (std::min(close, text.size()) > max_name + 1) return Begin::no;
    if (close == std::string_view::npos) return Begin::perhaps;
    return find_tool(tools, text.substr(1, close - 1)).tool ? Begin::yes : Begin::no;
}

/// `<function=TOOL>`, `<invoke name="TOOL">`; `tag` ends before the name.
Begin tag_begins(const ToolSet& tools, std::string_view text, std::string_view tag) {
    const Begin begin = literal_begins(text, tag);
    if (begin != Begin::yes) return begin;
    text.remove_prefix(tag.size());
    if (text.starts_with('"') || text.starts_with('\'')) text.remove_prefix(1);
    std::size_t after = 0;
    const Begin name = name_begins(tools, text, after);
    if (name != Begin::yes) return name;
    return text[after] == '>' || text[after] == '"' || text[after] == '\'' || text[after] == '\n' ? Begin::yes
                                                                                                  : Begin::no;
}

/// Inside of <tool_call>: JSON, Qwen3-Coder's XML, or GLM's.
Begin tool_call_begins(const ToolSet& tools, std::string_view text, Format& format) {
    text = rest_of(text);
    if (text.empty()) return Begin::perhaps;
    if (text[0] == '{' || text[0] == '[') return json_begins(tools, text);
    if (text[0] == '<') {
        format = Format::qwen_xml;
        const Begin begin = tag_begins(tools, text, "<function=");
        if (begin != Begin::no) return begin;
        format = Format::invoke;
        return tag_begins(tools, text, "<invoke name=");
    }
    format = Format::glm;
    std::size_t after = 0;
    const Begin name = name_begins(tools, text, after);
    if (name != Begin::yes) return name;
    text = rest_of(text.substr(after));
    const Begin key = literal_begins(text, "<arg_key>");
    return key != Begin::no ? key : literal_begins(text, "</tool_call>");
}

Begin mistral_begins(const ToolSet& tools, std::string_view text) {
    text = rest_of(text);
    if (text.empty()) return Begin::perhaps;
    if (text[0] == '[' || text[0] == '{') return json_begins(tools, text);
    std::size_t after = 0;
    return name_begins(tools, text, after);
}

/// The header of a message to a function: everything before <|message|>.
Begin harmony_begins(const ToolSet& tools, std::string_view text) {
    constexpr std::size_t max_header = 256;
    constexpr std::string_view mark = "<|message|>";
    const std::size_t end = text.find(mark);
    if (std::min(end, text.size() - std::min(text.size(), mark.size())) > max_header) return Begin::no;
    if (end == std::string_view::npos) return Begin::perhaps;
    const std::size_t to = text.find(" to=");
    if (to >= end) return Begin::no;
    std::string_view name = text.substr(to + 4, end - to - 4);
    name = name.substr(0, name.find_first_of(" <"));
    return find_tool(tools, name).tool ? Begin::yes : Begin::no;
}

Begin fence_begins(const ToolSet& tools, std::string_view text) {
    const Begin ticks = literal_begins(text, "```");
    if (ticks != Begin::yes) return ticks;
    const std::size_t line = text.find('\n');
    const std::string_view language = text.substr(3, line == std::string_view::npos ? line : line - 3);
    static constexpr std::string_view languages[] = {"", "json", "tool_call", "tool_calls", "tool", "xml", "function"};
    const auto fits = [&](std::string_view known) {
        return line == std::string_view::npos ? known.starts_with(language) : known == language;
    };
    if (std::none_of(std::begin(languages), std::end(languages), fits)) return Begin::no;
    if (line == std::string_view::npos) return Begin::perhaps;
    const auto body = rest_of(text.substr(line));
    const Begin tag = literal_begins(body, "<tool_call>");
    if (tag == Begin::perhaps) return tag;
    Format format = Format::json;
    return tag == Begin::yes ? tool_call_begins(tools, body.substr(11), format) : json_begins(tools, body, true);
}

struct Tag {
    std::string_view open, close;
    Format format;
    bool inside;  ///< the tag itself is markup around the calls (else it belongs to the first)
};

constexpr Tag tags[] = {
    {"<tool_call>", "</tool_call>", Format::json, true},
    {"<tool_calls>", "</tool_calls>", Format::json, true},
    {"<function_call>", "</function_call>", Format::json, true},
    {"<functioncall>", "</functioncall>", Format::json, true},
    {"<tools>", "</tools>", Format::json, true},
    {"<|tool_call|>", "<|/tool_call|>", Format::json, true},
    {"<|python_tag|>", "", Format::json, true},
    {"<function=", "</function>", Format::qwen_xml, false},
    {"<invoke name=", "</invoke>", Format::invoke, false},
    {"<function_calls>", "</function_calls>", Format::invoke, true},
    {"<minimax:tool_call>", "</minimax:tool_call>", Format::invoke, true},
    {"<｜DSML｜function_calls>", "</｜DSML｜function_calls>", Format::invoke, true},
    {"[TOOL_CALLS]", "", Format::mistral, true},
    {"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", Format::deepseek, true},
    {"<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", Format::deepseek, false},
    {"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", Format::kimi, true},
    {"<|tool_call_begin|>", "<|tool_call_end|>", Format::kimi, false},
    {"<|start|>assistant", "", Format::harmony, false},
    {"<|channel|>", "", Format::harmony, false},
};

Begin body_begins(const ToolSet& tools, const Tag& tag, std::string_view text, Format& format) {
    const std::string_view body = text.substr(tag.open.size());
    switch (tag.format) {
        case Format::json:
            return tag.open == "<tool_call>" ? tool_call_begins(tools, body, format) : json_begins(tools, body);
        case Format::qwen_xml:
        case Format::invoke: return tag.inside ? Begin::yes : tag_begins(tools, text, tag.open);
        case Format::mistral: return mistral_begins(tools, body);
        case Format::harmony: return harmony_begins(tools, text);
        default: return Begin::yes;
    }
}

}  // namespace

Opener opener_at(const ToolSet& tools, std::string_view text, bool start, bool bare) {
    bool perhaps = false;
    for (const Tag& tag : tags) {
        if (!text.starts_with(tag.open)) {
            perhaps = perhaps || tag.open.starts_with(text);
            continue;
        }
        Format format = tag.format;
        const Begin begin = body_begins(tools, tag, text, format);
        return {begin, format, tag.close, tag.inside ? tag.open.size() : 0};
    }
    Opener other;
    if (start && bare) {
        if (text.starts_with('`')) other = {fence_begins(tools, text), Format::fenced, "", 0};
        if (text.starts_with('{') || text.starts_with('['))
            other = {json_begins(tools, text, true), Format::bare, "", 0};
    }
    if (other.begin == Begin::no && perhaps) other.begin = Begin::perhaps;
    return other;
}

bool is_closed(Format format, std::string_view inside) {
    while (!inside.empty() && skip_space(inside.substr(inside.size() - 1)) == 1) inside.remove_suffix(1);
    const auto lacks = [&](std::string_view what) { return inside.find(what) == std::string_view::npos; };
    switch (format) {
        case Format::json: return parse(inside, {.tolerant = true, .close = true}).broken != Broken::cut_string;
        case Format::glm: return inside.ends_with("</arg_value>") || lacks("<arg_key>");
        case Format::qwen_xml:
            return inside.ends_with("</function>") || inside.ends_with("</parameter>") || lacks("<parameter=");
        case Format::invoke: return inside.ends_with("invoke>") || inside.ends_with("parameter>") || lacks("parameter");
        default: return true;
    }
}

}  // namespace lc::tools
