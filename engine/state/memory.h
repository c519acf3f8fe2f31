// What memory a context has, and where the rows of a sequence lie in it. Main loop only. Uses llama.cpp's internal
// headers (src/): what is read here is checked again whenever the pin moves.
#pragma once
#include "llama.h"

#include "core/kv/chunk.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ggml_tensor;
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

/// One layer in memory. `v` is nullptr where there is no V.
struct LayerTensors {
    lc::kv::LayerRows rows;
    ggml_tensor* k = nullptr;
    ggml_tensor* v = nullptr;
};

/// Where the rows of a sequence with positions 0 to n - 1 lie. Valid until the memory changes.
struct SlotRows {
    std::vector<std::uint32_t> cells;  ///< of each position
    std::string extensions;            ///< 12 bytes a position, or empty
    std::vector<LayerTensors> layers;  ///< ascending by layer
    std::uint32_t n_cells_all = 0;     ///< of the stream: distance of V's elements when transposed
    bool transposed = false;
};

/// nullopt: the sequence is empty, or its positions are not exactly 0 to n - 1 (after a context shift).
std::optional<SlotRows> rows_of(const ModelMemory& memory, llama_seq_id seq);

/// Copies the rows of the tokens [start, start + n) into `out`, as a chunk's payload.
void copy_rows(const SlotRows& rows, std::uint32_t start, std::uint32_t n, char* out);

/// Whether `n` more tokens fit, when the sequence is empty: in a cache that slots share, others may fill it.
bool has_room(const ModelMemory& memory, llama_seq_id seq, std::uint32_t n);

/// Makes cells for `n` tokens in an empty sequence; what is in their rows is undefined. `extensions`: 12 bytes a token
/// for caches that want them. False: other shapes than the live cache's, or no room; the sequence is empty then.
bool make_cells(const ModelMemory& memory, llama_seq_id seq, std::uint32_t n, const std::vector<lc::kv::LayerRows>& layers,
                std::string_view extensions);

/// Writes the first `n` of the rows in `section` (K or V of one layer, one row a token) to the positions from `start`.
void put_rows(const SlotRows& rows, const LayerTensors& layer, bool is_v, std::uint32_t start, std::uint32_t n,
              const char* section);

/// Where `n` whole rows from position `start` can be written directly, or nullptr (not in one piece, not in host
/// memory, transposed).
char* direct_rows(const SlotRows& rows, const LayerTensors& layer, bool is_v, std::uint32_t start, std::uint32_t n);

/// Reads what cannot be cut (window, recurrent state; for PARTIAL_ONLY) from bytes that llama.cpp wrote. False: it did
/// not fit; the sequence is empty then. Never reads beyond, never aborts.
bool load_partial(llama_context* ctx, llama_seq_id seq, std::string_view bytes);

/// llama.cpp aborts when a checkpoint does not load. Is `bytes` of the same shape as what this sequence, which must hold
/// a good state, would write now? Positions must be below `n_tokens`.
bool same_shape(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::string_view bytes, std::uint32_t n_tokens);

/// The window of `n_tokens` tokens is complete (sliding window), or the recurrent state is at exactly that token.
bool partial_is_complete(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::uint32_t n_tokens);

bool on_host(const SlotRows& rows);
