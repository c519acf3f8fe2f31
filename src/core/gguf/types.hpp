// Tables of the format: tensor types and file types.
#pragma once

#include <cstdint>
#include <string_view>

namespace lc::gguf {

struct TensorType {
    std::string_view name;   ///< empty: no such type (or one that was removed)
    std::int64_t block = 0;  ///< elements in a block
    std::int64_t bytes = 0;  ///< of a block
};
[[nodiscard]] TensorType tensor_type(std::uint32_t id);

/// Name of `general.file_type`; empty when it is not known.
[[nodiscard]] std::string_view file_type(std::int64_t id);

/// How an architecture mixes layers with and without sliding window when the file does not say: `period` layers, the
/// last of them full (the first, when `full_first`). period 0: the architecture has no such layers, whatever the file
/// says.
struct WindowPattern {
    std::int64_t period = 0;
    bool full_first = false;
    std::int64_t window = 0;  ///< when the file does not give one; 0: then there is none
};
[[nodiscard]] WindowPattern window_pattern(std::string_view architecture, std::int64_t layers);

/// Whether positions are rotary, so that the context can be stretched; false: learned, ALiBi or none.
[[nodiscard]] bool uses_rope(std::string_view architecture);

}  // namespace lc::gguf
