#include "core/tools/repair.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "core/api/splice.hpp"
#include "core/tools/fit.hpp"

namespace lc::tools {

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::valid: return "valid";
        case Verdict::repaired: return "repaired";
        case Verdict::hopeless: return "hopeless";
        case Verdict::unchecked: return "unchecked";
    }
    return "";
}

namespace {

constexpr std::size_t max_arguments = 8 << 20;

std::string_view trimmed(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

/// Takes a fence or a closing tag of the model's markup from around the arguments.
std::string_view peel(std::string_view text, std::vector<Fix>& fixes) {
    text = trimmed(text);
    const std::string_view before = text;
    if (text.starts_with("```")) {
        const std::size_t line = text.find('\n');
        const std::string_view language = trimmed(text.substr(3, line == std::string_view::npos ? 0 : line - 3));
        const bool plain = language.find_first_of("{}[]\"") == std::string_view::npos;
        text.remove_prefix(line != std::string_view::npos && plain ? line + 1 : text.starts_with("```json") ? 7 : 3);
        text = trimmed(text);
        if (text.ends_with("```")) text.remove_suffix(3);
    } else if (text.size() > 2 && text.front() == '`' && text.back() == '`') {
        text = text.substr(1, text.size() - 2);
    } else if (text.size() > 3 && text.ends_with("```")) {
        text.remove_suffix(3);
    }
    text = trimmed(text);
    for (const std::string_view tag : {"</tool_call>", "</function>", "</function_call>", "</arguments>", "<|im_end|>",
                                       "<|call|>", "<|eot_id|>", "<|eom_id|>", "</s>", "<|end|>"}) {
        if (!text.ends_with(tag)) continue;
        text = trimmed(text.substr(0, text.size() - tag.size()));
    }
    for (const std::string_view tag : {"<arguments>", "<tool_call>"}) {
        if (text.starts_with(tag)) text = trimmed(text.substr(tag.size()));
    }
    if (text.size() != before.size()) note(fixes, Fix::fence);
    return text;
}

/// Models that stream an empty object first and then the real one.
std::string_view without_empty_front(std::string_view text, std::vector<Fix>& fixes) {
    if (!text.starts_with("{}")) return text;
    const auto rest = trimmed(text.substr(2));
    if (!rest.starts_with('{') || !rest.ends_with('}')) return text;
    note(fixes, Fix::extra_closer);
    return rest;
}

struct Read {
    Value value;
    std::vector<Fix> fixes;
};

std::optional<Read> read_once(std::string_view text, bool cut, std::string& why) {
    auto strict = parse(text);
    if (strict.value) return Read{std::move(*strict.value), {}};
    const std::string_view end =
        strict.broken == Broken::cut_string ? "a string is not closed" : "the arguments are not JSON";
    why = std::string(end) + " (byte " + std::to_string(strict.at) + ")";
    if (cut) return std::nullopt;
    Read read;
    text = without_empty_front(peel(text, read.fixes), read.fixes);
    auto parsed = parse(text, {.tolerant = true, .close = true});
    if (!parsed.value && text.starts_with("{\\\"")) {
        // The inside of a JSON string without its quotes.
        auto inner = parse("\"" + std::string(text) + "\"");
        if (!inner.value) return std::nullopt;
        note(read.fixes, Fix::encoded);
        parsed = parse(inner.value->text);
    }
    if (!parsed.value) return std::nullopt;
    read.value = std::move(*parsed.value);
    for (const Fix fix : parsed.fixes) note(read.fixes, fix);
    return read;
}

/// The arguments as an object, through strings that hold JSON.
std::optional<Read> read_arguments(std::string_view text, bool cut, std::string& why) {
    if (trimmed(text).empty()) return Read{object_value(), {Fix::empty}};
    auto read = read_once(text, cut, why);
    for (int i = 0; read && read->value.kind == Kind::string && i < 3 && !trimmed(read->value.text).empty(); ++i) {
        auto inner = read_once(read->value.text, cut, why);
        if (!inner) return std::nullopt;
        note(read->fixes, Fix::encoded);
        for (const Fix fix : inner->fixes) note(read->fixes, fix);
        read->value = std::move(inner->value);
    }
    if (!read) return std::nullopt;
    const bool nothing = read->value.kind == Kind::string && trimmed(read->value.text).empty();
    if (read->value.kind == Kind::null || nothing) return Read{object_value(), {Fix::empty}};
    const bool single = read->value.kind == Kind::array && read->value.items.size() == 1;
    if (single && read->value.items[0].kind == Kind::object) {
        note(read->fixes, Fix::wrapped);
        read->value = Value(read->value.items[0]);
    }
    if (read->value.kind == Kind::object) return read;
    why = "the arguments must be an object, not " + std::string(name_of(read->value.kind));
    return std::nullopt;
}

bool is_wrapper(std::string_view key) {
    static constexpr std::string_view keys[] = {"arguments", "parameters", "args", "params", "input", "kwargs"};
    return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

/// The object inside `{"arguments": {...}}` or `{"name": ..., "parameters": {...}}`; empty when this is none.
std::optional<Value> unwrap(const ToolSet& tools, const Tool& tool, const Value& value, bool cut) {
    const Value* inner = nullptr;
    for (const auto& [key, member] : value.members) {
        if (has_argument(tool.schema, key)) return std::nullopt;
        if (is_wrapper(key) || key == tool.name || (key == "function" && member.kind == Kind::object)) {
            if (inner) return std::nullopt;
            inner = &member;
        } else if (key == "name" || key == "tool" || key == "tool_name" || key == "function") {
            if (member.kind != Kind::string || find_tool(tools, member.text).tool != &tool) return std::nullopt;
        } else if (key != "type" && key != "id") {
            return std::nullopt;
        }
    }
    if (!inner) return std::nullopt;
    if (inner->kind == Kind::object) return *inner;
    if (inner->kind != Kind::string) return std::nullopt;
    std::string why;
    auto read = read_once(inner->text, cut, why);
    if (!read || read->value.kind != Kind::object) return std::nullopt;
    return std::move(read->value);
}

struct Candidate {
    Value value;
    std::vector<Fix> fixes;
};

/// The value as it is, unwrapped, or bent to the schema: the first that is valid.
bool settle(const ToolSet& tools, const Tool& tool, bool cut, Candidate& candidate) {
    if (is_valid(tool.schema, candidate.value)) return true;
    std::vector<Candidate> tries{candidate};
    Candidate inner = candidate;
    for (int i = 0; i < 2; ++i) {
        auto unwrapped = unwrap(tools, tool, inner.value, cut);
        if (!unwrapped) break;
        inner.value = std::move(*unwrapped);
        note(inner.fixes, Fix::wrapped);
        tries.push_back(inner);
    }
    for (auto& attempt : tries) {
        fit(tool.schema, attempt.value, !cut, attempt.fixes);
        if (!is_valid(tool.schema, attempt.value)) continue;
        candidate = std::move(attempt);
        return true;
    }
    return false;
}

Outcome hopeless(const Call& call, std::string why) {
    return {Verdict::hopeless, call.name, call.arguments, {}, std::move(why)};
}

std::string names_of(const ToolSet& tools) {
    std::string out;
    for (const auto& tool : tools.tools) out += (out.empty() ? "" : ", ") + tool.name;
    return out;
}

}  // namespace

Outcome repair(const ToolSet& tools, const Call& call) {
    if (tools.empty()) return {Verdict::unchecked, call.name, call.arguments, {}, {}};
    const Named named = find_tool(tools, call.name);
    if (named.tool == nullptr) {
        return hopeless(call, "there is no tool '" + call.name + "'; the tools are " + names_of(tools));
    }
    const Tool& tool = *named.tool;
    if (tool.free_text) {
        const auto verdict = named.exact ? Verdict::unchecked : Verdict::repaired;
        return {verdict, tool.name, call.arguments, named.exact ? std::vector<Fix>{} : std::vector{Fix::name}, {}};
    }
    if (call.arguments.size() > max_arguments) return {Verdict::unchecked, call.name, call.arguments, {}, {}};

    std::string why;
    auto read = read_arguments(call.arguments, call.cut, why);
    if (!read) return hopeless(call, call.cut ? "the call was cut: " + why : why);
    Candidate candidate{std::move(read->value), std::move(read->fixes)};
    if (!candidate.fixes.empty() && call.cut) return hopeless(call, "the call was cut");
    const bool as_it_came = candidate.fixes.empty();
    if (as_it_came && is_valid(tool.schema, candidate.value)) {
        if (named.exact) return {Verdict::valid, call.name, call.arguments, {}, {}};
        return {Verdict::repaired, tool.name, call.arguments, {Fix::name}, {}};
    }
    if (!settle(tools, tool, call.cut, candidate)) {
        return hopeless(call, describe(check(tool.schema, candidate.value)));
    }
    if (!named.exact) note(candidate.fixes, Fix::name);
    return {Verdict::repaired, tool.name, write(candidate.value), std::move(candidate.fixes), {}};
}

}  // namespace lc::tools
