#include "core/tools/value.hpp"

#include <cmath>
#include <cstdlib>

#include "core/api/splice.hpp"

namespace lc::tools {

std::string_view name_of(Kind kind) {
    switch (kind) {
        case Kind::null: return "null";
        case Kind::boolean: return "boolean";
        case Kind::number: return "number";
        case Kind::string: return "string";
        case Kind::array: return "array";
        case Kind::object: return "object";
    }
    return "";
}

Value string_value(std::string text) {
    Value value;
    value.kind = Kind::string;
    value.text = std::move(text);
    return value;
}

Value object_value() {
    Value value;
    value.kind = Kind::object;
    return value;
}

const Value* find(const Value& object, std::string_view key) {
    for (auto it = object.members.rbegin(); it != object.members.rend(); ++it) {
        if (it->key == key) return &it->value;
    }
    return nullptr;
}

Value* find(Value& object, std::string_view key) {
    return const_cast<Value*>(find(static_cast<const Value&>(object), key));
}

double number_of(const Value& value) {
    return value.kind == Kind::number ? std::strtod(value.text.c_str(), nullptr) : 0;
}

bool is_integer(const Value& value) {
    if (value.kind != Kind::number) return false;
    if (value.text.find_first_of(".eE") == std::string::npos) return true;
    const double number = number_of(value);
    return std::isfinite(number) && std::floor(number) == number;
}

namespace {

/// Digits without sign, leading zeros, fraction: "" when the literal has more than that.
std::string_view plain_digits(std::string_view text) {
    if (text.find_first_of(".eE") != std::string_view::npos) return {};
    return text;
}

bool equal_numbers(const Value& a, const Value& b) {
    const auto left = plain_digits(a.text), right = plain_digits(b.text);
    if (!left.empty() && !right.empty()) return left == right || (number_of(a) == 0 && number_of(b) == 0);
    return number_of(a) == number_of(b);
}

/// Members that count: of duplicates the last.
std::size_t distinct_members(const Value& object) {
    std::size_t count = 0;
    for (const auto& member : object.members) count += find(object, member.key) == &member.value ? 1 : 0;
    return count;
}

}  // namespace

bool equal(const Value& a, const Value& b) {
    if (a.kind != b.kind) return false;
    switch (a.kind) {
        case Kind::null: return true;
        case Kind::boolean: return a.flag == b.flag;
        case Kind::number: return equal_numbers(a, b);
        case Kind::string: return a.text == b.text;
        case Kind::array:
            if (a.items.size() != b.items.size()) return false;
            for (std::size_t i = 0; i < a.items.size(); ++i) {
                if (!equal(a.items[i], b.items[i])) return false;
            }
            return true;
        case Kind::object:
            if (distinct_members(a) != distinct_members(b)) return false;
            for (const auto& member : a.members) {
                const Value* left = find(a, member.key);
                const Value* right = find(b, member.key);
                if (right == nullptr || (left == &member.value && !equal(*left, *right))) return false;
            }
            return true;
    }
    return false;
}

void write_to(const Value& value, std::string& out) {
    switch (value.kind) {
        case Kind::null: out += "null"; return;
        case Kind::boolean: out += value.flag ? "true" : "false"; return;
        case Kind::number: out += value.text; return;
        case Kind::string: out += api::json_quote(value.text); return;
        case Kind::array:
            out += '[';
            for (std::size_t i = 0; i < value.items.size(); ++i) {
                if (i > 0) out += ',';
                write_to(value.items[i], out);
            }
            out += ']';
            return;
        case Kind::object:
            out += '{';
            for (std::size_t i = 0; i < value.members.size(); ++i) {
                if (i > 0) out += ',';
                out += api::json_quote(value.members[i].key);
                out += ':';
                write_to(value.members[i].value, out);
            }
            out += '}';
            return;
    }
}

std::string write(const Value& value) {
    std::string out;
    write_to(value, out);
    return out;
}

bool is_number_literal(std::string_view text) {
    std::size_t i = 0;
    const auto digits = [&] {
        const std::size_t from = i;
        while (i < text.size() && text[i] >= '0' && text[i] <= '9') ++i;
        return i > from;
    };
    if (i < text.size() && text[i] == '-') ++i;
    const std::size_t whole = i;
    if (!digits() || (text[whole] == '0' && i - whole > 1)) return false;
    if (i < text.size() && text[i] == '.') {
        ++i;
        if (!digits()) return false;
    }
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        ++i;
        if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
        if (!digits()) return false;
    }
    return i == text.size() && i > 0;
}

}  // namespace lc::tools
