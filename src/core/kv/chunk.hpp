// Chunk files: the KV rows of up to 256 tokens. Format: docs/formats/chunk.md. Pure; shared by gateway and engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/kv/head.hpp"

namespace lc::kv {

/// One layer's rows. A layer without V (MLA) has v_row_bytes 0.
struct LayerRows {
    std::uint32_t layer = 0;
    std::uint32_t k_type = 0, k_row_bytes = 0;
    std::uint32_t v_type = 0, v_row_bytes = 0;
    bool operator==(const LayerRows&) const = default;
};

/// Where the rows of one layer are, from the beginning of the file, and what they must hash to.
struct LayerPlace {
    std::uint64_t k_offset = 0, v_offset = 0;
    std::uint64_t k_sum = 0, v_sum = 0;
    bool operator==(const LayerPlace&) const = default;
};

struct Chunk {
    Scope scope;
    Digest parent{}, media{};
    std::uint32_t start = 0;
    std::vector<LayerRows> layers;
    std::vector<Token> tokens;            ///< 1 to 256
    std::vector<std::int32_t> positions;  ///< empty: start + i
    std::string extensions;               ///< empty, or 12 bytes a token
    bool operator==(const Chunk&) const = default;
};

struct ParsedChunk {
    Chunk chunk;
    Digest name{}, mac{};
    std::uint32_t header_bytes = 0;
    std::uint64_t payload_bytes = 0;
    std::vector<LayerPlace> places;  ///< one for each layer
};

/// Bytes of the K and V rows of one token, all layers.
[[nodiscard]] std::uint64_t bytes_per_token(std::span<const LayerRows> layers);
[[nodiscard]] std::uint32_t chunk_header_bytes(std::size_t n_layers, std::size_t n_tokens, bool positions,
                                               bool extensions, std::uint32_t align = page);

/// Where each layer's rows go in a file with that header (the sums are left zero). For writers that place rows
/// themselves.
[[nodiscard]] std::vector<LayerPlace> layer_places(std::span<const LayerRows> layers, std::uint32_t n_tokens,
                                                   std::uint32_t header_bytes);

/// The header, given the sums of the rows (k_sum, v_sum of `places`; offsets are ignored). Errors (bad_request): what
/// parse_chunk would refuse.
[[nodiscard]] Result<std::string> encode_chunk_header(const Chunk& chunk, std::span<const LayerPlace> places,
                                                      std::uint32_t align = page);

/// Full validation of the header; `bytes` is the beginning of the file, at least the whole header; the rows are not
/// looked at. Errors: bad_request (damaged), unsupported (another format version).
[[nodiscard]] Result<ParsedChunk> parse_chunk(std::string_view bytes, std::uint64_t file_bytes);

/// `file` is the whole file of `chunk`: do all rows have their checksums? Errors: bad_request naming the layer.
[[nodiscard]] Result<void> check_rows(const ParsedChunk& chunk, std::string_view file);

[[nodiscard]] inline std::string_view k_rows(const ParsedChunk& c, std::size_t i, std::string_view file) {
    return file.substr(c.places[i].k_offset, std::size_t{c.chunk.layers[i].k_row_bytes} * c.chunk.tokens.size());
}
[[nodiscard]] inline std::string_view v_rows(const ParsedChunk& c, std::size_t i, std::string_view file) {
    return file.substr(c.places[i].v_offset, std::size_t{c.chunk.layers[i].v_row_bytes} * c.chunk.tokens.size());
}

}  // namespace lc::kv
