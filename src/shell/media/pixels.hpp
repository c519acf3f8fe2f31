// What needs a library to look into an image. Works on memory only; foreign bytes; takes time with large images.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/media/image.hpp"

namespace lc::media {

/// The same picture as PNG: what decodes images in an engine knows no WebP. bad_request: it cannot be decoded. Its size
/// was checked before.
[[nodiscard]] Result<std::string> webp_to_png(std::string_view bytes);

/// Whether a PNG's compressed data holds no more than its header promises. A few kilobytes can stand for gigabytes, which
/// decoders unpack without looking. bad_request otherwise.
[[nodiscard]] Result<void> check_png(std::string_view bytes, const Info& info);

}  // namespace lc::media
