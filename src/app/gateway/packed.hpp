// A text that is kept for the case that it is needed again, small. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lc::gateway {

struct Packed {
    std::string bytes;     ///< zstd, or the text itself where that is not smaller
    std::size_t size = 0;  ///< of the text
    bool compressed = false;
};

/// With `compress` false it is only kept: for few texts at a time the memory is not worth the work.
[[nodiscard]] Packed pack(std::string_view text, bool compress);

/// The text; empty for a value that pack did not make.
[[nodiscard]] std::string unpack(const Packed& packed);

}  // namespace lc::gateway
