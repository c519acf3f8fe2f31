// Headers of model files are foreign bytes: no crash, no endless loop, and a prefix never says other than the whole.
// The input is either a file as it is, or (first byte odd) a list of changes to a good one: that reaches deep at once.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/gguf/gguf.hpp"
#include "core/gguf/testing.hpp"

namespace {

std::string good_file() {
    auto b = lc::gguf::testing::small_llama();
    b.u32s("llama.attention.head_count_kv_list", {1, 2, 3}).f32("llama.rope.freq_base", 10000);
    b.boolean("tokenizer.ggml.add_bos_token", true).tensor("output.weight", {576, 3}, 0, 576 * 3 * 4);
    return b.header();
}

/// Three bytes a change: where (two), and what to put there; the highest bit of the place inserts instead of replacing.
std::string changed(std::string file, std::string_view changes) {
    for (std::size_t i = 0; i + 2 < changes.size(); i += 3) {
        const auto at = static_cast<std::size_t>(static_cast<unsigned char>(changes[i]) << 8 |
                                                 static_cast<unsigned char>(changes[i + 1]));
        const std::size_t place = (at & 0x7fff) % file.size();
        if ((at & 0x8000) != 0) {
            file.insert(file.begin() + static_cast<std::ptrdiff_t>(place), changes[i + 2]);
        } else {
            file[place] = changes[i + 2];
        }
    }
    return file;
}

void check(std::string_view bytes) {
    const auto info = lc::gguf::parse(bytes);
    if (!info) return;
    if (lc::gguf::kv_bytes_per_token(*info) < 0 || lc::gguf::window_bytes_per_token(*info) < 0) std::abort();
    if (info->file_bytes < 0 || info->parameters < 0 || info->layers < 0) std::abort();
    const auto cut = lc::gguf::parse(bytes.substr(0, bytes.size() / 2));
    if (cut && cut->architecture != info->architecture) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (size > 0 && (data[0] & 1) != 0) {
        static const std::string good = good_file();
        check(changed(good, bytes.substr(1)));
    } else {
        check(bytes);
    }
    return 0;
}
