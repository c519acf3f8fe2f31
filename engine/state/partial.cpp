#include "state/partial.h"

#include "state/cache_shape.h"

#include "llama-kv-cache-iswa.h"
#include "llama-kv-cache.h"

#include "core/kv/wire.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

namespace {
/// A cache's bytes in a checkpoint, walked through with the shape of the live one.
bool window_fits(const CacheShape& live, bool extensions, std::uint32_t n_max_cells, std::string_view bytes,
                 std::uint32_t n_tokens) {
    lc::kv::Reader in(bytes);
    if (in.number<std::uint32_t>() != live.n_stream) {
        return false;
    }
    bool found = false;
    for (std::uint32_t s = 0; s < live.n_stream && in.ok(); ++s) {
        const auto count = in.number<std::uint32_t>();
        if (count == 0) {
            continue;
        }
        if (found || count > n_max_cells) {
            return false;
        }
        found = true;
        for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
            const auto position = in.number<std::int32_t>();
            if (position < 0 || static_cast<std::uint32_t>(position) >= n_tokens || in.number<std::uint32_t>() != 1) {
                return false;
            }
            in.take(extensions ? 16 : 4);
        }
        if (in.number<std::uint32_t>() != live.transposed || in.number<std::uint32_t>() != live.layers.size()) {
            return false;
        }
        for (const auto& layer : live.layers) {
            if (static_cast<std::uint32_t>(in.number<std::int32_t>()) != layer.rows.k_type ||
                in.number<std::uint64_t>() != layer.rows.k_row_bytes) {
                return false;
            }
            in.take(std::uint64_t{count} * layer.rows.k_row_bytes);
        }
        for (const auto& layer : live.layers) {
            if (layer.v == nullptr) {
                continue;
            }
            if (static_cast<std::uint32_t>(in.number<std::int32_t>()) != layer.rows.v_type) {
                return false;
            }
            if (live.transposed != 0) {
                const auto element = element_bytes(layer.rows.v_type);
                if (in.number<std::uint32_t>() != element || in.number<std::uint32_t>() != layer.rows.v_row_bytes / element) {
                    return false;
                }
            } else if (in.number<std::uint64_t>() != layer.rows.v_row_bytes) {
                return false;
            }
            in.take(std::uint64_t{count} * layer.rows.v_row_bytes);
        }
    }
    return found && in.ok() && in.left() == 0;
}

/// Recurrent state is one cell: everything but position and rows must be equal.
bool recurrent_fits(const llama_memory_i& memory, llama_seq_id seq, std::string_view bytes, std::uint32_t n_tokens) {
    Recorder io;
    memory.state_write(io, seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    if (io.n_bytes() != bytes.size() || io.meta.size() < 8) {
        return false;
    }
    std::string meta;
    std::size_t at = 0, meta_at = 0;
    for (const auto& piece : io.pieces) {
        meta += bytes.substr(at, piece.meta_at - meta_at);
        at += piece.meta_at - meta_at + piece.size;
        meta_at = piece.meta_at;
    }
    meta += bytes.substr(at);
    lc::kv::Reader in(meta, 4);
    const auto position = in.number<std::int32_t>();
    if (meta.size() != io.meta.size() || position < 0 || static_cast<std::uint32_t>(position) + 1 != n_tokens) {
        return false;
    }
    std::memcpy(meta.data() + 4, io.meta.data() + 4, 4);
    return meta == io.meta;
}

/// llama_context::state_seq_get_data puts a magic and the number of the sequence before what the memory writes.
std::optional<std::string_view> without_prefix(std::string_view bytes) {
    constexpr std::uint32_t magic = 0xaf143cd8;  // io_magic
    lc::kv::Reader in(bytes);
    const bool good = in.number<std::uint32_t>() == magic;
    in.number<std::int32_t>();
    return good && in.ok() ? std::optional(bytes.substr(in.at())) : std::nullopt;
}

llama_kv_cache* window_of(llama_context* ctx) {
    auto* iswa = dynamic_cast<llama_kv_cache_iswa*>(llama_get_memory(ctx));
    return iswa != nullptr ? iswa->get_swa() : nullptr;
}

/// llama.cpp reserves memory for as many cells as the state says it has, before it reads them.
bool count_is_possible(llama_context* ctx, std::string_view state) {
    lc::kv::Reader in(state);
    const auto* cache = dynamic_cast<llama_kv_cache*>(llama_get_memory(ctx));
    if (cache == nullptr) {
        cache = window_of(ctx);
    }
    if (cache == nullptr) {  // recurrent
        return in.number<std::uint32_t>() <= 1 && in.ok();
    }
    std::uint32_t count = 0;
    for (auto n_stream = in.number<std::uint32_t>(); n_stream > 0 && count == 0 && in.ok(); --n_stream) {
        count = in.number<std::uint32_t>();
    }
    return in.ok() && count > 0 && count <= cache->get_size();
}
}  // namespace

bool load_partial(llama_context* ctx, llama_seq_id seq, std::string_view bytes) {
    const auto state = without_prefix(bytes);
    if (!state || !count_is_possible(ctx, *state)) {
        return false;
    }
    Feeder io(*state, true);
    try {
        llama_get_memory(ctx)->state_read(io, seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    } catch (const std::exception&) {
        return false;
    }
    return io.at_end();
}

bool same_shape(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::string_view bytes, std::uint32_t n_tokens) {
    const auto state = without_prefix(bytes);
    if (!state) {
        return false;
    }
    if (memory.kind == MemoryKind::swa) {
        const auto* window = window_of(ctx);
        const auto live = shape_of(*window, seq, window->has_cell_ext());
        return live && window_fits(*live, window->has_cell_ext(), window->get_size(), *state, n_tokens);
    }
    return recurrent_fits(*llama_get_memory(ctx), seq, *state, n_tokens);
}

bool partial_is_complete(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::uint32_t n_tokens) {
    auto* all = llama_get_memory(ctx);
    if (n_tokens == 0 || all->seq_pos_max(seq) + 1 != static_cast<llama_pos>(n_tokens)) {
        return false;
    }
    if (memory.kind != MemoryKind::swa) {
        return true;
    }
    const auto* window = window_of(ctx);
    const auto live = shape_of(*window, seq, window->has_cell_ext());
    // In a cache that several share, another's tokens may have taken cells of the window.
    return live && live->n_cells >= std::min(n_tokens, memory.n_swa) &&
           *std::min_element(live->positions.begin(), live->positions.end()) + static_cast<llama_pos>(live->n_cells) ==
               static_cast<llama_pos>(n_tokens);
}
