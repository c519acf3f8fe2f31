#include "core/fim/editor.hpp"

#include <algorithm>

#include "core/api/json_scan.hpp"

namespace lc::fim {

namespace {

/// A JSON text without its quotes; empty when it is none.
std::string inside(const api::RequestView& view, std::string_view body, std::string_view key) {
    const auto* member = api::find(view, key);
    const auto text = member ? api::slice(body, member->value) : std::string_view();
    return text.size() >= 2 && text.front() == '"' ? std::string(text.substr(1, text.size() - 2)) : std::string();
}

bool one_begins_the_other(std::string_view a, std::string_view b) {
    return !a.empty() && !b.empty() && (a.starts_with(b) || b.starts_with(a));
}

}  // namespace

Ask ask_of(const api::RequestView& view, std::string_view body) {
    Ask out;
    out.prefix = inside(view, body, "input_prefix");
    out.suffix = inside(view, body, "input_suffix");
    if (const auto line = inside(view, body, "prompt"); !line.empty()) out.prefix += line;  // what stands before the cursor in its line
    out.warm_up = view.max_tokens == 0;
    return out;
}

bool supersedes(const Ask& newer, const Ask& older) {
    constexpr std::size_t telling = 16;  // bytes: shorter suffixes are equal by chance
    if (newer.who != older.who) return false;
    if (newer.warm_up && !older.warm_up) return false;
    if (newer.prefix == older.prefix && newer.suffix == older.suffix) return false;
    if (newer.named && older.named) return true;
    return one_begins_the_other(newer.prefix, older.prefix) || (newer.suffix == older.suffix && newer.suffix.size() >= telling);
}

std::vector<std::size_t> stable_order(const std::vector<std::uint64_t>& last, const std::vector<std::uint64_t>& now) {
    std::vector<std::size_t> order;
    std::vector<bool> taken(now.size(), false);
    for (const auto known : last) {
        for (std::size_t i = 0; i < now.size(); ++i) {
            if (taken[i] || now[i] != known) continue;
            taken[i] = true;
            order.push_back(i);
            break;
        }
    }
    for (std::size_t i = 0; i < now.size(); ++i) {
        if (!taken[i]) order.push_back(i);
    }
    return order;
}

}  // namespace lc::fim
