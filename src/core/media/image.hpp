// What an image says of itself in its header: kind and size, before anything decodes it. Pure; for foreign bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.hpp"

namespace lc::media {

enum class Kind : std::uint8_t { png, jpeg, gif, webp, wav, mp3, flac };
/// "image/png", "audio/wav", ...
[[nodiscard]] std::string_view mime_of(Kind kind);
[[nodiscard]] bool is_image(Kind kind);

struct Info {
    Kind kind = Kind::png;
    std::int64_t width = 0, height = 0;  ///< pixels; 0 for sound
    bool animated = false;               ///< WebP only
};

/// bad_request: not one of these kinds, or its header is damaged.
[[nodiscard]] Result<Info> inspect(std::string_view bytes);

inline constexpr std::int64_t max_pixels = 40'000'000;
inline constexpr std::int64_t max_side = 16'384;

/// bad_request: more pixels than anybody needs (a small file may stand for gigabytes of them).
[[nodiscard]] Result<void> check_size(const Info& info);

}  // namespace lc::media
