#include "core/clients/jsonc_scan.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace lc::clients::scan {

namespace {

constexpr int most_levels = 100;

tl::unexpected<Error> wrong(std::string_view text, std::size_t at, const std::string& what) {
    const auto before = text.substr(0, std::min(at, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto begin = before.rfind('\n');
    const auto column = before.size() - (begin == std::string_view::npos ? 0 : begin + 1) + 1;
    return fail(Errc::bad_request, "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what);
}

bool space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// The position behind the string that begins at `at`.
Result<std::size_t> string_end(std::string_view text, std::size_t at) {
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            boost::system::error_code bad;
            const auto token = text.substr(at, i + 1 - at);
            (void)boost::json::parse({token.data(), token.size()}, bad);
            if (bad) return wrong(text, at, "this is not a valid string");
            return i + 1;
        } else if (text[i] == '\n') {
            break;
        }
    }
    return wrong(text, at, "the string that begins here has no end");
}

/// `out`, when given, gets the value as plain JSON; `members`, when given, those of the outermost container.
struct Walk {
    std::string_view text;
    std::string* out = nullptr;
    void put(std::string_view piece) const {
        if (out != nullptr) out->append(piece);
    }
};

Result<std::size_t> walk(const Walk& w, std::size_t at, int level, Container* top);

Result<std::size_t> walk_container(const Walk& w, std::size_t at, int level, Container* top) {
    const auto& text = w.text;
    const bool object = text[at] == '{';
    const char close = object ? '}' : ']';
    if (level > most_levels) return wrong(text, at, "too many levels");
    if (top != nullptr) top->open = at, top->object = object;
    w.put(object ? "{" : "[");
    bool comma = true;
    bool first = true;
    for (std::size_t i = skip(text, at + 1);; i = skip(text, i)) {
        if (i >= text.size()) return wrong(text, at, std::string("no '") + close + "' for what begins here");
        if (text[i] == close) {
            if (top != nullptr) top->close = i, top->trailing_comma = comma && !first;
            w.put(std::string_view(&close, 1));
            return i + 1;
        }
        if (!comma) return wrong(text, i, "a comma is missing here");
        Member member;
        if (!first) w.put(",");
        if (object) {
            if (text[i] != '"') return wrong(text, i, "a key in double quotes is expected here");
            const auto end = string_end(text, i);
            if (!end) return end;
            member.key_begin = i;
            const auto token = text.substr(i, *end - i);
            w.put(token);
            const auto key = boost::json::parse({token.data(), token.size()});
            member.key.assign(key.as_string().data(), key.as_string().size());
            i = skip(text, *end);
            if (i >= text.size() || text[i] != ':') return wrong(text, i, "a ':' is missing here");
            w.put(":");
            i = skip(text, i + 1);
        }
        member.begin = i;
        const auto end = walk(w, i, level + 1, nullptr);
        if (!end) return end;
        member.end = *end;
        if (!object) member.key_begin = member.begin;
        if (top != nullptr) top->members.push_back(std::move(member));
        first = false;
        i = skip(text, *end);
        comma = i < text.size() && text[i] == ',';
        if (comma) ++i;
    }
}

Result<std::size_t> walk(const Walk& w, std::size_t at, int level, Container* top) {
    const auto& text = w.text;
    if (at >= text.size()) return wrong(text, at, "a value is missing here");
    if (text[at] == '{' || text[at] == '[') return walk_container(w, at, level, top);
    std::size_t end = at;
    if (text[at] == '"') {
        const auto closed = string_end(text, at);
        if (!closed) return closed;
        end = *closed;
    } else {
        while (end < text.size() && !space(text[end]) &&
               std::string_view(",:]}/[{\"").find(text[end]) == std::string_view::npos)
            ++end;
        boost::system::error_code bad;
        const auto token = text.substr(at, end - at);
        (void)boost::json::parse({token.data(), token.size()}, bad);
        if (bad) return wrong(text, at, "this is not a JSON value");
    }
    w.put(text.substr(at, end - at));
    return end;
}

}  // namespace

std::size_t skip(std::string_view text, std::size_t at) {
    while (at < text.size()) {
        if (space(text[at])) {
            ++at;
        } else if (text.substr(at, 2) == "//") {
            at = std::min(text.find('\n', at), text.size());
        } else if (text.substr(at, 2) == "/*") {
            const auto end = text.find("*/", at + 2);
            if (end == std::string_view::npos) return at;  // no value begins with '/': reported there
            at = end + 2;
        } else {
            break;
        }
    }
    return at;
}

std::size_t content_end(std::string_view text, std::size_t from, std::size_t close) {
    std::size_t end = close;
    while (end > from && space(text[end - 1])) --end;
    return end;
}

Result<std::size_t> value_end(std::string_view text, std::size_t at) {
    return walk(Walk{text}, at, 0, nullptr);
}

Result<Container> container(std::string_view text, std::size_t at) {
    Container out;
    if (auto end = walk(Walk{text}, at, 0, &out); !end) return tl::unexpected(end.error());
    return out;
}

Result<std::string> plain(std::string_view text) {
    const auto at = top(text);
    if (!at) return tl::unexpected(at.error());
    if (*at == std::string_view::npos) return std::string("{}");
    std::string out;
    if (auto end = walk(Walk{text, &out}, *at, 0, nullptr); !end) return tl::unexpected(end.error());
    return out;
}

Result<std::size_t> top(std::string_view text) {
    const std::size_t at = skip(text, text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
    if (at >= text.size()) return std::string_view::npos;
    const auto end = walk(Walk{text}, at, 0, nullptr);
    if (!end) return end;
    if (const auto after = skip(text, *end); after < text.size())
        return wrong(text, after, "something follows the end");
    return at;
}

}  // namespace lc::clients::scan
