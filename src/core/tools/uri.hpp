// References of RFC 3986, as far as JSON Schema needs them.
#pragma once

#include <string>
#include <string_view>

namespace lc::tools {

struct SplitUri {
    std::string_view uri;       ///< without fragment
    std::string_view fragment;  ///< without '#'
};
[[nodiscard]] SplitUri split_fragment(std::string_view uri);

/// Pure. `reference` seen from `base` (its fragment does not count).
[[nodiscard]] std::string resolve_uri(std::string_view base, std::string_view reference);

[[nodiscard]] std::string percent_decode(std::string_view text);

/// One step of a JSON pointer (RFC 6901), without its '/'.
[[nodiscard]] std::string escape_pointer(std::string_view key);

}  // namespace lc::tools
