// A JSON value that can be changed and written again. Numbers keep their digits, objects their order and duplicates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lc::tools {

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
[[nodiscard]] std::string_view name_of(Kind kind);

struct Member;

struct Value {
    Kind kind = Kind::null;
    bool flag = false;            ///< of a boolean
    std::string text;             ///< of a string (UTF-8, unescaped); of a number its literal
    std::vector<Value> items;     ///< of an array
    std::vector<Member> members;  ///< of an object
};

struct Member {
    std::string key;
    Value value;
};

[[nodiscard]] Value string_value(std::string text);
[[nodiscard]] Value object_value();

/// The last member of that key, or nullptr (also when `object` is none).
[[nodiscard]] const Value* find(const Value& object, std::string_view key);
[[nodiscard]] Value* find(Value& object, std::string_view key);

/// JSON's equality: 1 equals 1.0, members in any order.
[[nodiscard]] bool equal(const Value& a, const Value& b);

/// Of a number; 0 for others. What is beyond double becomes infinite.
[[nodiscard]] double number_of(const Value& value);
/// A number without a fraction: 3, 3.0, 1e3.
[[nodiscard]] bool is_integer(const Value& value);

/// Compact JSON.
[[nodiscard]] std::string write(const Value& value);
void write_to(const Value& value, std::string& out);

/// Whether `text` is the literal of a JSON number, all of it.
[[nodiscard]] bool is_number_literal(std::string_view text);

}  // namespace lc::tools
