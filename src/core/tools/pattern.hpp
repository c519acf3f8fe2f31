// Regular expressions of JSON Schema (ECMA-262 as far as Boost.Regex's Perl syntax knows it).
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace lc::tools {

/// A compiled pattern; cheap to copy.
struct Pattern {
    struct Compiled;
    std::shared_ptr<const Compiled> compiled;  ///< null: the pattern is not known to us
};

/// Pure.
[[nodiscard]] Pattern compile_pattern(std::string_view pattern);

enum class Match : unsigned char { yes, no, gave_up };

/// Pure. Whether the pattern matches somewhere in `text` (UTF-8). Bounded in time and stack, whatever both are: then it
/// gives up.
[[nodiscard]] Match match(const Pattern& pattern, std::string_view text);

}  // namespace lc::tools
