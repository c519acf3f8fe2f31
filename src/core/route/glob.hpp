// Globs as rules use them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lc::route {

/// Whether `text` as a whole is what `pattern` describes: '*' stands for any text, '?' for one character; ASCII case does not
/// matter. Linear in the product of the lengths at worst. Pure.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);

/// Whether any of the patterns does; no patterns: yes.
[[nodiscard]] bool matches_any(const std::vector<std::string>& patterns, std::string_view text);

}  // namespace lc::route
