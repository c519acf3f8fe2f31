#include "core/prefix/text.hpp"

#include "base/text.hpp"
#include "core/api/json_scan.hpp"
#include "core/kv/keys/canonical.hpp"

namespace lc::prefix {

namespace {

using api::Range;

Range member_of(std::string_view body, Range object, std::string_view quoted_key) {
    Range found;
    if (object.empty() || body[object.begin] != '{') return found;
    api::scan_members(body, object.begin, [&](Range key, Range value) {
        if (api::slice(body, key) == quoted_key) found = value;
    });
    return found;
}

bool is_string(std::string_view body, Range value) { return !value.empty() && body[value.begin] == '"'; }

Range inside(Range quoted) { return {quoted.begin + 1, quoted.end - 1}; }

/// Whether the backslash at `at` begins an escape (and is not itself escaped).
bool begins_escape(std::string_view raw, std::size_t at) {
    std::size_t before = 0;
    while (before < at && raw[at - before - 1] == '\\') ++before;
    return before % 2 == 0;
}

std::string part_of(const Input& in, std::string_view raw) {
    const bool responses = in.view.dialect == api::Dialect::responses;
    return std::string(R"({"type":")") + (responses ? "input_text" : "text") + R"(","text":")" + std::string(raw) + "\"}";
}

bool put(const Input& in, std::size_t message, std::string_view raw, bool before, std::vector<api::Splice>& out) {
    const Range content = content_of(in, message);
    if (content.empty()) return false;
    if (is_string(in.body, content)) {
        const Range text = inside(content);
        if (before) {
            out.push_back({{text.begin, text.begin}, std::string(raw) + (text.empty() ? "" : R"(\n\n)")});
        } else {
            out.push_back({{text.end, text.end}, (text.empty() ? "" : R"(\n\n)") + std::string(raw)});
        }
        return true;
    }
    if (in.body[content.begin] != '[') return false;
    bool any = false;
    api::scan_elements(in.body, content.begin, [&](Range) { any = true; });
    if (before) {
        out.push_back({{content.begin + 1, content.begin + 1}, part_of(in, raw) + (any ? "," : "")});
    } else {
        out.push_back({{content.end - 1, content.end - 1}, (any ? "," : "") + part_of(in, raw)});
    }
    return true;
}

std::string place_of(const Input& in, std::size_t at) {
    for (std::size_t i = 0; i < in.view.messages.size(); ++i) {
        const auto& raw = in.view.messages[i].raw;
        if (raw.begin <= at && at <= raw.end) {
            return "message " + std::to_string(i) + " (" + std::string(api::name_of(in.view.messages[i].role)) + ")";
        }
    }
    for (const auto& tool : in.view.tools) {
        if (tool.raw.begin <= at && at < tool.raw.end) return "tool " + tool.name;
    }
    for (const auto& member : in.view.members) {
        if (member.whole.begin <= at && at <= member.whole.end) return member.key;
    }
    return "body";
}

}  // namespace

Range content_of(const Input& in, std::size_t message) {
    const Range raw = in.view.messages[message].raw;
    if (raw.empty() || in.body[raw.begin] != '{') return raw;
    const Range content = member_of(in.body, raw, "\"content\"");
    if (!content.empty() || in.view.messages[message].role != api::Role::tool) return content;
    return member_of(in.body, raw, "\"output\"");
}

std::vector<Range> texts_of(const Input& in, std::size_t message) {
    std::vector<Range> texts;
    const Range content = content_of(in, message);
    if (content.empty()) return texts;
    if (is_string(in.body, content)) return {inside(content)};
    if (in.body[content.begin] != '[') return texts;
    api::scan_elements(in.body, content.begin, [&](Range part) {
        const Range text = is_string(in.body, part) ? part : member_of(in.body, part, "\"text\"");
        if (is_string(in.body, text)) texts.push_back(inside(text));
    });
    return texts;
}

std::size_t leading_system(const api::RequestView& view) {
    std::size_t n = 0;
    while (n < view.messages.size() &&
           (view.messages[n].role == api::Role::system || view.messages[n].role == api::Role::developer)) {
        ++n;
    }
    return n;
}

std::size_t find_escape(std::string_view raw, std::string_view what, std::size_t from) {
    for (auto at = raw.find(what, from); at != std::string_view::npos; at = raw.find(what, at + 1)) {
        if (begins_escape(raw, at)) return at;
    }
    return std::string_view::npos;
}

std::size_t rfind_escape(std::string_view raw, std::string_view what, std::size_t before) {
    raw = raw.substr(0, before);
    for (auto at = raw.rfind(what); at != std::string_view::npos; at = at == 0 ? std::string_view::npos : raw.rfind(what, at - 1)) {
        if (begins_escape(raw, at)) return at;
    }
    return std::string_view::npos;
}

std::string_view trim_lines(std::string_view raw) {
    while (raw.starts_with("\\n") || raw.starts_with("\\r")) raw.remove_prefix(2);
    while (raw.size() >= 2 && (raw.ends_with("\\n") || raw.ends_with("\\r")) && begins_escape(raw, raw.size() - 2)) {
        raw.remove_suffix(2);
    }
    return raw;
}

std::string plain(std::string_view raw) {
    std::string quoted;
    quoted.reserve(raw.size() + 2);
    quoted.append("\"").append(raw).append("\"");
    return kv::string_value(quoted);
}

std::string raw_of(std::string_view text) {
    const std::string quoted = api::json_quote(text);
    return quoted.substr(1, quoted.size() - 2);
}

bool put_before(const Input& in, std::size_t message, std::string_view raw, std::vector<api::Splice>& out) {
    return put(in, message, raw, true, out);
}

bool put_behind(const Input& in, std::size_t message, std::string_view raw, std::vector<api::Splice>& out) {
    return put(in, message, raw, false, out);
}

std::string as_reminder(std::string_view raw) {
    return R"(<system-reminder>\n)" + std::string(raw) + R"(\n</system-reminder>)";
}

bool is_reminder(std::string_view raw) { return trim_lines(raw).starts_with("<system-reminder>"); }

std::vector<Edit> edits_of(const Input& in, const std::vector<api::Splice>& splices) {
    std::vector<Edit> edits;
    for (const auto& splice : splices) {
        Edit edit;
        edit.where = place_of(in, splice.range.begin);
        edit.before = plain(api::slice(in.body, splice.range));
        edit.after = plain(splice.text);
        edits.push_back(std::move(edit));
    }
    return edits;
}

}  // namespace lc::prefix
