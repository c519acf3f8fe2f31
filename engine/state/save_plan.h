// Which pieces of a slot a save copies. Pure; no llama.cpp.
#pragma once
#include "core/kv/manifest.hpp"
#include "core/kv/snapshot.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// One chunk: the tokens [start, start + n).
struct ChunkPiece {
    std::uint32_t start = 0, n = 0;
    lc::Digest name{}, parent{};
};

/// All whole chunks, a tail for each cut, and the last tail; in the order of their ends. Cuts beyond the tokens are left
/// out.
std::vector<ChunkPiece> chunk_pieces(const lc::kv::Scope& scope, std::span<const lc::kv::Token> tokens,
                                     std::span<const std::uint32_t> cuts);

/// Which of a slot's checkpoints (ascending token counts) are worth storing: those asked for, the last, and of the others
/// those that are far apart. At most 64.
std::vector<std::uint32_t> checkpoints_to_keep(std::span<const std::uint32_t> have, std::span<const std::uint32_t> wanted);
