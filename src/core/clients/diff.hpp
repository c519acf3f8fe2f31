// Differences of two texts, for people.
#pragma once

#include <string>
#include <string_view>

namespace lc::clients {

/// Pure. Unified diff with three lines of context; empty when the texts are equal. A file that does not exist yet has
/// the name "/dev/null". For files of some thousand lines: its cost is the product of both numbers of lines.
[[nodiscard]] std::string unified_diff(std::string_view before, std::string_view after, std::string_view before_name,
                                       std::string_view after_name);

}  // namespace lc::clients
