// Inside of schemas: the nodes that compiling makes of them, for the checker and for what coerces values to them.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <unordered_map>

#include "core/tools/pattern.hpp"
#include "core/tools/schema.hpp"

namespace lc::tools {

enum class Key : std::uint8_t {
    all_of,
    any_of,
    one_of,
    negated,
    condition,
    then,
    otherwise,
    type,
    enumeration,
    constant,
    multiple_of,
    maximum,
    exclusive_maximum,
    minimum,
    exclusive_minimum,
    max_length,
    min_length,
    pattern,
    items,
    additional_items,
    prefix_items,
    max_items,
    min_items,
    unique_items,
    contains,
    min_contains,
    max_contains,
    max_properties,
    min_properties,
    required,
    properties,
    pattern_properties,
    additional_properties,
    property_names,
    dependencies,
    dependent_required,
    dependent_schemas,
    unevaluated_items,
    unevaluated_properties,
    defs,
    definitions,
    ref,
    dynamic_ref,
    id,
    anchor,
    dynamic_anchor,
    schema,
    format,
    fallback,
    content,
    count
};

/// One resource: a document or a subschema with an `$id` of its own.
struct Resource {
    std::string uri;
    Draft draft = Draft::mixed;
    const Value* root = nullptr;
    std::map<std::string, const Value*, std::less<>> anchors, dynamic_anchors;
};

/// One subschema.
struct Node {
    std::array<const Value*, static_cast<std::size_t>(Key::count)> keywords{};
    const Resource* resource = nullptr;
    const Value* ref = nullptr;          ///< where `$ref` leads
    const Value* dynamic_ref = nullptr;  ///< where `$dynamicRef` leads at first
    std::string dynamic_anchor;          ///< and the name by which the scope may lead it elsewhere
    std::uint8_t types = 0;              ///< `type`, as bits of Kind; 0: none
    bool integer = false;                ///< `type` has "integer" but not "number"
    [[nodiscard]] const Value* get(Key key) const { return keywords[static_cast<std::size_t>(key)]; }
};

[[nodiscard]] constexpr std::uint8_t bit(Kind kind) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind));
}
inline constexpr std::uint8_t all_types = 0x3f;

struct SchemaData {
    std::deque<Value> documents;
    std::deque<Resource> resources;
    std::map<std::string, Resource*, std::less<>> by_uri;
    std::unordered_map<const Value*, Node> nodes;  ///< subschemas that are objects
    std::unordered_map<std::string, Pattern> patterns;
    const Value* root = nullptr;
    bool unevaluated = false;  ///< the checker must remember what was looked at
};

/// The node of a subschema, or nullptr (a boolean).
[[nodiscard]] const Node* node_of(const SchemaData& data, const Value* schema);

/// Whether `value` holds to the subschema.
[[nodiscard]] bool holds(const SchemaData& data, const Value* schema, const Value& value);

}  // namespace lc::tools
