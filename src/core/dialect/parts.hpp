// Inside of to_chat: what its two readers share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/dialect/to_chat.hpp"
#include "core/tools/value.hpp"

namespace lc::dialect {

using tools::Kind;
using tools::Member;
using tools::Value;

[[nodiscard]] inline Value text_value(std::string_view text) { return tools::string_value(std::string(text)); }
[[nodiscard]] Value list_value();
[[nodiscard]] Value flag_value(bool flag);
inline void add(Value& object, std::string_view key, Value value) {
    object.members.push_back({std::string(key), std::move(value)});
}

/// Of a string member, else empty.
[[nodiscard]] std::string_view text_of(const Value& object, std::string_view key);
/// A member that is an object or array, else null.
[[nodiscard]] const Value* object_of(const Value& object, std::string_view key);
[[nodiscard]] const Value* list_of(const Value& object, std::string_view key);

[[nodiscard]] Value text_part(std::string_view text);
[[nodiscard]] Value image_part(std::string_view url);

/// The content of a chat message: a text alone is a string, several parts are a list, none is an empty text.
[[nodiscard]] Value content_of(std::vector<Value> parts);

[[nodiscard]] Value call_value(std::string_view id, std::string_view name, std::string_view arguments);
[[nodiscard]] Value function_value(std::string_view name, std::string_view description, Value parameters);

/// {"type": "json_schema", "json_schema": ...}; other formats (text) yield null.
[[nodiscard]] Value format_value(const Value& format);

/// A chat request under construction.
struct Building {
    Value body = tools::object_value();
    std::vector<Value> messages;
    std::vector<Value> tools;
    std::vector<ToolName> names;
};

/// Members of the original that stay: all but `dropped`, and those that the conversion sets itself.
void keep_members(const Value& original, const std::vector<std::string_view>& dropped, Building& out);

[[nodiscard]] Result<void> from_messages(const Value& original, Building& out);
[[nodiscard]] Result<void> from_responses(const Value& original, Building& out);

}  // namespace lc::dialect
