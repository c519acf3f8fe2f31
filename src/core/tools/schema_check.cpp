#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "core/tools/schema_parts.hpp"
#include "core/tools/uri.hpp"

namespace lc::tools {

namespace {

/// Members and elements that some subschema has looked at (for unevaluated*).
struct Seen {
    std::vector<bool> members, items;
    void merge(const Seen& other) {
        for (std::size_t i = 0; i < members.size(); ++i) members[i] = members[i] || other.members[i];
        for (std::size_t i = 0; i < items.size(); ++i) items[i] = items[i] || other.items[i];
    }
};

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// A text that two values share when they are equal.
void canonical(const Value& value, std::string& out) {
    if (value.kind == Kind::number) {
        const double number = number_of(value);
        const bool exact = value.text.find_first_of(".eE") == std::string::npos;
        out += exact && number != 0 ? value.text
               : is_integer(value)  ? std::to_string(number).substr(0, std::to_string(number).find('.'))
                                    : std::to_string(number) + value.text;
    } else if (value.kind == Kind::array) {
        out += '[';
        for (const auto& item : value.items) {
            canonical(item, out);
            out += ',';
        }
        out += ']';
    } else if (value.kind == Kind::object) {
        std::vector<std::string> parts;
        for (const auto& member : value.members) {
            if (find(value, member.key) != &member.value) continue;
            std::string part = write(string_value(member.key)) + ":";
            canonical(member.value, part);
            parts.push_back(std::move(part));
        }
        std::sort(parts.begin(), parts.end());
        out += '{';
        for (const auto& part : parts) out += part + ",";
        out += '}';
    } else {
        write_to(value, out);
    }
}

bool all_unique(const std::vector<Value>& items) {
    std::unordered_set<std::string> known;
    for (const auto& item : items) {
        std::string text;
        canonical(item, text);
        if (!known.insert(std::move(text)).second) return false;
    }
    return true;
}

bool is_multiple(const Value& value, const Value& of) {
    const double divisor = number_of(of);
    if (!(divisor > 0)) return true;
    const double number = number_of(value);
    if (is_integer(value) && is_integer(of) && std::fabs(number) < 9e15) return std::fmod(number, divisor) == 0;
    const double quotient = number / divisor;
    if (!std::isfinite(quotient)) return false;
    return std::fabs(quotient - std::round(quotient)) <= 1e-9 * std::max(1.0, std::fabs(quotient)) * 1e-3 ||
           (std::fabs(quotient) < 1e6 && std::fabs(quotient - std::round(quotient)) < 1e-9);
}

std::string types_text(const Node& node) {
    std::string out;
    for (unsigned i = 0; i <= static_cast<unsigned>(Kind::object); ++i) {
        const auto kind = static_cast<Kind>(i);
        if ((node.types & bit(kind)) == 0) continue;
        if (!out.empty()) out += " or ";
        out += kind == Kind::number && node.integer ? "integer" : name_of(kind);
    }
    return out;
}

struct Checker {
    const SchemaData& data;
    std::vector<Violation>* violations = nullptr;  ///< null: only yes or no
    std::size_t most = 0;
    std::size_t steps = 0;
    std::string path;
    std::vector<const Resource*> scope;

    static constexpr std::size_t max_steps = 200'000;
    static constexpr std::size_t max_depth = 200;

    bool bad(std::string what) {
        if (violations != nullptr && violations->size() < most) violations->push_back({path, std::move(what)});
        return false;
    }

    /// Without reports: for branches that may fail.
    bool quiet(const Value* schema, const Value& value, Seen* seen, std::size_t depth) {
        auto* const saved = violations;
        violations = nullptr;
        const bool ok = run(schema, value, seen, depth);
        violations = saved;
        return ok;
    }

    Seen* fresh(Seen& store, const Value& value, const Seen* wanted) const {
        if (wanted == nullptr) return nullptr;
        store.members.assign(value.members.size(), false);
        store.items.assign(value.items.size(), false);
        return &store;
    }

    bool child(const Value* schema, const Value& value, const std::string& part, std::size_t depth) {
        const std::size_t length = path.size();
        if (violations != nullptr) path += part;
        Seen store;
        static const Seen some;
        Seen* seen = data.unevaluated ? fresh(store, value, &some) : nullptr;
        const bool ok = run(schema, value, seen, depth + 1);
        path.resize(length);
        return ok;
    }

    /// A subschema that speaks of the same value.
    bool same(const Value* schema, const Value& value, Seen* seen, std::size_t depth) {
        Seen store;
        Seen* own = fresh(store, value, seen);
        const bool ok = run(schema, value, own, depth + 1);
        if (ok && seen != nullptr) seen->merge(*own);
        return ok;
    }
    bool same_quiet(const Value* schema, const Value& value, Seen* seen, std::size_t depth) {
        auto* const saved = violations;
        violations = nullptr;
        const bool ok = same(schema, value, seen, depth);
        violations = saved;
        return ok;
    }

    Match matches(const std::string& pattern, std::string_view text) {
        const auto found = data.patterns.find(pattern);
        if (found == data.patterns.end()) return Match::gave_up;
        steps += text.size() / 64;
        return match(found->second, text);
    }

    bool numbers(const Node& node, const Value& value) {
        const double number = number_of(value);
        const auto limit = [&](Key key) {
            return node.get(key) && node.get(key)->kind == Kind::number ? node.get(key) : nullptr;
        };
        bool ok = true;
        if (const Value* l = limit(Key::maximum); l && number > number_of(*l)) ok = bad("must be at most " + l->text);
        if (const Value* l = limit(Key::minimum); l && number < number_of(*l)) ok = bad("must be at least " + l->text);
        if (const Value* l = limit(Key::exclusive_maximum); l && number >= number_of(*l))
            ok = bad("must be below " + l->text);
        if (const Value* l = limit(Key::exclusive_minimum); l && number <= number_of(*l))
            ok = bad("must be above " + l->text);
        if (const Value* l = limit(Key::multiple_of); l && !is_multiple(value, *l))
            ok = bad("must be a multiple of " + l->text);
        return ok;
    }

    bool strings(const Node& node, const Value& value) {
        bool ok = true;
        const Value* longest = node.get(Key::max_length);
        const Value* shortest = node.get(Key::min_length);
        if (longest || shortest) {
            const auto length = static_cast<double>(characters(value.text));
            if (longest && length > number_of(*longest)) ok = bad("must have at most " + longest->text + " characters");
            if (shortest && length < number_of(*shortest))
                ok = bad("must have at least " + shortest->text + " characters");
        }
        if (const Value* pattern = node.get(Key::pattern); pattern && matches(pattern->text, value.text) == Match::no) {
            ok = bad("must match " + pattern->text);
        }
        return ok;
    }

    bool sizes(const Node& node, Key most_key, Key least_key, std::size_t size, std::string_view what) {
        bool ok = true;
        const auto count = static_cast<double>(size);
        if (const Value* l = node.get(most_key); l && count > number_of(*l))
            ok = bad("must have at most " + l->text + std::string(what));
        if (const Value* l = node.get(least_key); l && count < number_of(*l))
            ok = bad("must have at least " + l->text + std::string(what));
        return ok;
    }

    bool arrays(const Node& node, const Value& value, Seen* seen, std::size_t depth) {
        bool ok = sizes(node, Key::max_items, Key::min_items, value.items.size(), " elements");
        if (const Value* unique = node.get(Key::unique_items); unique && unique->flag && !all_unique(value.items)) {
            ok = bad("must not have equal elements");
        }
        const Value* prefix = node.get(Key::prefix_items);
        const Value* items = node.get(Key::items);
        if (items && items->kind == Kind::array) {  // draft 7's list
            if (!prefix) prefix = items;
            items = node.get(Key::additional_items);
        }
        const std::size_t first = prefix ? prefix->items.size() : 0;
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            const Value* schema = i < first ? &prefix->items[i] : items;
            if (schema == nullptr) break;
            if (!child(schema, value.items[i], "/" + std::to_string(i), depth)) ok = false;
            if (seen) seen->items[i] = true;
        }
        return contains(node, value, seen, depth) && ok;
    }

    bool contains(const Node& node, const Value& value, Seen* seen, std::size_t depth) {
        const Value* schema = node.get(Key::contains);
        if (schema == nullptr) return true;
        double found = 0;
        for (std::size_t i = 0; i < value.items.size(); ++i) {
            if (!quiet(schema, value.items[i], nullptr, depth + 1)) continue;
            ++found;
            if (seen && node.resource->draft != Draft::draft7) seen->items[i] = true;
        }
        const Value* least = node.get(Key::min_contains);
        const Value* top = node.get(Key::max_contains);
        if (found < (least ? number_of(*least) : 1)) return bad("lacks an element that it must contain");
        if (top && found > number_of(*top)) return bad("has too many of an element");
        return true;
    }

    bool needs(const Value& names, const Value& value, std::string_view because) {
        bool ok = true;
        for (const auto& name : names.items) {
            if (find(value, name.text) == nullptr) ok = bad("'" + name.text + "' is required" + std::string(because));
        }
        return ok;
    }

    bool properties(const Node& node, const Value& value, Seen* seen, std::size_t depth) {
        const Value* named = node.get(Key::properties);
        const Value* patterned = node.get(Key::pattern_properties);
        const Value* others = node.get(Key::additional_properties);
        const Value* names = node.get(Key::property_names);
        bool ok = true;
        for (std::size_t i = 0; i < value.members.size(); ++i) {
            const auto& [key, member] = value.members[i];
            if (find(value, key) != &member) continue;
            bool known = false;
            if (const Value* schema = named ? find(*named, key) : nullptr) {
                known = true;
                ok = child(schema, member, "/" + escape_pointer(key), depth) && ok;
            }
            if (patterned) {
                for (const auto& [pattern, schema] : patterned->members) {
                    const Match found = matches(pattern, key);
                    if (found == Match::no) continue;
                    known = true;
                    if (found == Match::yes) ok = child(&schema, member, "/" + escape_pointer(key), depth) && ok;
                }
            }
            if (!known && others) {
                known = true;
                if (others->kind == Kind::boolean && !others->flag)
                    ok = bad("has no argument '" + key + "'");
                else
                    ok = child(others, member, "/" + escape_pointer(key), depth) && ok;
            }
            if (known && seen) seen->members[i] = true;
            if (names && !child(names, string_value(key), "/" + escape_pointer(key), depth)) ok = false;
        }
        return ok;
    }

    bool objects(const Node& node, const Value& value, Seen* seen, std::size_t depth) {
        bool ok = true;
        if (const Value* required = node.get(Key::required)) ok = needs(*required, value, "");
        if (node.get(Key::max_properties) || node.get(Key::min_properties)) {
            std::size_t count = 0;
            for (const auto& member : value.members) count += find(value, member.key) == &member.value ? 1 : 0;
            ok = sizes(node, Key::max_properties, Key::min_properties, count, " members") && ok;
        }
        ok = properties(node, value, seen, depth) && ok;
        for (const Key key : {Key::dependencies, Key::dependent_required, Key::dependent_schemas}) {
            const Value* dependent = node.get(key);
            if (dependent == nullptr) continue;
            for (const auto& [name, what] : dependent->members) {
                if (find(value, name) == nullptr) continue;
                if (what.kind == Kind::array)
                    ok = needs(what, value, " with '" + name + "'") && ok;
                else
                    ok = same(&what, value, seen, depth) && ok;
            }
        }
        return ok;
    }

    bool combined(const Node& node, const Value& value, Seen* seen, std::size_t depth) {
        bool ok = true;
        if (const Value* all = node.get(Key::all_of)) {
            for (const auto& schema : all->items) ok = same(&schema, value, seen, depth) && ok;
        }
        if (const Value* any = node.get(Key::any_of)) {
            bool one = false;
            for (const auto& schema : any->items) {
                one = same_quiet(&schema, value, seen, depth) || one;
                if (one && seen == nullptr) break;
            }
            if (!one) ok = bad("fits none of the alternatives");
        }
        if (const Value* one_of = node.get(Key::one_of)) {
            int fitting = 0;
            for (const auto& schema : one_of->items) fitting += same_quiet(&schema, value, seen, depth) ? 1 : 0;
            if (fitting != 1)
                ok = bad(fitting == 0 ? "fits none of the alternatives"
                                      : "fits several alternatives that exclude each other");
        }
        Seen store, *inner = fresh(store, value, seen);
        if (const Value* negated = node.get(Key::negated); negated && quiet(negated, value, inner, depth + 1)) {
            ok = bad("is of a form that is excluded");
        }
        if (const Value* condition = node.get(Key::condition)) {
            const Value* next =
                same_quiet(condition, value, seen, depth) ? node.get(Key::then) : node.get(Key::otherwise);
            if (next) ok = same(next, value, seen, depth) && ok;
        }
        return ok;
    }

    bool unevaluated(const Node& node, const Value& value, Seen& seen, std::size_t depth) {
        bool ok = true;
        const Value* rest = node.get(Key::unevaluated_items);
        for (std::size_t i = 0; rest && value.kind == Kind::array && i < value.items.size(); ++i) {
            if (seen.items[i]) continue;
            ok = child(rest, value.items[i], "/" + std::to_string(i), depth) && ok;
            seen.items[i] = true;
        }
        rest = node.get(Key::unevaluated_properties);
        for (std::size_t i = 0; rest && value.kind == Kind::object && i < value.members.size(); ++i) {
            const auto& [key, member] = value.members[i];
            if (seen.members[i] || find(value, key) != &member) continue;
            ok = child(rest, member, "/" + escape_pointer(key), depth) && ok;
            seen.members[i] = true;
        }
        return ok;
    }

    const Value* dynamic_target(const Node& node) const {
        if (node.dynamic_anchor.empty()) return node.dynamic_ref;
        for (const Resource* resource : scope) {
            const auto found = resource->dynamic_anchors.find(node.dynamic_anchor);
            if (found != resource->dynamic_anchors.end()) return found->second;
        }
        return node.dynamic_ref;
    }

    bool types(const Node& node, const Value& value) {
        if (node.types == 0) return true;
        const bool fits =
            (node.types & bit(value.kind)) != 0 && (value.kind != Kind::number || !node.integer || is_integer(value));
        return fits || bad("must be " + types_text(node) + ", is " + std::string(name_of(value.kind)));
    }

    bool one_of_values(const Node& node, const Value& value) {
        if (const Value* list = node.get(Key::enumeration); list && list->kind == Kind::array) {
            const bool found =
                std::any_of(list->items.begin(), list->items.end(), [&](const Value& v) { return equal(v, value); });
            if (!found) return bad("must be one of " + write(*list).substr(0, 200));
        }
        const Value* constant = node.get(Key::constant);
        return !constant || equal(*constant, value) || bad("must be " + write(*constant).substr(0, 200));
    }

    bool run(const Value* schema, const Value& value, Seen* seen, std::size_t depth) {
        if (++steps > max_steps || depth > max_depth) return true;
        if (schema->kind == Kind::boolean) return schema->flag || bad("is not allowed");
        const Node* node = node_of(data, schema);
        if (node == nullptr) return true;
        const bool enters = scope.empty() || scope.back() != node->resource;
        if (enters) scope.push_back(node->resource);
        bool ok = types(*node, value);
        // The wrong type says enough.
        if (ok) {
            ok = one_of_values(*node, value);
            if (node->ref) ok = same(node->ref, value, seen, depth) && ok;
            if (node->dynamic_ref) ok = same(dynamic_target(*node), value, seen, depth) && ok;
            if (value.kind == Kind::number) ok = numbers(*node, value) && ok;
            if (value.kind == Kind::string) ok = strings(*node, value) && ok;
            if (value.kind == Kind::array) ok = arrays(*node, value, seen, depth) && ok;
            if (value.kind == Kind::object) ok = objects(*node, value, seen, depth) && ok;
            ok = combined(*node, value, seen, depth) && ok;
            if (seen) ok = unevaluated(*node, value, *seen, depth) && ok;
        }
        if (enters) scope.pop_back();
        return ok;
    }
};

bool check_all(Checker& checker, const Value* schema, const Value& value) {
    Seen seen{std::vector<bool>(value.members.size()), std::vector<bool>(value.items.size())};
    return checker.run(schema, value, checker.data.unevaluated ? &seen : nullptr, 0);
}

}  // namespace

bool holds(const SchemaData& data, const Value* schema, const Value& value) {
    Checker checker{data, nullptr, 0, 0, {}, {}};
    return check_all(checker, schema, value);
}

bool is_valid(const Schema& schema, const Value& value) {
    return !schema || holds(*schema.data, schema.data->root, value);
}

std::vector<Violation> check(const Schema& schema, const Value& value, std::size_t most) {
    std::vector<Violation> violations;
    if (is_valid(schema, value)) return violations;
    Checker checker{*schema.data, &violations, most, 0, {}, {}};
    check_all(checker, schema.data->root, value);
    return violations;
}

std::string describe(const std::vector<Violation>& violations) {
    std::string out;
    for (const auto& violation : violations) {
        if (!out.empty()) out += "; ";
        if (!violation.where.empty()) out += "at " + violation.where + ": ";
        out += violation.what;
    }
    return out;
}

}  // namespace lc::tools
