#include "core/kv/keys/canonical.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/api/json_check.hpp"
#include "core/api/json_scan.hpp"

namespace lc::kv {

namespace {

constexpr int max_depth = 512;

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The four digits behind "\u" at `at`, or -1.
std::int32_t unit_at(std::string_view text, std::size_t at) {
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
    std::int32_t unit = 0;
    for (std::size_t i = at + 2; i < at + 6; ++i) {
        const int digit = hex_digit(text[i]);
        if (digit < 0) return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

void append_utf8(std::string& out, std::uint32_t code) {
    if (code < 0x80) {
        out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
        out.push_back(static_cast<char>(0xc0 | code >> 6));
        out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        out.push_back(static_cast<char>(0xe0 | code >> 12));
        out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
        out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    } else {
        out.push_back(static_cast<char>(0xf0 | code >> 18));
        out.push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
        out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
        out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    }
}

std::string_view inside(std::string_view quoted) {
    return quoted.size() < 2 ? std::string_view{} : quoted.substr(1, quoted.size() - 2);
}

/// A member that stands canonically in the output: `"key":value`.
struct Entry {
    std::size_t begin, key_end, end;
};

std::string_view key_of(std::string_view out, const Entry& entry) {
    return out.substr(entry.begin + 1, entry.key_end - entry.begin - 2);
}

/// Members are written as they come; only objects whose members are out of order (or there twice) are put together
/// again.
void sort_members(std::string& out, std::size_t object, std::vector<Entry>& entries) {
    const auto less = [&](const Entry& a, const Entry& b) { return key_of(out, a) < key_of(out, b); };
    const auto out_of_order = [&](const Entry& a, const Entry& b) { return !less(a, b); };
    if (std::adjacent_find(entries.begin(), entries.end(), out_of_order) == entries.end()) return;
    std::stable_sort(entries.begin(), entries.end(), less);
    std::string sorted;
    sorted.reserve(out.size() - object);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (i + 1 < entries.size() && key_of(out, entries[i + 1]) == key_of(out, entries[i]))
            continue;  // the last counts
        if (!sorted.empty()) sorted.push_back(',');
        sorted.append(out, entries[i].begin, entries[i].end - entries[i].begin);
    }
    out.replace(object + 1, std::string::npos, sorted);
}

std::size_t append_value(std::string& out, std::string_view text, std::size_t at, int depth);

/// Whether another element follows at `at`; moves to it, or behind `close`.
bool next(std::string_view text, std::size_t& at, char close) {
    at = api::skip_json_space(text, at);
    const bool more = at < text.size() && text[at] == ',';
    if (more)
        at = api::skip_json_space(text, at + 1);
    else if (at < text.size() && text[at] == close)
        ++at;
    return more;
}

std::size_t append_object(std::string& out, std::string_view text, std::size_t at, int depth) {
    std::vector<Entry> entries;
    const std::size_t object = out.size();
    out.push_back('{');
    at = api::skip_json_space(text, at + 1);
    if (at < text.size() && text[at] == '"') {
        do {
            if (at >= text.size() || text[at] != '"') break;
            if (!entries.empty()) out.push_back(',');
            Entry& entry = entries.emplace_back();
            entry.begin = out.size();
            const std::size_t key_end = api::skip_json_value(text, at);
            append_canonical_string(out, text.substr(at, key_end - at));
            entry.key_end = out.size();
            at = api::skip_json_space(text, key_end);
            if (at < text.size() && text[at] == ':') at = api::skip_json_space(text, at + 1);
            out.push_back(':');
            at = append_value(out, text, at, depth + 1);
            entry.end = out.size();
        } while (next(text, at, '}'));
    } else {
        next(text, at, '}');
    }
    sort_members(out, object, entries);
    out.push_back('}');
    return at;
}

std::size_t append_array(std::string& out, std::string_view text, std::size_t at, int depth) {
    out.push_back('[');
    at = api::skip_json_space(text, at + 1);
    if (at < text.size() && text[at] != ']') {
        bool first = true;
        do {
            if (!first) out.push_back(',');
            first = false;
            at = append_value(out, text, at, depth + 1);
        } while (next(text, at, ']'));
    } else {
        next(text, at, ']');
    }
    out.push_back(']');
    return at;
}

/// The value at `at`, in one pass; returns where it ends.
std::size_t append_value(std::string& out, std::string_view text, std::size_t at, int depth) {
    if (at < text.size() && depth <= max_depth) {
        if (text[at] == '{') return append_object(out, text, at, depth);
        if (text[at] == '[') return append_array(out, text, at, depth);
    }
    const std::size_t end = api::skip_json_value(text, at);
    const std::string_view raw = text.substr(std::min(at, text.size()), end - std::min(at, end));
    if (!raw.empty() && raw[0] == '"')
        append_canonical_string(out, raw);
    else
        out += raw.empty() || depth > max_depth ? "null" : raw;
    return end;
}

/// Appends the value of an escape at `at` and returns how many bytes it took.
std::size_t append_unescaped(std::string& out, std::string_view text, std::size_t at) {
    if (at + 1 >= text.size()) return 1;
    switch (text[at + 1]) {
        case 'n': out.push_back('\n'); return 2;
        case 't': out.push_back('\t'); return 2;
        case 'r': out.push_back('\r'); return 2;
        case 'b': out.push_back('\b'); return 2;
        case 'f': out.push_back('\f'); return 2;
        case 'u': break;
        default: out.push_back(text[at + 1]); return 2;
    }
    const std::int32_t unit = unit_at(text, at);
    if (unit < 0) return 2;
    const auto code = static_cast<std::uint32_t>(unit);
    if (code < 0xd800 || code > 0xdfff) {
        append_utf8(out, code);
        return 6;
    }
    const std::int32_t next = code < 0xdc00 ? unit_at(text, at + 6) : -1;
    if (next >= 0xdc00 && next <= 0xdfff) {
        append_utf8(out, 0x10000 + ((code - 0xd800) << 10) + (static_cast<std::uint32_t>(next) - 0xdc00));
        return 12;
    }
    append_utf8(out, 0xfffd);
    return 6;
}

void append_escaped(std::string& out, std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::size_t from = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        out.append(text, from, i - from);
        from = i + 1;
        out.push_back('\\');
        switch (c) {
            case '"': out.push_back('"'); break;
            case '\\': out.push_back('\\'); break;
            case '\n': out.push_back('n'); break;
            case '\t': out.push_back('t'); break;
            case '\r': out.push_back('r'); break;
            case '\b': out.push_back('b'); break;
            case '\f': out.push_back('f'); break;
            default: out += {'u', '0', '0', digits[c >> 4], digits[c & 15]};
        }
    }
    out.append(text, from);
}

}  // namespace

void append_canonical(std::string& out, std::string_view raw) {
    append_value(out, raw, 0, 0);
}

void append_quoted(std::string& out, std::string_view text) {
    out.push_back('"');
    append_escaped(out, text);
    out.push_back('"');
}

void append_canonical_string(std::string& out, std::string_view quoted) {
    const std::string_view text = inside(quoted);
    out.push_back('"');
    std::size_t from = 0;
    for (std::size_t at = text.find('\\'); at < text.size(); at = text.find('\\', from)) {
        out.append(text, from, at - from);
        const char kind = at + 1 < text.size() ? text[at + 1] : '\0';
        if (kind == 'u' || kind == '/') {
            std::string value;
            from = at + append_unescaped(value, text, at);
            append_escaped(out, value);
        } else {  // the short escapes are canonical already
            out.append(text, at, 2);
            from = std::min(at + 2, text.size());
        }
    }
    out.append(text, from);
    out.push_back('"');
}

std::string string_value(std::string_view quoted) {
    const std::string_view text = inside(quoted);
    std::string out;
    std::size_t from = 0;
    for (std::size_t at = text.find('\\'); at < text.size(); at = text.find('\\', from)) {
        out.append(text, from, at - from);
        from = std::min(at + append_unescaped(out, text, at), text.size());
    }
    out.append(text, from);
    return out;
}

bool is_json(std::string_view text) {
    std::vector<api::JsonOddity> oddities;
    return !api::check_json(text, max_depth, oddities);
}

}  // namespace lc::kv
