#include "core/clients/diff.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lc::clients {

namespace {

constexpr std::size_t context = 3;
constexpr std::size_t most_cells = 16u << 20;  // of the table: beyond it everything counts as changed

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
        out.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return out;
}

struct Line {
    char mark;  ///< ' ', '-' or '+'
    std::string_view text;
    std::size_t before, after;  ///< lines of each side that stand above
};

std::vector<Line> compare(const std::vector<std::string_view>& a, const std::vector<std::string_view>& b) {
    const std::size_t columns = b.size() + 1;
    const bool small = (a.size() + 1) * columns <= most_cells;
    // longest[i][j]: lines in common of a from i on and b from j on
    std::vector<std::uint32_t> longest(small ? (a.size() + 1) * columns : 0, 0);
    for (std::size_t i = a.size(); small && i-- > 0;) {
        for (std::size_t j = b.size(); j-- > 0;) {
            longest[i * columns + j] = a[i] == b[j]
                                           ? longest[(i + 1) * columns + j + 1] + 1
                                           : std::max(longest[(i + 1) * columns + j], longest[i * columns + j + 1]);
        }
    }
    std::vector<Line> out;
    std::size_t i = 0, j = 0;
    while (i < a.size() || j < b.size()) {
        if (small && i < a.size() && j < b.size() && a[i] == b[j]) {
            out.push_back({' ', a[i], i, j});
            ++i, ++j;
        } else if (i < a.size() &&
                   (!small || j == b.size() || longest[(i + 1) * columns + j] >= longest[i * columns + j + 1])) {
            out.push_back({'-', a[i], i, j});
            ++i;
        } else {
            out.push_back({'+', b[j], i, j});
            ++j;
        }
    }
    return out;
}

std::string range(std::size_t first, std::size_t count) {
    return std::to_string(count == 0 ? first : first + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, std::string_view before_name,
                         std::string_view after_name) {
    if (before == after) return {};
    const auto lines = compare(lines_of(before), lines_of(after));
    std::string out = "--- " + std::string(before_name) + "\n+++ " + std::string(after_name) + "\n";
    const auto changed = [](const Line& l) { return l.mark != ' '; };
    auto at = std::find_if(lines.begin(), lines.end(), changed);
    while (at != lines.end()) {
        const auto begin = at - std::min<std::ptrdiff_t>(at - lines.begin(), context);
        auto end = at;
        // A hunk goes on as long as the next change is near enough for both contexts to touch.
        for (auto next = at; next != lines.end() && next - end <= static_cast<std::ptrdiff_t>(2 * context);) {
            end = std::find_if_not(next, lines.end(), changed);
            next = std::find_if(end, lines.end(), changed);
        }
        const auto last = end + std::min<std::ptrdiff_t>(lines.end() - end, context);
        const auto old_count =
            static_cast<std::size_t>(std::count_if(begin, last, [](const Line& l) { return l.mark != '+'; }));
        const auto new_count =
            static_cast<std::size_t>(std::count_if(begin, last, [](const Line& l) { return l.mark != '-'; }));
        out += "@@ -" + range(begin->before, old_count) + " +" + range(begin->after, new_count) + " @@\n";
        for (auto line = begin; line != last; ++line) {
            out += line->mark;
            out += line->text;
            if (!line->text.ends_with('\n')) out += "\n\\ No newline at end of file\n";
        }
        at = std::find_if(last, lines.end(), changed);
    }
    return out;
}

}  // namespace lc::clients
