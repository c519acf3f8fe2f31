#include "core/tools/toolset.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "core/api/json_scan.hpp"
#include "core/tools/parse.hpp"

namespace lc::tools {

const Tool* ToolSet::find(std::string_view name) const {
    for (const auto& tool : tools) {
        if (tool.name == name) return &tool;
    }
    return nullptr;
}

namespace {

void add_tool(ToolSet& set, const Value& entry) {
    const Value* definition = &entry;
    bool free_text = false;
    if (const Value* wrapped = find(entry, "function"); wrapped && wrapped->kind == Kind::object) definition = wrapped;
    if (const Value* wrapped = find(entry, "custom"); wrapped && wrapped->kind == Kind::object) {
        definition = wrapped;
        free_text = true;
    }
    const Value* type = find(entry, "type");
    if (type && type->kind == Kind::string && type->text != "function" && type->text != "custom") free_text = true;
    if (type && type->text == "custom" && !find(*definition, "input_schema")) free_text = true;
    const Value* name = find(*definition, "name");
    if (!name || name->kind != Kind::string || set.find(name->text)) return;
    Tool tool;
    tool.name = name->text;
    tool.free_text = free_text && !find(*definition, "input_schema");
    for (const std::string_view key : {"parameters", "input_schema", "inputSchema"}) {
        const Value* schema = find(*definition, key);
        if (!schema || schema->kind != Kind::object || tool.schema) continue;
        tool.parameters = write(*schema);
        auto compiled = compile_schema(tool.parameters);
        if (compiled) {
            tool.schema = std::move(*compiled);
            for (const auto& what : tool.schema.unchecked) set.unchecked.push_back(tool.name + what);
        } else {
            set.unchecked.push_back(tool.name + ": all arguments, " + compiled.error().detail);
        }
    }
    set.tools.push_back(std::move(tool));
}

}  // namespace

ToolSet tools_of(const api::RequestView& view, std::string_view body) {
    ToolSet set;
    for (const auto& tool : view.tools) {
        const auto parsed = parse(api::slice(body, tool.raw));
        if (parsed.value) add_tool(set, *parsed.value);
    }
    return set;
}

ToolSet tools_from_json(std::string_view list) {
    ToolSet set;
    const auto parsed = parse(list);
    if (!parsed.value) return set;
    for (const auto& tool : parsed.value->items) add_tool(set, tool);
    return set;
}

std::optional<std::vector<std::string>> allowed_tools(const api::RequestView& view, std::string_view body) {
    const auto* member = api::find(view, "tool_choice");
    if (!member || body[member->value.begin] != '{') return std::nullopt;
    const auto parsed = parse(api::slice(body, member->value));
    const Value* type = parsed.value ? find(*parsed.value, "type") : nullptr;
    if (!type || type->text != "allowed_tools") return std::nullopt;
    const Value* holder = find(*parsed.value, "allowed_tools");
    const Value* list = find(holder ? *holder : *parsed.value, "tools");
    if (!list || list->kind != Kind::array) return std::nullopt;
    std::vector<std::string> names;
    for (const auto& entry : list->items) {
        const Value* wrapped = find(entry, "function");
        const Value* name = find(wrapped ? *wrapped : entry, "name");
        if (name) names.push_back(name->text);
    }
    return names;
}

ToolSet only(const ToolSet& tools, const std::vector<std::string>& names) {
    ToolSet out;
    out.unchecked = tools.unchecked;
    for (const auto& tool : tools.tools) {
        if (std::find(names.begin(), names.end(), tool.name) != names.end()) out.tools.push_back(tool);
    }
    return out;
}

namespace {

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string bare(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (is_letter_or_digit(c) || static_cast<unsigned char>(c) >= 0x80) out += c;
    }
    return to_lower(out);
}

/// What models put around a name: spaces, quotes, a namespace of functions, what follows in their own markup.
std::vector<std::string> unwrapped(std::string_view name) {
    if (const std::size_t mark = name.find("<|"); mark != std::string_view::npos && mark > 0)
        name = name.substr(0, mark);
    const auto is_junk = [](char c) {
        return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '"' || c == '\'' || c == '`';
    };
    while (!name.empty() && is_junk(name.front())) name.remove_prefix(1);
    while (!name.empty() && is_junk(name.back())) name.remove_suffix(1);
    if (name.ends_with("()")) name.remove_suffix(2);
    std::vector<std::string> out{std::string(name)};
    const std::string lower = to_lower(name);
    for (const std::string_view front :
         {"functions.", "function.", "tools.", "tool.", "default_api.",
          "functions:", "function:", "tool:", "functions/", "functions_", "function_", "tool_", "tools_"}) {
        if (lower.size() > front.size() && lower.starts_with(front)) out.emplace_back(name.substr(front.size()));
    }
    for (const std::string_view back : {"_tool", "-tool", "tool", "_function"}) {
        if (lower.size() > back.size() + 2 && lower.ends_with(back))
            out.emplace_back(name.substr(0, name.size() - back.size()));
    }
    // gpt-oss and Kimi number their calls: "functions.read:0".
    const std::size_t colon = out.back().rfind(':');
    if (colon != std::string::npos && colon + 1 < out.back().size() &&
        out.back().find_first_not_of("0123456789", colon + 1) == std::string::npos) {
        out.push_back(out.back().substr(0, colon));
    }
    return out;
}

std::vector<std::string> words(std::string_view name) {
    std::vector<std::string> out(1);
    char before = '\0';
    for (const char c : name) {
        const bool hump = c >= 'A' && c <= 'Z' && before >= 'a' && before <= 'z';
        if ((!is_letter_or_digit(c) || hump) && !out.back().empty()) out.emplace_back();
        if (is_letter_or_digit(c)) out.back() += c;
        before = c;
    }
    if (out.back().empty()) out.pop_back();
    for (auto& word : out) word = to_lower(word);
    return out;
}

bool is_vowel(char c) {
    return std::string_view("aeiou").find(c) != std::string_view::npos;
}

/// One slip that makes no other word of it: a letter left out, doubled or swapped, or, in longer words, another letter.
bool is_slip(std::string_view wrong, std::string_view right) {
    if (wrong == right) return true;
    if (wrong.size() < 3 || right.size() < 4 || wrong.front() != right.front()) return false;
    if (wrong.size() == right.size()) {
        std::size_t first = 0, last = right.size() - 1;
        while (wrong[first] == right[first]) ++first;
        while (wrong[last] == right[last]) --last;
        if (last == first + 1) return wrong[first] == right[last] && wrong[last] == right[first];
        const bool both_vowels = is_vowel(wrong[first]) && is_vowel(right[first]);
        return first == last && (right.size() >= 6 || both_vowels);
    }
    return edit_distance(wrong, right) == 1;
}

bool nearly(std::string_view wrong, std::string_view right) {
    const auto a = words(wrong), b = words(right);
    if (a.size() != b.size()) return is_slip(bare(wrong), bare(right)) && bare(right).size() >= 6;
    int slips = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!is_slip(a[i], b[i])) return false;
        slips += a[i] != b[i] ? 1 : 0;
    }
    return slips == 1;
}

template <class Same>
const Tool* only_one(const ToolSet& tools, Same same) {
    const Tool* found = nullptr;
    for (const auto& tool : tools.tools) {
        if (!same(tool.name)) continue;
        if (found != nullptr) return nullptr;
        found = &tool;
    }
    return found;
}

}  // namespace

Named find_tool(const ToolSet& tools, std::string_view name) {
    if (const Tool* tool = tools.find(name)) return {tool, true};
    const auto forms = unwrapped(name);
    for (const auto& form : forms) {
        if (const Tool* tool = tools.find(form)) return {tool, false};
    }
    for (const auto& form : forms) {
        if (const Tool* tool = only_one(tools, [&](std::string_view known) { return iequals(form, known); }))
            return {tool, false};
    }
    for (const auto& form : forms) {
        const std::string plain = bare(form);
        if (plain.empty()) continue;
        if (const Tool* tool = only_one(tools, [&](std::string_view known) { return plain == bare(known); }))
            return {tool, false};
    }
    for (const auto& form : forms) {
        if (const Tool* tool = only_one(tools, [&](std::string_view known) { return nearly(form, known); }))
            return {tool, false};
    }
    return {};
}

}  // namespace lc::tools
