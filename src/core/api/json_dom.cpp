#include "core/api/json_dom.hpp"

#include <cmath>
#include <limits>

#include "core/api/json_check.hpp"

namespace lc::api {

namespace {

constexpr std::size_t large = 1u << 20;

/// The same text, byte for byte as long, with the oddities replaced by what the fast parser takes.
std::string tame(std::string_view text, const std::vector<JsonOddity>& oddities) {
    std::string out(text);
    for (const auto& odd : oddities) {
        const std::size_t size = odd.end - odd.begin;
        if (odd.kind == JsonOddity::Kind::surrogate) {
            out.replace(odd.begin, size, "\\ufffd");
            continue;
        }
        const std::string_view number = text.substr(odd.begin, size);
        const bool whole = number.find_first_of(".eE") == std::string_view::npos;
        std::string replacement = whole ? std::string(number.substr(0, number[0] == '-' ? 19 : 18)) : "0";
        replacement.resize(size, ' ');
        out.replace(odd.begin, size, replacement);
    }
    return out;
}

simdjson::error_code parse_into(simdjson::dom::parser& parser, std::string_view text, std::size_t max_depth,
                                Json& root) {
    if (parser.max_depth() != max_depth || parser.capacity() < text.size()) {
        if (auto error = parser.allocate(std::max<std::size_t>(text.size(), 4096), max_depth)) return error;
    }
    return parser.parse(text.data(), text.size()).get(root);
}

}  // namespace

Result<JsonRoot> parse_json(std::string_view text, std::size_t max_depth) {
    // Scratch memory only, reused because allocating it costs more than parsing a small chunk: no state is carried from
    // one text to the next, so the functions above stay pure to their callers.
    thread_local simdjson::dom::parser small_parser;
    JsonRoot out;
    if (text.size() > large) out.own = std::make_unique<simdjson::dom::parser>();
    simdjson::dom::parser& parser = out.own ? *out.own : small_parser;
    // It does not count an empty innermost container, so this is at most our limit; the checker is exact.
    if (parse_into(parser, text, max_depth, out.root) == simdjson::SUCCESS) return out;

    std::vector<JsonOddity> oddities;
    if (auto fault = check_json(text, max_depth, oddities)) {
        return fail(Errc::bad_request, "not valid JSON at byte " + std::to_string(fault->offset) + ": " + fault->what);
    }
    const auto error = parse_into(parser, tame(text, oddities), max_depth + 1, out.root);
    if (error == simdjson::SUCCESS) return out;
    return fail(Errc::bad_request, std::string("not valid JSON: ") + simdjson::error_message(error));
}

std::string_view type_name(Json value) {
    switch (value.type()) {
        case simdjson::dom::element_type::ARRAY: return "array";
        case simdjson::dom::element_type::OBJECT: return "object";
        case simdjson::dom::element_type::STRING: return "string";
        case simdjson::dom::element_type::BOOL: return "boolean";
        case simdjson::dom::element_type::NULL_VALUE: return "null";
        case simdjson::dom::element_type::INT64:
        case simdjson::dom::element_type::UINT64:
        case simdjson::dom::element_type::DOUBLE: return "number";
    }
    return "unknown";
}

std::string_view text_of(Json value) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return {};
    return text;
}

std::optional<double> number_of(Json value) {
    double number = 0;
    if (value.get(number) != simdjson::SUCCESS) return std::nullopt;
    return number;
}

std::optional<std::int64_t> integer_of(Json value) {
    using Limits = std::numeric_limits<std::int64_t>;
    std::int64_t integer = 0;
    if (value.get(integer) == simdjson::SUCCESS) return integer;
    std::uint64_t positive = 0;
    if (value.get(positive) == simdjson::SUCCESS) return Limits::max();
    const auto number = number_of(value);
    if (!number || std::isnan(*number)) return std::nullopt;
    if (*number >= 9.2e18) return Limits::max();
    if (*number <= -9.2e18) return Limits::min();
    return static_cast<std::int64_t>(*number);
}

std::optional<Json> member(Json value, std::string_view key) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return std::nullopt;
    std::optional<Json> found;
    for (const auto [name, element] : object) {
        if (name == key) found = element;
    }
    if (found && found->is_null()) return std::nullopt;
    return found;
}

std::string_view text_at(Json value, std::string_view key) {
    const auto found = member(value, key);
    return found ? text_of(*found) : std::string_view{};
}

std::int64_t integer_at(Json value, std::string_view key, std::int64_t otherwise) {
    const auto found = member(value, key);
    return found ? integer_of(*found).value_or(otherwise) : otherwise;
}

}  // namespace lc::api
