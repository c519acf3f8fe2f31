#include "core/api/splice.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/api/json_check.hpp"

namespace lc::api {

namespace {

/// The edits of top-level members that are already in a list of splices. Removals and additions share commas, so each
/// call takes them out of the list and lays them down anew.
struct MemberEdits {
    std::vector<bool> removed;                               ///< per member of the view
    std::vector<std::pair<std::string, std::string>> added;  ///< quoted key, value
};

bool covers(Range outer, Range inner) {
    return outer.begin <= inner.begin && inner.end <= outer.end;
}

/// Where members are added: behind the last one, or behind the '{' of an empty object.
std::size_t add_position(const RequestView& view, std::string_view body) {
    if (!view.members.empty()) return view.members.back().whole.end;
    const std::size_t brace = body.find('{');
    return brace == std::string_view::npos ? body.size() : brace + 1;
}

bool is_removal(const Splice& splice) {
    return splice.text.empty() && !splice.range.empty();
}

/// An addition of ours: `,"key":value` or `"key":value` at the one place where members are added.
bool is_addition(const Splice& splice, std::size_t position) {
    return splice.range == Range{position, position} &&
           (splice.text.starts_with(",\"") || splice.text.starts_with('"'));
}

/// Takes removals and additions of members out of `splices`, and edits inside removed members with them.
MemberEdits take_edits(const RequestView& view, std::string_view body, std::vector<Splice>& splices) {
    MemberEdits edits;
    edits.removed.resize(view.members.size());
    const std::size_t position = add_position(view, body);
    std::vector<Splice> rest;
    for (auto& splice : splices) {
        if (is_addition(splice, position)) {
            const std::string_view text = std::string_view(splice.text).substr(splice.text[0] == ',' ? 1 : 0);
            std::size_t end = 1;
            while (end < text.size() && text[end] != '"') end += text[end] == '\\' ? 2 : 1;
            edits.added.emplace_back(text.substr(0, end + 1), text.substr(std::min(text.size(), end + 2)));
            continue;
        }
        bool member_removal = false;
        for (std::size_t i = 0; is_removal(splice) && i < view.members.size(); ++i) {
            if (!covers(splice.range, view.members[i].whole)) continue;
            edits.removed[i] = true;
            member_removal = true;
        }
        if (!member_removal) rest.push_back(std::move(splice));
    }
    splices = std::move(rest);
    return edits;
}

void lay_down(const RequestView& view, std::string_view body, MemberEdits edits, std::vector<Splice>& out) {
    const auto& members = view.members;
    std::erase_if(out, [&](const Splice& splice) {
        for (std::size_t i = 0; i < members.size(); ++i) {
            if (edits.removed[i] && covers(members[i].whole, splice.range)) return true;
        }
        return false;
    });
    bool any_left = false;
    for (std::size_t i = 0; i < members.size(); ++i) {
        if (!edits.removed[i]) {
            any_left = true;
            continue;
        }
        std::size_t last = i;
        while (last + 1 < members.size() && edits.removed[last + 1]) ++last;
        // A run at the front takes the comma behind it, any other run the comma before it.
        Range range{i == 0 ? members[0].whole.begin : members[i - 1].whole.end, members[last].whole.end};
        if (i == 0 && last + 1 < members.size()) range.end = members[last + 1].whole.begin;
        out.push_back({range, {}});
        i = last;
    }
    const std::size_t position = add_position(view, body);
    for (const auto& [key, value] : edits.added) {
        out.push_back({{position, position}, (any_left ? "," : "") + key + ":" + value});
        any_left = true;
    }
}

}  // namespace

std::string apply(std::string_view original, std::vector<Splice> splices) {
    std::stable_sort(splices.begin(), splices.end(), [](const Splice& a, const Splice& b) {
        return std::pair(a.range.begin, a.range.end) < std::pair(b.range.begin, b.range.end);
    });
    std::size_t size = original.size();
    for (const auto& splice : splices) size += splice.text.size();
    std::string out;
    out.reserve(size);
    std::size_t at = 0;
    for (const auto& splice : splices) {
        assert(splice.range.begin >= at && splice.range.begin <= splice.range.end &&
               splice.range.end <= original.size());
        out.append(original.substr(at, splice.range.begin - at));
        out.append(splice.text);
        at = splice.range.end;
    }
    out.append(original.substr(at));
    return out;
}

void set_member(const RequestView& view, std::string_view body, std::string_view key, std::string_view json_value,
                std::vector<Splice>& out) {
    MemberEdits edits = take_edits(view, body, out);
    const std::string quoted = json_quote(key);
    std::erase_if(edits.added, [&](const auto& added) { return added.first == quoted; });
    bool present = false;
    for (std::size_t i = 0; i < view.members.size(); ++i) {
        const Member& member = view.members[i];
        if (member.key != key || edits.removed[i]) continue;
        std::erase_if(out, [&](const Splice& splice) { return covers(member.value, splice.range); });
        out.push_back({member.value, std::string(json_value)});
        present = true;
    }
    if (!present) edits.added.emplace_back(quoted, json_value);
    lay_down(view, body, std::move(edits), out);
}

void remove_member(const RequestView& view, std::string_view body, std::string_view key, std::vector<Splice>& out) {
    MemberEdits edits = take_edits(view, body, out);
    const std::string quoted = json_quote(key);
    std::erase_if(edits.added, [&](const auto& added) { return added.first == quoted; });
    for (std::size_t i = 0; i < view.members.size(); ++i) {
        if (view.members[i].key == key) edits.removed[i] = true;
    }
    lay_down(view, body, std::move(edits), out);
}

std::string json_quote(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(text.size() + 2);
    out.push_back('"');
    while (!text.empty()) {
        const std::size_t good = find_invalid_utf8(text);
        for (const char c : text.substr(0, good)) {
            switch (c) {
                case '"': out += "\\\""; break;
                case '\\': out += "\\\\"; break;
                case '\n': out += "\\n"; break;
                case '\r': out += "\\r"; break;
                case '\t': out += "\\t"; break;
                default:
                    if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f) {
                        out += "\\u00";
                        out.push_back(digits[byte >> 4]);
                        out.push_back(digits[byte & 15]);
                    } else {
                        out.push_back(c);
                    }
            }
        }
        text.remove_prefix(good);
        if (!text.empty()) {
            out += "\xef\xbf\xbd";
            text.remove_prefix(1);
        }
    }
    out.push_back('"');
    return out;
}

}  // namespace lc::api
