#include "core/tools/fit.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "core/tools/schema_parts.hpp"

namespace lc::tools {

namespace {

constexpr std::size_t max_depth = 32;

struct Fitter {
    const SchemaData& data;
    bool close;
    std::vector<Fix>& fixes;

    const Node* node(const Value* schema) const {
        const Node* at = node_of(data, schema);
        for (int i = 0; at && at->ref && at->types == 0 && !at->get(Key::properties) && i < 32; ++i)
            at = node_of(data, at->ref);
        return at;
    }

    std::uint8_t kinds(const Value* schema, std::size_t depth = 0) const {
        const Node* at = node(schema);
        if (!at || depth > max_depth) return all_types;
        std::uint8_t out = at->types ? at->types : all_types;
        if (const Value* values = at->get(Key::enumeration); values && values->kind == Kind::array) {
            std::uint8_t some = 0;
            for (const auto& value : values->items) some |= bit(value.kind);
            out &= some;
        }
        if (const Value* constant = at->get(Key::constant)) out &= bit(constant->kind);
        for (const Key key : {Key::any_of, Key::one_of}) {
            const Value* list = at->get(key);
            if (!list) continue;
            std::uint8_t some = 0;
            for (const auto& branch : list->items) some |= kinds(&branch, depth + 1);
            out &= some;
        }
        if (const Value* list = at->get(Key::all_of)) {
            for (const auto& branch : list->items) out &= kinds(&branch, depth + 1);
        }
        return out;
    }

    bool accept(const Value* schema, Value& value, Value candidate, Fix fix, std::size_t depth) {
        auto before = fixes;
        const bool nested = candidate.kind == Kind::array || candidate.kind == Kind::object;
        if (nested) bend(schema, candidate, depth + 1);
        if (!holds(data, schema, candidate)) {
            fixes = std::move(before);
            return false;
        }
        note(fixes, fix);
        value = std::move(candidate);
        return true;
    }

    /// A string where none is allowed.
    void unquote(const Value* schema, Value& value, std::uint8_t allowed, std::size_t depth) {
        const std::string text(trim(value.text));
        if ((allowed & bit(Kind::number)) && is_number_literal(text)) {
            Value number;
            number.kind = Kind::number;
            number.text = text;
            if (accept(schema, value, std::move(number), Fix::number, depth)) return;
        }
        if ((allowed & bit(Kind::boolean)) && (iequals(text, "true") || iequals(text, "false"))) {
            Value flag;
            flag.kind = Kind::boolean;
            flag.flag = iequals(text, "true");
            if (accept(schema, value, std::move(flag), Fix::boolean, depth)) return;
        }
        if ((allowed & (bit(Kind::array) | bit(Kind::object))) == 0) return;
        auto parsed = parse(value.text);
        if (!parsed.value) parsed = parse(value.text, {.tolerant = true, .close = close});
        if (!parsed.value || !(allowed & bit(parsed.value->kind))) return;
        if (parsed.value->kind != Kind::array && parsed.value->kind != Kind::object) return;
        accept(schema, value, std::move(*parsed.value), Fix::parsed_string, depth);
    }

    bool is_named(const Node& at, const std::string& key) const {
        if (const Value* named = at.get(Key::properties); named && find(*named, key)) return true;
        const Value* patterned = at.get(Key::pattern_properties);
        if (!patterned) return false;
        return std::any_of(patterned->members.begin(), patterned->members.end(), [&](const Member& member) {
            const auto found = data.patterns.find(member.key);
            return found == data.patterns.end() || match(found->second, key) != Match::no;
        });
    }

    void right_case(const Node& at, Value& value) {
        const Value* named = at.get(Key::properties);
        if (!named) return;
        for (auto& member : value.members) {
            if (is_named(at, member.key)) continue;
            const std::string* right = nullptr;
            int candidates = 0;
            for (const auto& known : named->members) {
                if (!iequals(known.key, member.key)) continue;
                right = &known.key;
                ++candidates;
            }
            const auto rivals = std::count_if(value.members.begin(), value.members.end(),
                                              [&](const Member& other) { return iequals(other.key, member.key); });
            if (candidates != 1 || rivals != 1) continue;
            member.key = *right;
            note(fixes, Fix::argument_case);
        }
    }

    void defaults(const Node& at, Value& value) {
        const Value* required = at.get(Key::required);
        const Value* named = at.get(Key::properties);
        if (!required || !named) return;
        for (const auto& name : required->items) {
            if (find(value, name.text)) continue;
            const Value* schema = find(*named, name.text);
            const Node* there = schema ? node(schema) : nullptr;
            const Node* own = schema ? node_of(data, schema) : nullptr;
            const Value* fallback = own ? own->get(Key::fallback) : nullptr;
            if (!fallback && there) fallback = there->get(Key::fallback);
            if (!fallback || !holds(data, schema, *fallback)) continue;
            value.members.push_back({name.text, *fallback});
            note(fixes, Fix::defaulted);
        }
    }

    void bend_object(const Node& at, Value& value, std::size_t depth) {
        right_case(at, value);
        const Value* named = at.get(Key::properties);
        const Value* others = at.get(Key::additional_properties);
        for (auto& member : value.members) {
            const Value* schema = named ? find(*named, member.key) : nullptr;
            if (!schema && !is_named(at, member.key)) schema = others;
            if (schema) bend(schema, member.value, depth + 1);
        }
        defaults(at, value);
    }

    void bend_array(const Node& at, Value& value, std::size_t depth) {
        const Value* prefix = at.get(Key::prefix_items);
        const Value* items = at.get(Key::items);
        if (items && items->kind == Kind::array) {
            if (!prefix) prefix = items;
            items = at.get(Key::additional_items);
        }
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            const bool in_prefix = prefix && i < prefix->items.size();
            const Value* schema = in_prefix ? &prefix->items[i] : items;
            if (schema) bend(schema, value.items[i], depth + 1);
        }
    }

    /// The first alternative that a value can be bent to.
    void bend_alternatives(const Value* schema, const Value& list, Value& value, std::size_t depth) {
        for (const auto& branch : list.items) {
            Value candidate = value;
            auto before = fixes;
            bend(&branch, candidate, depth + 1);
            if (holds(data, &branch, candidate) && holds(data, schema, candidate)) {
                value = std::move(candidate);
                return;
            }
            fixes = std::move(before);
        }
    }

    void bend(const Value* schema, Value& value, std::size_t depth) {
        if (depth > max_depth || holds(data, schema, value)) return;
        const std::uint8_t allowed = kinds(schema);
        if (value.kind == Kind::string && !(allowed & bit(Kind::string))) {
            unquote(schema, value, allowed, depth);
            return;
        }
        const Node* at = node(schema);
        if (!at) return;
        if (value.kind == Kind::object) bend_object(*at, value, depth);
        if (value.kind == Kind::array) bend_array(*at, value, depth);
        if (const Value* list = at->get(Key::all_of)) {
            for (const auto& branch : list->items) bend(&branch, value, depth + 1);
        }
        for (const Key key : {Key::any_of, Key::one_of}) {
            const Value* list = at->get(key);
            if (list && !holds(data, schema, value)) bend_alternatives(schema, *list, value, depth);
        }
    }
};

}  // namespace

void fit(const Schema& schema, Value& value, bool close, std::vector<Fix>& fixes) {
    if (!schema) return;
    Fitter{*schema.data, close, fixes}.bend(schema.data->root, value, 0);
}

namespace {

const Value* argument_schema(const Schema& schema, std::string_view argument, Fitter& fitter) {
    const Node* at = schema ? fitter.node(schema.data->root) : nullptr;
    const Value* named = at ? at->get(Key::properties) : nullptr;
    return named ? find(*named, argument) : nullptr;
}

}  // namespace

std::uint8_t kinds_of_argument(const Schema& schema, std::string_view argument) {
    if (!schema) return all_types;
    std::vector<Fix> fixes;
    Fitter fitter{*schema.data, false, fixes};
    const Value* found = argument_schema(schema, argument, fitter);
    return found ? fitter.kinds(found) : all_types;
}

bool has_argument(const Schema& schema, std::string_view argument) {
    if (!schema) return false;
    std::vector<Fix> fixes;
    Fitter fitter{*schema.data, false, fixes};
    return argument_schema(schema, argument, fitter) != nullptr;
}

}  // namespace lc::tools
