#include "core/clients/jsonc.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <optional>

#include "core/clients/jsonc_scan.hpp"

namespace lc::clients {

namespace json = boost::json;

namespace {

constexpr std::size_t short_line = 100;

bool plain_value(const json::value& v) {
    return !v.is_object() && !v.is_array();
}

std::string one_line(const json::value& value) {
    std::string out;
    if (const auto* object = value.if_object()) {
        for (const auto& [key, v] : *object)
            out += (out.empty() ? "" : ", ") + json::serialize(json::string(key)) + ": " + one_line(v);
        return object->empty() ? "{}" : "{ " + out + " }";
    }
    if (const auto* list = value.if_array()) {
        for (const auto& v : *list) out += (out.empty() ? "" : ", ") + one_line(v);
        return "[" + out + "]";
    }
    return json::serialize(value);
}

/// Leaves (and objects and lists of nothing but leaves) that fit stay on one line.
bool fits_one_line(const json::value& value, std::size_t used) {
    if (const auto* object = value.if_object()) {
        if (object->size() > 4 || !std::ranges::all_of(*object, [](const auto& m) { return plain_value(m.value()); }))
            return false;
    } else if (const auto* list = value.if_array()) {
        if (!std::ranges::all_of(*list, plain_value)) return false;
    }
    return used + one_line(value).size() <= short_line;
}

struct Style {
    std::string unit = "  ", line_end = "\n";
};

/// The spaces that the line of `at` begins with.
std::string indent_of(std::string_view text, std::size_t at) {
    const auto before = text.rfind('\n', at == 0 ? 0 : at - 1);
    const std::size_t begin = before == std::string_view::npos || at == 0 ? 0 : before + 1;
    std::size_t end = begin;
    while (end < at && (text[end] == ' ' || text[end] == '\t')) ++end;
    return std::string(text.substr(begin, end - begin));
}

Style style_of(std::string_view text, const scan::Container& top) {
    Style style;
    if (text.find("\r\n") != std::string_view::npos) style.line_end = "\r\n";
    if (!top.members.empty()) {
        const auto at = top.members.front().key_begin;
        auto unit = indent_of(text, at);
        if (text.substr(top.open, at - top.open).find('\n') != std::string_view::npos && !unit.empty())
            style.unit = std::move(unit);
    }
    return style;
}

std::string replaced(std::string_view text, std::size_t begin, std::size_t end, std::string_view with) {
    return std::string(text.substr(0, begin)).append(with).append(text.substr(end));
}

/// A container of one line as one of several lines, with one more member; what the members say stays as it is written.
template <class Make>
std::string unfolded(std::string_view text, const scan::Container& in, const Style& style, Make make) {
    const std::string outer = indent_of(text, in.open), inner = outer + style.unit;
    std::string out;
    for (const auto& member : in.members) {
        out += style.line_end + inner + std::string(text.substr(member.key_begin, member.end - member.key_begin)) + ",";
    }
    out += style.line_end + inner + make(inner) + style.line_end + outer;
    return replaced(text, in.open + 1, in.close, out);
}

/// `item` ("key": value, or a value; `make` gets the indentation of its line) as the last member.
template <class Make>
std::string with_member(std::string_view text, const scan::Container& in, const Style& style, Make make) {
    const auto body = text.substr(in.open, in.close - in.open);
    const bool one_line_form = body.find('\n') == std::string_view::npos && !in.members.empty();
    if (one_line_form) {
        const auto item = make(indent_of(text, in.open));
        const auto line =
            std::min(text.find('\n', in.close), text.size()) - std::min(text.rfind('\n', in.open) + 1, in.open);
        if (item.find('\n') == std::string::npos && line + item.size() + 2 <= short_line) {
            return replaced(text, in.members.back().end, in.members.back().end, ", " + item);
        }
        if (body.find("/*") == std::string_view::npos) return unfolded(text, in, style, make);
    }
    const std::string outer = indent_of(text, in.open);
    const std::string inner = in.members.empty() ? outer + style.unit : indent_of(text, in.members.front().key_begin);
    const auto end = scan::content_end(text, in.members.empty() ? in.open + 1 : in.members.back().end, in.close);
    std::string item = style.line_end + inner + make(inner) + (in.trailing_comma ? "," : "") + style.line_end + outer;
    std::string out = replaced(text, end, in.close, item);
    if (!in.members.empty() && !in.trailing_comma) out.insert(in.members.back().end, ",");
    return out;
}

std::string path_text(const std::vector<std::string>& path, std::size_t length) {
    std::string out;
    for (std::size_t i = 0; i < length; ++i) out += (i ? "." : "") + path[i];
    return out;
}

/// What is missing from `path[level]` on, as one value.
json::value nested(const Setting& s, std::size_t level) {
    json::value value = s.how == How::append ? json::value(json::array{s.value}) : s.value;
    for (std::size_t i = s.path.size(); i-- > level;) value = json::object{{s.path[i], value}};
    return value;
}

Result<json::value> value_at(std::string_view text, std::size_t begin, std::size_t end) {
    return read_jsonc(text.substr(begin, end - begin));
}

}  // namespace

Result<std::string> with_setting(std::string_view text, const Setting& setting) {
    const auto top = scan::top(text);
    if (!top) return tl::unexpected(top.error());
    if (*top == std::string_view::npos) {
        const auto end = scan::content_end(text, 0, text.size());
        return with_setting(std::string(text.substr(0, end)) + (end == 0 ? "" : "\n") + "{}\n", setting);
    }
    std::size_t at = *top;
    std::optional<Style> style;
    for (std::size_t level = 0; level < setting.path.size(); ++level) {
        if (text[at] != '{') {
            const auto where = level == 0 ? std::string("the file") : "'" + path_text(setting.path, level) + "'";
            return fail(Errc::bad_request,
                        where + " is no object, so '" + setting.path[level] + "' cannot be set in it");
        }
        const auto in = scan::container(text, at);
        if (!in) return tl::unexpected(in.error());
        if (!style) style = style_of(text, *in);
        const auto found = std::find_if(in->members.rbegin(), in->members.rend(),
                                        [&](const scan::Member& m) { return m.key == setting.path[level]; });
        if (found == in->members.rend()) {
            return with_member(text, *in, *style, [&](const std::string& indent) {
                return json::serialize(json::string(setting.path[level])) + ": " +
                       pretty(nested(setting, level + 1), style->unit, indent, style->line_end);
            });
        }
        at = found->begin;
        if (level + 1 < setting.path.size()) continue;

        const auto there = value_at(text, found->begin, found->end);
        if (!there) return tl::unexpected(there.error());
        if (setting.how == How::if_absent) return std::string(text);
        if (setting.how == How::replace && *there == setting.value) return std::string(text);
        if (setting.how == How::replace) {
            return replaced(text, found->begin, found->end,
                            pretty(setting.value, style->unit, indent_of(text, found->key_begin), style->line_end));
        }
        const auto* list = there->if_array();
        if (list == nullptr) return fail(Errc::bad_request, "'" + path_text(setting.path, level + 1) + "' is no list");
        if (std::find(list->begin(), list->end(), setting.value) != list->end()) return std::string(text);
        const auto items = scan::container(text, at);
        if (!items) return tl::unexpected(items.error());
        if (items->members.empty() &&
            text.substr(items->open, items->close - items->open).find('/') == std::string_view::npos) {
            return replaced(text, items->open, items->close + 1, pretty(json::array{setting.value}));
        }
        return with_member(text, *items, *style, [&](const std::string& indent) {
            return pretty(setting.value, style->unit, indent, style->line_end);
        });
    }
    return std::string(text);
}

Result<std::string> with_settings(std::string_view text, const std::vector<Setting>& settings) {
    std::string out(text);
    for (const auto& setting : settings) {
        auto next = with_setting(out, setting);
        if (!next) return next;
        out = std::move(*next);
    }
    return out;
}

Result<json::value> read_jsonc(std::string_view text) {
    const auto plain = scan::plain(text);
    if (!plain) return tl::unexpected(plain.error());
    boost::system::error_code bad;
    json::parse_options options;
    options.max_depth = 256;
    auto value = json::parse(*plain, bad, {}, options);
    if (bad) return fail(Errc::bad_request, bad.message());
    return value;
}

std::string pretty(const json::value& value, std::string_view unit, std::string_view indent,
                   std::string_view line_end) {
    if (plain_value(value) || fits_one_line(value, indent.size())) return one_line(value);
    const std::string inner = std::string(indent) + std::string(unit);
    std::string out;
    const auto line = [&](const std::string& item) {
        out += (out.empty() ? "" : ",") + std::string(line_end) + inner + item;
    };
    if (const auto* object = value.if_object()) {
        for (const auto& [key, v] : *object) {
            line(json::serialize(json::string(key)) + ": " + pretty(v, unit, inner, line_end));
        }
        return "{" + out + std::string(line_end) + std::string(indent) + "}";
    }
    for (const auto& v : value.as_array()) line(pretty(v, unit, inner, line_end));
    return "[" + out + std::string(line_end) + std::string(indent) + "]";
}

}  // namespace lc::clients
