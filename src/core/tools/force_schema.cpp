// Schemas and grammars for forced calls.
#include <algorithm>

#include "core/api/splice.hpp"
#include "core/tools/fit.hpp"
#include "core/tools/force.hpp"
#include "core/tools/schema_parts.hpp"

namespace lc::tools {

namespace {

constexpr std::string_view lowest = "-999999999", highest = "999999999";

Value literal(std::string_view digits) {
    Value value;
    value.kind = Kind::number;
    value.text = digits;
    return value;
}

bool has_type(const Value& schema, std::string_view name) {
    const Value* type = find(schema, "type");
    if (!type) return false;
    const auto is = [&](const Value& one) { return one.kind == Kind::string && one.text == name; };
    return is(*type) || std::any_of(type->items.begin(), type->items.end(), is);
}

/// The keyword's value where it is a whole number of at most nine digits, else `otherwise`.
Value bound(const Value& schema, std::string_view key, std::string_view exclusive, int step,
            std::string_view otherwise) {
    for (const auto& [name, add] : {std::pair{key, 0}, std::pair{exclusive, step}}) {
        const Value* limit = find(schema, name);
        if (!limit || limit->kind != Kind::number || !is_integer(*limit)) continue;
        const double number = number_of(*limit) + add;
        if (number >= -999999999 && number <= 999999999) return literal(std::to_string(static_cast<long long>(number)));
    }
    return literal(otherwise);
}

void set(Value& object, std::string_view key, Value value) {
    if (Value* old = find(object, key)) {
        *old = std::move(value);
    } else {
        object.members.push_back({std::string(key), std::move(value)});
    }
}

void erase(Value& object, std::string_view key) {
    std::erase_if(object.members, [&](const Member& member) { return member.key == key; });
}

void bound_numbers(Value& schema) {
    const bool lists = find(schema, "enum") || find(schema, "const");
    if (lists || (!has_type(schema, "integer") && !has_type(schema, "number"))) return;
    // llama.cpp bounds whole numbers only.
    Value low = bound(schema, "minimum", "exclusiveMinimum", 1, lowest);
    Value high = bound(schema, "maximum", "exclusiveMaximum", -1, highest);
    if (number_of(low) > number_of(high)) return;
    Value& type = *find(schema, "type");
    const auto whole = [](Value& one) {
        if (one.text == "number") one.text = "integer";
    };
    whole(type);
    for (auto& one : type.items) whole(one);
    for (const std::string_view key : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
        erase(schema, key);
    set(schema, "minimum", std::move(low));
    set(schema, "maximum", std::move(high));
}

/// Patterns that llama.cpp's grammar maker refuses would refuse the request.
void drop_unreadable(Value& schema) {
    const Value* pattern = find(schema, "pattern");
    const bool plain = pattern && pattern->text.starts_with('^') && pattern->text.ends_with('$') &&
                       pattern->text.find("(?") == std::string::npos && pattern->text.find('\\') == std::string::npos;
    if (pattern && !plain) erase(schema, "pattern");
    for (const std::string_view key :
         {"$schema", "$id", "default", "examples", "description", "title", "not", "if", "then", "else"}) {
        const Value* there = find(schema, key);
        const bool text_key = key == "description" || key == "title" || key == "$schema" || key == "$id";
        // A property may have such a name: then its value is a schema, not a text.
        if (there && (!text_key || there->kind == Kind::string)) erase(schema, key);
    }
}

void bound_schema(Value& schema, std::size_t depth);

void bound_all(Value* map, std::size_t depth) {
    if (!map) return;
    for (auto& member : map->members) bound_schema(member.value, depth + 1);
    for (auto& item : map->items) bound_schema(item, depth + 1);
}

void bound_schema(Value& schema, std::size_t depth) {
    if (schema.kind != Kind::object || depth > 64) return;
    drop_unreadable(schema);
    bound_numbers(schema);
    for (const std::string_view key :
         {"properties", "$defs", "definitions", "anyOf", "oneOf", "allOf", "prefixItems"}) {
        bound_all(find(schema, key), depth);
    }
    for (const std::string_view key : {"items", "additionalProperties"}) {
        Value* child = find(schema, key);
        if (child && child->kind == Kind::array) bound_all(child, depth);
        if (child) bound_schema(*child, depth + 1);
    }
}

/// `#/...` becomes a reference into `place`.
void move_refs(Value& value, const std::string& place) {
    for (auto& member : value.members) {
        const bool ref =
            member.key == "$ref" && member.value.kind == Kind::string && member.value.text.starts_with('#');
        if (ref) {
            member.value.text = place + member.value.text.substr(1);
        } else {
            move_refs(member.value, place);
        }
    }
    for (auto& item : value.items) move_refs(item, place);
}

}  // namespace

std::string bounded_schema(std::string_view schema) {
    auto parsed = parse(schema.empty() ? R"({"type":"object"})" : schema);
    if (!parsed.value || parsed.value->kind != Kind::object) return R"({"type":"object"})";
    bound_schema(*parsed.value, 0);
    if (parsed.value->members.empty()) return R"({"type":"object"})";
    return write(*parsed.value);
}

std::string call_schema(const ToolSet& tools, std::string_view arguments_key) {
    std::string alternatives, definitions;
    std::size_t index = 0;
    for (const auto& tool : tools.tools) {
        if (tool.free_text) continue;
        const std::string name = "t" + std::to_string(index++);
        auto schema = parse(bounded_schema(tool.parameters));
        move_refs(*schema.value, "#/$defs/" + name);
        const std::string comma = alternatives.empty() ? "" : ",";
        definitions += comma + api::json_quote(name) + ":" + write(*schema.value);
        const std::string key = api::json_quote(arguments_key);
        alternatives += comma + R"({"type":"object","properties":{"name":{"const":)" + api::json_quote(tool.name) +
                        "}," + key + R"(:{"$ref":"#/$defs/)" + name + R"("}},"required":["name",)" + key +
                        R"(],"additionalProperties":false})";
    }
    return R"({"anyOf":[)" + alternatives + R"(],"$defs":{)" + definitions + "}}";
}

namespace {

std::string gbnf_quote(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += std::string("\\") + c;
        else if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out + "\"";
}

/// `text`: strings of XML calls, without what may begin a closing tag of the markup.
constexpr std::string_view common_rules =
    "text ::= ( [^<] | \"<\" [^/] | \"</\" [^ap] )*\n"
    "integer ::= \"-\"? ( \"0\" | [1-9] [0-9]{0,8} )\n"
    "number ::= integer ( \".\" [0-9]{1,6} )?\n"
    "boolean ::= \"true\" | \"false\"\n"
    "null ::= \"null\"\n"
    "string ::= \"\\\"\" ( [^\"\\\\\\x00-\\x1f] | \"\\\\\" [\"\\\\/bfnrt] )* \"\\\"\"\n"
    "space ::= [ \\n]{0,2}\n"
    "array ::= \"[\" space ( value ( space \",\" space value )* )? space \"]\"\n"
    "object ::= \"{\" space ( string space \":\" space value ( space \",\" space string space \":\" space value )* )? "
    "space \"}\"\n"
    "value ::= object | array | string | number | boolean | null\n";

std::string value_rule(const Tool& tool, std::string_view argument, const Value& schema) {
    if (const Value* values = find(schema, "enum"); values && !values->items.empty()) {
        std::string out;
        for (const auto& value : values->items) {
            out += (out.empty() ? "" : " | ") + gbnf_quote(value.kind == Kind::string ? value.text : write(value));
        }
        return "( " + out + " )";
    }
    const std::uint8_t kinds = kinds_of_argument(tool.schema, argument);
    if (kinds & bit(Kind::string)) return "text";
    if (has_type(schema, "integer")) return "integer";
    static constexpr std::pair<Kind, std::string_view> rules[] = {{Kind::number, "number"},
                                                                  {Kind::boolean, "boolean"},
                                                                  {Kind::array, "array"},
                                                                  {Kind::object, "object"},
                                                                  {Kind::null, "null"}};
    std::string out;
    for (const auto& [kind, rule] : rules) {
        if (kinds & bit(kind)) out += (out.empty() ? "" : " | ") + std::string(rule);
    }
    return "( " + (out.empty() ? "value" : out) + " )";
}

/// The arguments of a tool in the order of their definition, the required ones always.
std::string arguments_rule(const Tool& tool, bool glm) {
    const auto schema = parse(tool.parameters.empty() ? "{}" : tool.parameters);
    const Value* properties = schema.value ? find(*schema.value, "properties") : nullptr;
    const Value* required = schema.value ? find(*schema.value, "required") : nullptr;
    std::string out;
    for (const auto& property : properties ? properties->members : std::vector<Member>{}) {
        const std::string& name = property.key;
        const bool must = required && std::any_of(required->items.begin(), required->items.end(),
                                                  [&](const Value& one) { return one.text == name; });
        const std::string open = glm ? "<arg_key>" + name + "</arg_key>\n<arg_value>" : "<parameter=" + name + ">\n";
        const std::string close = glm ? "</arg_value>\n" : "\n</parameter>\n";
        const std::string rule =
            gbnf_quote(open) + " " + value_rule(tool, name, property.value) + " " + gbnf_quote(close);
        out += must ? " " + rule : " ( " + rule + " )?";
    }
    return out;
}

}  // namespace

std::string xml_grammar(const ToolSet& tools, std::string_view only, Markup markup) {
    const bool glm = markup == Markup::glm;
    std::string root, rules;
    std::size_t index = 0;
    for (const auto& tool : tools.tools) {
        if ((!only.empty() && tool.name != only) || tool.free_text) continue;
        const std::string rule = "call" + std::to_string(index++);
        root += (root.empty() ? "" : " | ") + rule;
        const std::string open = glm ? tool.name + "\n" : "<function=" + tool.name + ">\n";
        const std::string close = glm ? "</tool_call>" : "</function>\n</tool_call>";
        rules += rule + " ::= " + gbnf_quote(open) + arguments_rule(tool, glm) + " " + gbnf_quote(close) + "\n";
    }
    return "root ::= " + root + "\n" + rules + std::string(common_rules);
}

}  // namespace lc::tools
