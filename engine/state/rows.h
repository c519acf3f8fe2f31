// Where the rows of a slot lie, and copying them. Main loop only.
#pragma once
#include "state/memory.h"

#include "core/kv/chunk.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ggml_tensor;

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

/// Where a tensor's bytes are, or nullptr: not in host memory.
char* host_data(const ggml_tensor* tensor);

/// nullopt: the sequence is empty, or its positions are not exactly 0 to n - 1 (after a context shift).
std::optional<SlotRows> rows_of(const ModelMemory& memory, llama_seq_id seq);

/// Copies the rows of the tokens [start, start + n) into `out`, as a chunk's payload.
void copy_rows(const SlotRows& rows, std::uint32_t start, std::uint32_t n, char* out);

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

bool on_host(const SlotRows& rows);
