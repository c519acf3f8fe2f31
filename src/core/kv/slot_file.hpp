// llama.cpp's slot files (`ggsq`, version 3): taken apart into rows, and put together from chunks, for a stock
// llama-server. Pure. What it looks like: reference in the sources of llama.cpp v0.5.0,
// llama_context::state_seq_save_file.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/kv/chunk.hpp"

namespace lc::kv {

/// One KV cache in the file. Offsets are from the beginning of the file; rows are in the order of `positions`.
struct SlotSection {
    std::uint32_t n_stream = 1, stream = 0;  ///< of all, and the one that holds cells
    bool v_transposed = false;
    std::vector<std::int32_t> positions;         ///< one a cell, in the order of the cells
    std::vector<LayerRows> layers;               ///< numbered from 0: the file does not say which layers they are
    std::vector<std::uint32_t> v_element_bytes;  ///< v_transposed: of each layer
    std::vector<std::uint64_t> k_offsets, v_offsets;
    std::uint64_t extensions_at = 0;  ///< with extensions: of the first cell's 12 bytes; cells are 24 bytes apart
    std::uint64_t begin = 0, end = 0;
};

struct SlotFile {
    std::vector<Token> tokens;
    bool packed = false;        ///< the token block of newer servers (with media), not a plain list
    std::uint32_t n_media = 0;  ///< media chunks: such a file is kept whole
    bool extensions = false;
    std::vector<SlotSection> sections;  ///< full attention; then sliding window, for models that have both
};

/// Whether cells carry 12 more bytes (M-RoPE, per-layer embeddings) cannot be seen in the file: the caller knows from
/// the model. Only KV sections are understood; a file with anything else (recurrent state) is refused and kept whole.
/// Errors: bad_request (damaged, or not understood), unsupported (another version).
[[nodiscard]] Result<SlotFile> parse_slot_file(std::string_view file, bool extensions);

/// The row numbers, by position from 0: `order[p]` is the cell at position p. Errors (bad_request): positions are not
/// exactly 0 to n - 1, as after a context shift.
[[nodiscard]] Result<std::vector<std::uint32_t>> rows_by_position(const SlotSection& section);

/// A whole chunk file (header and rows) of the tokens [start, start + n) of a section. `order` from rows_by_position.
struct CutOrder {
    Scope scope;
    Digest parent{}, media{};
    std::uint32_t start = 0, n_tokens = 0;
};
[[nodiscard]] Result<std::string> cut_chunk(std::string_view file, const SlotFile& slot, const SlotSection& section,
                                            std::span<const std::uint32_t> order, const CutOrder& cut,
                                            std::uint32_t align = page);

/// A chunk and its file, as parse_chunk gave it.
struct ChunkFile {
    const ParsedChunk* chunk = nullptr;
    std::string_view file;
};

/// A slot file as a list of pieces to be written one after the other. Pieces point into `owned` and into the chunk
/// files, which must outlive it: no row is copied (but with v_transposed).
struct SlotPlan {
    std::vector<std::string_view> pieces;
    std::list<std::string> owned;  ///< a list: its elements stay where they are
    std::uint64_t bytes = 0;
};

struct SlotTarget {
    std::uint32_t n_stream = 1;                  ///< 1 with --kv-unified, else the number of slots
    bool v_transposed = false;                   ///< flash attention off
    std::vector<std::uint32_t> v_element_bytes;  ///< v_transposed: of each layer
};

/// The first `n_tokens` tokens of a chain of chunks. Errors (bad_request): the chunks are no chain from token 0 with
/// equal layers, hold fewer tokens, hold media, or rows that cannot be transposed. Rows are not verified here:
/// check_rows.
[[nodiscard]] Result<SlotPlan> assemble_slot_file(std::span<const ChunkFile> chunks, std::uint32_t n_tokens,
                                                  const SlotTarget& target);

}  // namespace lc::kv
