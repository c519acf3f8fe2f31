#include "core/api/json_check.hpp"

#include <charconv>

namespace lc::api {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::optional<unsigned> hex4(std::string_view text, std::size_t at) {
    if (at + 4 > text.size()) return std::nullopt;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 4, value, 16);
    if (error != std::errc{} || end != text.data() + at + 4) return std::nullopt;
    return value;
}

/// Bytes of the UTF-8 character at `at`, 0 when there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) {
        return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first < 0xc2) return 0;
    if (first < 0xe0) return tail(1) ? 2 : 0;
    if (first < 0xf0) {
        if (!tail(1) || !tail(2)) return 0;
        if (first == 0xe0 && byte(1) < 0xa0) return 0;  // overlong
        if (first == 0xed && byte(1) > 0x9f) return 0;  // surrogates
        return 3;
    }
    if (first > 0xf4 || !tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
}

struct Checker {
    std::string_view text;
    std::size_t max_depth;
    std::vector<JsonOddity>& oddities;
    std::size_t at = 0;
    std::optional<JsonFault> fault;

    bool wrong(std::string what) {
        if (!fault) fault = JsonFault{at, at >= text.size() ? "the text ends too early" : std::move(what)};
        return false;
    }
    void space() {
        while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) ++at;
    }
    bool is(char c) const { return at < text.size() && text[at] == c; }
    bool take(char c) {
        if (!is(c)) return false;
        ++at;
        return true;
    }

    bool escape() {  // at the character behind the backslash
        if (at >= text.size()) return wrong("");
        if (std::string_view("\"\\/bfnrt").find(text[at]) != std::string_view::npos) {
            ++at;
            return true;
        }
        if (text[at] != 'u') return wrong("unknown escape in a string");
        const auto unit = hex4(text, at + 1);
        if (!unit) return wrong("\\u needs four hexadecimal digits");
        const std::size_t begin = at - 1;
        at += 5;
        if (*unit < 0xd800 || *unit > 0xdfff) return true;
        if (*unit < 0xdc00 && text.substr(at, 2) == "\\u") {
            const auto low = hex4(text, at + 2);
            if (low && *low >= 0xdc00 && *low <= 0xdfff) {
                at += 6;
                return true;
            }
        }
        oddities.push_back({JsonOddity::Kind::surrogate, begin, at});
        return true;
    }

    bool string() {
        if (!take('"')) return wrong("expected a string");
        while (true) {
            if (at >= text.size()) return wrong("");
            const char c = text[at];
            if (c == '"') break;
            if (static_cast<unsigned char>(c) < 0x20) return wrong("control character in a string");
            if (c == '\\') {
                ++at;
                if (!escape()) return false;
                continue;
            }
            const std::size_t n = utf8_length(text, at);
            if (n == 0) return wrong("invalid UTF-8");
            at += n;
        }
        ++at;
        return true;
    }

    bool digits() {
        if (at >= text.size() || !is_digit(text[at])) return wrong("expected a digit");
        while (at < text.size() && is_digit(text[at])) ++at;
        return true;
    }

    bool number() {
        const std::size_t begin = at;
        take('-');
        const std::size_t first = at;
        if (is('0'))
            ++at;
        else if (!digits())
            return false;
        const std::size_t integer_digits = at - first;
        bool whole = true;
        if (take('.')) {
            whole = false;
            if (!digits()) return false;
        }
        if (is('e') || is('E')) {
            whole = false;
            ++at;
            if (!take('+')) take('-');
            if (!digits()) return false;
        }
        if (whole ? integer_digits > 18 : out_of_range(begin)) {
            oddities.push_back({JsonOddity::Kind::number, begin, at});
        }
        return true;
    }

    bool out_of_range(std::size_t begin) const {
        double value = 0;
        return std::from_chars(text.data() + begin, text.data() + at, value).ec != std::errc{};
    }

    bool word(std::string_view name) {
        if (text.substr(at, name.size()) != name) return wrong("expected a value");
        at += name.size();
        return true;
    }

    bool scalar() {
        if (at >= text.size()) return wrong("");
        switch (text[at]) {
            case '"': return string();
            case 't': return word("true");
            case 'f': return word("false");
            case 'n': return word("null");
            default: return text[at] == '-' || is_digit(text[at]) ? number() : wrong("expected a value");
        }
    }

    /// A value and what is in it, without recursion.
    bool document() {
        std::vector<char> open;  // '}' or ']' of each container that is open
        while (true) {
            space();
            if (is('{') || is('[')) {
                if (open.size() == max_depth)
                    return wrong("nested deeper than " + std::to_string(max_depth) + " levels");
                const bool object = text[at] == '{';
                ++at;
                open.push_back(object ? '}' : ']');
                space();
                if (!take(open.back())) {
                    if (object && !key()) return false;
                    continue;  // its first value
                }
                open.pop_back();
            } else if (!scalar()) {
                return false;
            }
            // A value is complete: close what closes, or go on to the next one.
            while (true) {
                space();
                if (open.empty()) return at == text.size() || wrong("something follows the JSON value");
                if (take(open.back())) {
                    open.pop_back();
                    continue;
                }
                if (!take(',')) return wrong(open.back() == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
                space();
                if (open.back() == '}' && !key()) return false;
                break;
            }
        }
    }

    bool key() {
        if (!string()) return false;
        space();
        return take(':') || wrong("expected ':'");
    }
};

}  // namespace

std::optional<JsonFault> check_json(std::string_view text, std::size_t max_depth, std::vector<JsonOddity>& oddities) {
    Checker checker{text, max_depth, oddities, 0, std::nullopt};
    if (checker.document()) return std::nullopt;
    return checker.fault;
}

std::size_t find_invalid_utf8(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t n = utf8_length(text, at);
        if (n == 0) return at;
        at += n;
    }
    return at;
}

}  // namespace lc::api
