#include <algorithm>

#include "core/tools/parse.hpp"
#include "core/tools/schema_parts.hpp"
#include "core/tools/uri.hpp"

namespace lc::tools {

namespace {

/// How a keyword's value must look, and whether schemas are in it.
enum class Shape : std::uint8_t {
    any,
    schema,
    schemas,
    schema_map,
    items,
    names,
    type,
    number,
    count,
    flag,
    text,
    strings_map,
    dependencies
};

struct Keyword {
    std::string_view name;
    Key key;
    Shape shape;
};

constexpr Keyword keywords[] = {
    {"allOf", Key::all_of, Shape::schemas},
    {"anyOf", Key::any_of, Shape::schemas},
    {"oneOf", Key::one_of, Shape::schemas},
    {"not", Key::negated, Shape::schema},
    {"if", Key::condition, Shape::schema},
    {"then", Key::then, Shape::schema},
    {"else", Key::otherwise, Shape::schema},
    {"type", Key::type, Shape::type},
    {"enum", Key::enumeration, Shape::any},
    {"const", Key::constant, Shape::any},
    {"multipleOf", Key::multiple_of, Shape::number},
    {"maximum", Key::maximum, Shape::number},
    {"exclusiveMaximum", Key::exclusive_maximum, Shape::any},
    {"minimum", Key::minimum, Shape::number},
    {"exclusiveMinimum", Key::exclusive_minimum, Shape::any},
    {"maxLength", Key::max_length, Shape::count},
    {"minLength", Key::min_length, Shape::count},
    {"pattern", Key::pattern, Shape::text},
    {"items", Key::items, Shape::items},
    {"additionalItems", Key::additional_items, Shape::schema},
    {"prefixItems", Key::prefix_items, Shape::schemas},
    {"maxItems", Key::max_items, Shape::count},
    {"minItems", Key::min_items, Shape::count},
    {"uniqueItems", Key::unique_items, Shape::flag},
    {"contains", Key::contains, Shape::schema},
    {"minContains", Key::min_contains, Shape::count},
    {"maxContains", Key::max_contains, Shape::count},
    {"maxProperties", Key::max_properties, Shape::count},
    {"minProperties", Key::min_properties, Shape::count},
    {"required", Key::required, Shape::names},
    {"properties", Key::properties, Shape::schema_map},
    {"patternProperties", Key::pattern_properties, Shape::schema_map},
    {"additionalProperties", Key::additional_properties, Shape::schema},
    {"propertyNames", Key::property_names, Shape::schema},
    {"dependencies", Key::dependencies, Shape::dependencies},
    {"dependentRequired", Key::dependent_required, Shape::strings_map},
    {"dependentSchemas", Key::dependent_schemas, Shape::schema_map},
    {"unevaluatedItems", Key::unevaluated_items, Shape::schema},
    {"unevaluatedProperties", Key::unevaluated_properties, Shape::schema},
    {"$defs", Key::defs, Shape::schema_map},
    {"definitions", Key::definitions, Shape::schema_map},
    {"$ref", Key::ref, Shape::text},
    {"$dynamicRef", Key::dynamic_ref, Shape::text},
    {"$id", Key::id, Shape::text},
    {"$anchor", Key::anchor, Shape::text},
    {"$dynamicAnchor", Key::dynamic_anchor, Shape::text},
    {"$schema", Key::schema, Shape::text},
    {"format", Key::format, Shape::any},
    {"default", Key::fallback, Shape::any},
    {"contentEncoding", Key::content, Shape::any},
    {"contentMediaType", Key::content, Shape::any},
};

const Keyword* keyword_of(std::string_view name) {
    static const auto table = [] {
        std::unordered_map<std::string_view, const Keyword*> map;
        for (const auto& keyword : keywords) map.emplace(keyword.name, &keyword);
        return map;
    }();
    const auto found = table.find(name);
    return found == table.end() ? nullptr : found->second;
}

bool newer_only(Key key) {
    switch (key) {
        case Key::prefix_items:
        case Key::min_contains:
        case Key::max_contains:
        case Key::dependent_required:
        case Key::dependent_schemas:
        case Key::unevaluated_items:
        case Key::unevaluated_properties:
        case Key::defs:
        case Key::dynamic_ref:
        case Key::anchor:
        case Key::dynamic_anchor: return true;
        default: return false;
    }
}

std::uint8_t type_bit(std::string_view name) {
    if (name == "null") return bit(Kind::null);
    if (name == "boolean") return bit(Kind::boolean);
    if (name == "number" || name == "integer") return bit(Kind::number);
    if (name == "string") return bit(Kind::string);
    if (name == "array") return bit(Kind::array);
    if (name == "object") return bit(Kind::object);
    return 0;
}

/// Draft 7 ignores what stands beside a `$ref`.
bool only_ref(const Value& schema, Draft draft) {
    return draft == Draft::draft7 && find(schema, "$ref") != nullptr;
}

struct Compiler {
    SchemaData& data;
    Draft draft;
    std::vector<std::string> unchecked;
    std::string error;
    std::vector<std::pair<const Value*, std::string>> open;  ///< schemas with references to follow, and where they are

    bool wrong(const std::string& where, std::string_view what) {
        if (error.empty()) error = "at " + (where.empty() ? "/" : where) + ": " + std::string(what);
        return false;
    }

    Draft draft_of(const Value& root, Draft otherwise) const {
        const Value* schema = find(root, "$schema");
        if (schema == nullptr || schema->kind != Kind::string) return otherwise;
        for (const std::string_view old : {"draft-07", "draft-06", "draft-04"}) {
            if (schema->text.find(old) != std::string::npos) return Draft::draft7;
        }
        return schema->text.find("2020-12") != std::string::npos ? Draft::draft2020 : otherwise;
    }

    Resource& add_resource(std::string uri, Draft rules, const Value* root) {
        auto& resource = data.resources.emplace_back(Resource{std::move(uri), rules, root, {}, {}});
        data.by_uri.emplace(resource.uri, &resource);
        return resource;
    }

    /// The resource that a schema belongs to: a new one where it has an `$id`.
    Resource& enter(const Value& schema, Resource& around) {
        const Value* id = find(schema, "$id");
        if (id == nullptr || id->kind != Kind::string || &schema == around.root || only_ref(schema, around.draft)) {
            return around;
        }
        if (around.draft == Draft::draft7 && id->text.starts_with('#')) {
            around.anchors.emplace(id->text.substr(1), &schema);
            return around;
        }
        const std::string uri(split_fragment(resolve_uri(around.uri, id->text)).uri);
        return add_resource(uri, draft_of(schema, around.draft), &schema);
    }

    bool shape_is(const Keyword& keyword, const Value& value, const std::string& where) {
        const auto must = [&](bool ok, std::string_view what) {
            return ok || wrong(where, "'" + std::string(keyword.name) + "' must be " + std::string(what) + ", is " +
                                          std::string(name_of(value.kind)));
        };
        const bool is_schema = value.kind == Kind::object || value.kind == Kind::boolean;
        switch (keyword.shape) {
            case Shape::any: return true;
            case Shape::schema: return must(is_schema, "a schema");
            case Shape::schemas: return must(value.kind == Kind::array, "a list of schemas");
            case Shape::items: return must(is_schema || value.kind == Kind::array, "a schema");
            case Shape::schema_map:
            case Shape::strings_map:
            case Shape::dependencies: return must(value.kind == Kind::object, "an object");
            case Shape::names:
                // Draft 3's `required: true` inside a property is met now and then; it means nothing here.
                return must(value.kind == Kind::array || value.kind == Kind::boolean, "a list of names");
            case Shape::number:
            case Shape::count: return must(value.kind == Kind::number, "a number");
            case Shape::flag: return must(value.kind == Kind::boolean, "true or false");
            case Shape::text: return must(value.kind == Kind::string, "a string");
            case Shape::type: return must(value.kind == Kind::string || value.kind == Kind::array, "a type's name");
        }
        return true;
    }

    bool read_type(Node& node, const Value& value, const std::string& where) {
        bool number = false, integer = false;
        const auto add = [&](const Value& name) {
            const std::uint8_t one = name.kind == Kind::string ? type_bit(name.text) : 0;
            node.types |= one;
            number |= name.text == "number";
            integer |= name.text == "integer";
            return one != 0 || wrong(where, "unknown type '" + name.text + "'");
        };
        if (value.kind == Kind::string) {
            if (!add(value)) return false;
        }
        for (const auto& name : value.items) {
            if (!add(name)) return false;
        }
        node.integer = integer && !number;
        return true;
    }

    void add_pattern(const std::string& pattern, const std::string& where) {
        if (data.patterns.contains(pattern)) return;
        auto compiled = compile_pattern(pattern);
        if (!compiled.compiled) unchecked.push_back(where + ": pattern " + pattern);
        data.patterns.emplace(pattern, std::move(compiled));
    }

    bool read_keyword(const Keyword& keyword, const Value& value, Resource& resource, Node& node,
                      const std::string& where, std::size_t depth) {
        const std::string here = where + "/" + escape_pointer(keyword.name);
        if (!shape_is(keyword, value, here)) return false;
        node.keywords[static_cast<std::size_t>(keyword.key)] = &value;
        switch (keyword.shape) {
            case Shape::schema:
                if (keyword.key == Key::unevaluated_items || keyword.key == Key::unevaluated_properties)
                    data.unevaluated = true;
                return walk(value, resource, here, depth + 1);
            case Shape::schemas:
            case Shape::items:
                if (value.kind != Kind::array) return walk(value, resource, here, depth + 1);
                for (std::size_t i = 0; i < value.items.size(); ++i) {
                    if (!walk(value.items[i], resource, here + "/" + std::to_string(i), depth + 1)) return false;
                }
                break;
            case Shape::schema_map:
            case Shape::dependencies:
                for (const auto& [name, child] : value.members) {
                    if (child.kind == Kind::array && keyword.shape == Shape::dependencies) continue;
                    if (!walk(child, resource, here + "/" + escape_pointer(name), depth + 1)) return false;
                    if (keyword.key == Key::pattern_properties) add_pattern(name, here);
                }
                break;
            default: break;
        }
        switch (keyword.key) {
            case Key::type: return read_type(node, value, here);
            case Key::pattern: add_pattern(value.text, here); break;
            case Key::format: unchecked.push_back(here + ": " + value.text); break;
            case Key::content: unchecked.push_back(here + ": " + value.text); break;
            case Key::exclusive_maximum:
            case Key::exclusive_minimum:
                // Draft 4's booleans say something about their neighbour.
                if (value.kind == Kind::boolean) unchecked.push_back(here + ": draft 4's form");
                break;
            default: break;
        }
        return true;
    }

    /// Makes nodes of a schema and of all in it.
    bool walk(const Value& schema, Resource& around, const std::string& where, std::size_t depth = 0) {
        if (depth > 100) return wrong(where, "nested too deeply");
        if (schema.kind == Kind::boolean) return true;
        if (schema.kind != Kind::object) {
            return wrong(where, "a schema must be an object, is " + std::string(name_of(schema.kind)));
        }
        const auto [place, fresh] = data.nodes.try_emplace(&schema);
        if (!fresh) return true;
        Node& node = place->second;
        Resource& resource = enter(schema, around);
        node.resource = &resource;
        const bool ref_only = only_ref(schema, resource.draft);
        for (const auto& [name, value] : schema.members) {
            const Keyword* keyword = keyword_of(name);
            if (keyword == nullptr || find(schema, name) != &value) continue;
            if (resource.draft == Draft::draft7 && newer_only(keyword->key)) continue;
            if (ref_only && keyword->key != Key::ref && keyword->key != Key::definitions) continue;
            if (!read_keyword(*keyword, value, resource, node, where, depth)) return false;
        }
        if (const Value* anchor = node.get(Key::anchor)) resource.anchors[anchor->text] = &schema;
        if (const Value* anchor = node.get(Key::dynamic_anchor)) {
            resource.anchors.emplace(anchor->text, &schema);
            resource.dynamic_anchors.emplace(anchor->text, &schema);
        }
        if (node.get(Key::ref) || node.get(Key::dynamic_ref)) open.emplace_back(&schema, where);
        return true;
    }

    const Value* follow(const Value* at, std::string_view pointer) {
        while (at != nullptr && !pointer.empty()) {
            if (pointer[0] != '/') return nullptr;
            const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
            std::string token;
            for (std::size_t i = 1; i < end; ++i) {
                if (pointer[i] == '~' && i + 1 < end) {
                    token += pointer[++i] == '1' ? '/' : '~';
                } else {
                    token += pointer[i];
                }
            }
            pointer.remove_prefix(end);
            if (at->kind == Kind::array) {
                const bool digits =
                    !token.empty() && token.size() < 8 && token.find_first_not_of("0123456789") == std::string::npos;
                const std::size_t index = digits ? std::stoul(token) : at->items.size();
                at = index < at->items.size() ? &at->items[index] : nullptr;
            } else {
                at = find(*at, token);
            }
        }
        return at;
    }

    const Value* resolve(const Resource& from, std::string_view reference) {
        const std::string full = resolve_uri(from.uri, reference);
        const auto [uri, raw_fragment] = split_fragment(full);
        const auto found = data.by_uri.find(uri);
        if (found == data.by_uri.end()) return nullptr;
        Resource& resource = *found->second;
        const std::string fragment = percent_decode(raw_fragment);
        if (fragment.empty()) return resource.root;
        if (!fragment.starts_with('/')) {
            const auto anchor = resource.anchors.find(fragment);
            return anchor == resource.anchors.end() ? nullptr : anchor->second;
        }
        const Value* target = follow(resource.root, fragment);
        if (target != nullptr && target->kind != Kind::boolean && !data.nodes.contains(target)) {
            if (target->kind != Kind::object || !walk(*target, resource, fragment)) return nullptr;
        }
        return target;
    }

    bool link() {
        for (std::size_t i = 0; i < open.size(); ++i) {
            const auto [schema, where] = open[i];
            Node& node = data.nodes.at(schema);
            if (const Value* ref = node.get(Key::ref)) {
                const Value* target = resolve(*node.resource, ref->text);
                if (target == nullptr) unchecked.push_back(where + "/$ref: " + ref->text);
                data.nodes.at(schema).ref = target;
            }
            if (const Value* ref = data.nodes.at(schema).get(Key::dynamic_ref)) {
                Node& again = data.nodes.at(schema);
                const Value* target = resolve(*again.resource, ref->text);
                if (target == nullptr) unchecked.push_back(where + "/$dynamicRef: " + ref->text);
                const std::string_view name = split_fragment(ref->text).fragment;
                const Node* there = node_of(data, target);
                const Value* anchor = there == nullptr ? nullptr : there->get(Key::dynamic_anchor);
                if (anchor != nullptr && anchor->text == name) again.dynamic_anchor = name;
                again.dynamic_ref = target;
            }
            if (!error.empty()) return false;
        }
        return true;
    }
};

}  // namespace

const Node* node_of(const SchemaData& data, const Value* schema) {
    if (schema == nullptr) return nullptr;
    const auto found = data.nodes.find(schema);
    return found == data.nodes.end() ? nullptr : &found->second;
}

Result<Schema> compile_schema(std::string_view json, Draft draft, std::span<const SchemaDocument> documents) {
    auto data = std::make_shared<SchemaData>();
    Compiler compiler{*data, draft, {}, {}, {}};
    const auto add = [&](std::string uri, std::string_view text, bool main) -> Result<void> {
        auto parsed = parse(text, {});
        if (!parsed.value)
            return fail(Errc::bad_request, "the schema is not JSON (byte " + std::to_string(parsed.at) + ")");
        const Value& root = data->documents.emplace_back(std::move(*parsed.value));
        const std::string given = uri;
        if (const Value* id = find(root, "$id");
            id != nullptr && id->kind == Kind::string && !id->text.starts_with('#')) {
            uri = split_fragment(resolve_uri(uri, id->text)).uri;
        }
        auto& resource = compiler.add_resource(std::move(uri), compiler.draft_of(root, draft), &root);
        data->by_uri.emplace(given, &resource);
        const std::size_t notes = compiler.unchecked.size();
        if (!compiler.walk(root, resource, "")) {
            return fail(Errc::bad_request, "the schema cannot be used: " + compiler.error);
        }
        if (main) data->root = &root;
        if (!main) compiler.unchecked.resize(notes);
        return {};
    };
    if (auto ok = add("", json, true); !ok) return tl::unexpected(ok.error());
    for (const auto& document : documents) {
        if (auto ok = add(document.uri, document.text, false); !ok) return tl::unexpected(ok.error());
    }
    if (!compiler.link()) return fail(Errc::bad_request, "the schema cannot be used: " + compiler.error);
    return Schema{std::move(data), std::move(compiler.unchecked)};
}

}  // namespace lc::tools
