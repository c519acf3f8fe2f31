// Inside of keys: images and sounds by the digest of their bytes.
#pragma once

#include <string>
#include <string_view>

#include "base/sha256.hpp"

namespace lc::kv {

/// Of the bytes that a data URL or bare base64 holds; of the text itself when it holds none (a link).
[[nodiscard]] Digest media_bytes_digest(std::string_view url_or_base64, bool bare_base64);

}  // namespace lc::kv
