#include "app/gateway/packed.hpp"

#include <zstd.h>

#include <memory>

namespace lc::gateway {

namespace {

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

/// Made once: it is large, and made anew each time it would leave holes between what is kept.
struct Scratch {
    std::unique_ptr<ZSTD_CCtx, FreeContext> context{ZSTD_createCCtx()};
    std::string bytes;
};

}  // namespace

Packed pack(std::string_view text, bool compress) {
    constexpr std::size_t worth_it = 4096;
    Packed out;
    out.size = text.size();
    if (compress && text.size() >= worth_it) {
        static thread_local Scratch scratch;
        constexpr std::size_t kept = 1 << 20;
        scratch.bytes.resize(ZSTD_compressBound(text.size()));
        const auto n = ZSTD_compressCCtx(scratch.context.get(), scratch.bytes.data(), scratch.bytes.size(), text.data(),
                                         text.size(), 1);
        const bool smaller = ZSTD_isError(n) == 0 && n < text.size();
        if (smaller) out.bytes.assign(scratch.bytes, 0, n);
        if (scratch.bytes.capacity() > kept) std::string().swap(scratch.bytes);
        if (smaller) {
            out.compressed = true;
            return out;
        }
    }
    out.bytes = text;
    return out;
}

std::string unpack(const Packed& packed) {
    if (!packed.compressed) return packed.bytes;
    std::string text(packed.size, '\0');
    const auto n = ZSTD_decompress(text.data(), text.size(), packed.bytes.data(), packed.bytes.size());
    if (ZSTD_isError(n) != 0 || n != text.size()) return {};
    return text;
}

}  // namespace lc::gateway
