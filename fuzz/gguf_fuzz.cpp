// Headers of model files are foreign bytes: no crash, no endless loop, and a prefix never says more than the whole.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/gguf/gguf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto info = lc::gguf::parse(bytes);
    if (!info) return 0;
    if (lc::gguf::kv_bytes_per_token(*info) < 0 || lc::gguf::window_bytes_per_token(*info) < 0) std::abort();
    if (info->file_bytes < 0 || info->parameters < 0) std::abort();
    const auto cut = lc::gguf::parse(bytes.substr(0, size / 2));
    if (cut && cut->architecture != info->architecture) std::abort();
    return 0;
}
