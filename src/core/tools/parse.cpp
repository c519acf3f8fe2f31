#include "core/tools/parse.hpp"

#include <algorithm>

namespace lc::tools {

std::string_view name_of(Fix fix) {
    switch (fix) {
        case Fix::closed: return "closed";
        case Fix::extra_closer: return "extra_closer";
        case Fix::quotes: return "quotes";
        case Fix::literal: return "literal";
        case Fix::comma: return "comma";
        case Fix::newline: return "newline";
        case Fix::escape: return "escape";
        case Fix::key: return "key";
        case Fix::comment: return "comment";
        case Fix::fence: return "fence";
        case Fix::encoded: return "encoded";
        case Fix::empty: return "empty";
        case Fix::wrapped: return "wrapped";
        case Fix::name: return "name";
        case Fix::argument_case: return "argument_case";
        case Fix::defaulted: return "default";
        case Fix::number: return "number";
        case Fix::boolean: return "boolean";
        case Fix::parsed_string: return "parsed_string";
        case Fix::from_text: return "from_text";
    }
    return "";
}

void note(std::vector<Fix>& fixes, Fix fix) {
    if (std::find(fixes.begin(), fixes.end(), fix) == fixes.end()) fixes.push_back(fix);
}

namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

void append_utf8(std::string& out, std::uint32_t code) {
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;  // half of a pair
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | (code >> 6));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | (code >> 12));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (code >> 18));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    }
}

/// A parse under way. Every function returns false when the text is broken; `result` then says how.
struct Parser {
    std::string_view text;
    Lenience lenience;
    Parsed result;
    std::size_t at = 0;

    bool end() const { return at >= text.size(); }
    char peek() const { return text[at]; }
    bool broken(Broken why) {
        result.broken = why;
        result.at = at;
        return false;
    }
    bool stop_here() { return broken(end() ? Broken::cut : Broken::syntax); }
    bool fix(Fix what) {
        if (!lenience.tolerant) return broken(Broken::syntax);
        note(result.fixes, what);
        return true;
    }

    bool skip_comment() {
        const bool line = text[at + 1] == '/';
        const std::size_t close = text.find(line ? "\n" : "*/", at + 2);
        if (close == std::string_view::npos) {
            at = text.size();
            return line ? true : broken(Broken::cut);
        }
        at = close + (line ? 1 : 2);
        return true;
    }
    bool skip() {
        while (!end()) {
            if (is_space(peek())) {
                ++at;
            } else if (peek() == '/' && lenience.tolerant && at + 1 < text.size() &&
                       (text[at + 1] == '/' || text[at + 1] == '*')) {
                note(result.fixes, Fix::comment);
                if (!skip_comment()) return false;
            } else {
                break;
            }
        }
        return true;
    }

    bool unit(std::uint32_t& code) {
        code = 0;
        for (int i = 0; i < 4; ++i, ++at) {
            if (end()) return broken(Broken::cut_string);
            const int digit = hex_digit(peek());
            if (digit < 0) return broken(Broken::syntax);
            code = code * 16 + static_cast<std::uint32_t>(digit);
        }
        return true;
    }
    bool unicode(std::string& out) {
        std::uint32_t code = 0;
        if (!unit(code)) return false;
        const bool high = code >= 0xd800 && code < 0xdc00;
        if (high && text.substr(at).starts_with("\\u")) {
            const std::size_t back = at;
            at += 2;
            std::uint32_t low = 0;
            if (!unit(low)) return false;
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            } else {
                at = back;
            }
        }
        append_utf8(out, code);
        return true;
    }
    bool escape(std::string& out) {
        ++at;
        if (end()) return broken(Broken::cut_string);
        const char c = text[at++];
        switch (c) {
            case '"':
            case '\\':
            case '/': out += c; return true;
            case 'b': out += '\b'; return true;
            case 'f': out += '\f'; return true;
            case 'n': out += '\n'; return true;
            case 'r': out += '\r'; return true;
            case 't': out += '\t'; return true;
            case 'u': return unicode(out);
            case '\'': out += c; return fix(Fix::escape);
            // Anything else may mean the backslash or only the character: not ours to say.
            default: --at; return broken(Broken::syntax);
        }
    }
    bool string(std::string& out) {
        const char quote = text[at++];
        if (quote == '\'' && !fix(Fix::quotes)) return false;
        while (!end()) {
            const char c = peek();
            if (c == quote) {
                ++at;
                return true;
            }
            if (c == '\\') {
                if (!escape(out)) return false;
                continue;
            }
            if (static_cast<unsigned char>(c) < 0x20 && !fix(Fix::newline)) return false;
            const std::size_t from = at++;
            while (!end() && peek() != quote && peek() != '\\' && static_cast<unsigned char>(peek()) >= 0x20) ++at;
            out.append(text, from, at - from);
        }
        return broken(Broken::cut_string);
    }

    bool word(Value& value) {
        const std::size_t from = at;
        while (!end() && !is_space(peek()) && std::string_view(",:{}[]\"'/").find(peek()) == std::string_view::npos)
            ++at;
        const auto token = text.substr(from, at - from);
        const auto literal = [&](std::string_view strict, std::string_view python) {
            return token == strict || (token == python && fix(Fix::literal));
        };
        if (is_number_literal(token)) {
            value.kind = Kind::number;
            value.text = token;
            return true;
        }
        if (literal("null", "None")) return true;
        value.kind = Kind::boolean;
        if (literal("false", "False")) return true;
        value.flag = true;
        if (literal("true", "True")) return true;
        const bool unfinished = end();
        at = from;
        return broken(unfinished ? Broken::cut : Broken::syntax);
    }

    bool key(std::string& out) {
        if (peek() == '"' || peek() == '\'') return string(out);
        const std::size_t from = at;
        while (!end() && is_name_char(peek())) ++at;
        if (at == from || end()) return stop_here();
        std::size_t colon = at;
        while (colon < text.size() && is_space(text[colon])) ++colon;
        if (colon >= text.size() || text[colon] != ':') return broken(Broken::syntax);
        out = text.substr(from, at - from);
        return fix(Fix::key);
    }

    /// At the end of the text, or at the closer of the container around this one, although this one is open.
    bool close(bool some, bool after_comma) {
        if (!lenience.close || !some || after_comma) return stop_here();
        return fix(Fix::closed);
    }

    bool object(Value& value, std::size_t depth, char around) {
        value.kind = Kind::object;
        ++at;
        bool comma = false;
        while (true) {
            if (!skip()) return false;
            const bool some = !value.members.empty();
            if (end() || (peek() == ']' && around == ']')) return close(some, comma);
            if (peek() == '}') {
                ++at;
                return !comma || fix(Fix::comma);
            }
            if (some && !comma) return broken(Broken::syntax);
            auto& member = value.members.emplace_back();
            if (!key(member.key) || !skip()) return false;
            if (end() || peek() != ':') return stop_here();
            ++at;
            if (!skip() || !any(member.value, depth + 1, '}') || !skip()) return false;
            comma = !end() && peek() == ',';
            if (comma) ++at;
        }
    }

    bool array(Value& value, std::size_t depth, char around) {
        value.kind = Kind::array;
        ++at;
        bool comma = false;
        while (true) {
            if (!skip()) return false;
            const bool some = !value.items.empty();
            if (end() || (peek() == '}' && around == '}')) return close(some, comma);
            if (peek() == ']') {
                ++at;
                return !comma || fix(Fix::comma);
            }
            if (some && !comma) return broken(Broken::syntax);
            if (!any(value.items.emplace_back(), depth + 1, ']') || !skip()) return false;
            comma = !end() && peek() == ',';
            if (comma) ++at;
        }
    }

    bool any(Value& value, std::size_t depth, char around) {
        if (depth > lenience.max_depth) return broken(Broken::deep);
        if (end()) return broken(Broken::cut);
        switch (peek()) {
            case '{': return object(value, depth, around);
            case '[': return array(value, depth, around);
            case '"':
            case '\'': value.kind = Kind::string; return string(value.text);
            default: return word(value);
        }
    }

    bool extra_closers() {
        while (!end() && (peek() == '}' || peek() == ']')) {
            if (!fix(Fix::extra_closer)) return false;
            ++at;
            if (!skip()) return false;
        }
        return true;
    }
};

Parsed run(std::string_view text, Lenience lenience, bool whole) {
    Parser parser{text, lenience, {}, 0};
    Value value;
    bool ok = parser.skip() && parser.any(value, 0, '\0');
    if (ok && whole) {
        ok = parser.skip();
        const bool container = value.kind == Kind::object || value.kind == Kind::array;
        if (ok && container && lenience.tolerant) ok = parser.extra_closers();
        if (ok && !parser.end()) ok = parser.broken(Broken::syntax);
    }
    if (ok) {
        parser.result.value = std::move(value);
        parser.result.at = parser.at;
    } else {
        parser.result.fixes.clear();
    }
    return std::move(parser.result);
}

}  // namespace

Parsed parse(std::string_view text, Lenience lenience) {
    return run(text, lenience, true);
}

Parsed parse_prefix(std::string_view text, Lenience lenience) {
    return run(text, lenience, false);
}

}  // namespace lc::tools
