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
/// llama_context::state_seq_get_data puts a magic and the number of the sequence before what the memory writes.
std::optional<std::string_view> without_prefix(std::string_view bytes) {
    lc::kv::Reader in(bytes);
    const bool good = in.number<std::uint32_t>() == state_magic;
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
