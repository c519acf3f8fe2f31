// What memory a context has. Main loop only. Uses llama.cpp's internal headers (src/): what is read here is checked again
// whenever the pin moves.
#pragma once
#include "llama.h"

#include <cstdint>
#include <string>
#include <string_view>

class llama_kv_cache;

enum class MemoryKind : std::uint8_t { none, full, swa, recurrent, hybrid };
std::string_view name_of(MemoryKind kind);

/// Pointers are llama.cpp's and live as long as the context.
struct ModelMemory {
    MemoryKind kind = MemoryKind::none;
    std::string why;                 ///< none: why no state can be kept
    llama_kv_cache* rows = nullptr;  ///< cache of the layers that can be cut at any token; nullptr: recurrent
    std::uint32_t n_swa = 0;
    bool extensions = false;         ///< cells carry 12 more bytes
    bool transposed = false;         ///< V, in memory (never in files)

    bool cuttable() const { return kind == MemoryKind::full; }
    /// Recurrent state: the last token cannot be computed again from a state that holds it.
    bool needs_a_new_token() const { return kind == MemoryKind::recurrent || kind == MemoryKind::hybrid; }
};

ModelMemory memory_of(llama_context* ctx, bool swa_full);

/// True when K or V are rotated before they are stored.
bool rotates_rows(const ModelMemory& memory);

/// Whether `n` more tokens fit, when the sequence is empty: in a cache that slots share, others may fill it.
bool has_room(const llama_kv_cache& cache, llama_seq_id seq, std::uint32_t n);
