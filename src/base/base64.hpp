// Base64 (RFC 4648, section 4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lc {

/// With padding.
[[nodiscard]] std::string to_base64(std::string_view bytes);

/// Nothing when `text` is not base64. Padding may be missing; line breaks and spaces are refused.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace lc
