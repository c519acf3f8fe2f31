#include "state/save_plan.h"

#include <algorithm>

namespace kv = lc::kv;

namespace {
constexpr std::uint32_t far_apart = 1024;
constexpr std::size_t max_checkpoints = 64;
}  // namespace

std::vector<ChunkPiece> chunk_pieces(const kv::Scope& scope, std::span<const kv::Token> tokens, std::span<const std::uint32_t> cuts) {
    std::vector<std::uint32_t> ends(cuts.begin(), cuts.end());
    const auto n = static_cast<std::uint32_t>(tokens.size());
    for (std::uint32_t end = kv::chunk_tokens; end <= n; end += kv::chunk_tokens) {
        ends.push_back(end);
    }
    ends.push_back(n);
    std::sort(ends.begin(), ends.end());
    ends.erase(std::unique(ends.begin(), ends.end()), ends.end());

    std::vector<ChunkPiece> out;
    lc::Digest parent{};
    for (const auto end : ends) {
        if (end == 0 || end > n) {
            continue;
        }
        const std::uint32_t start = (end - 1) / kv::chunk_tokens * kv::chunk_tokens;
        ChunkPiece piece{start, end - start, {}, parent};
        piece.name = kv::chunk_name(scope, parent, {}, tokens.subspan(start, piece.n));
        if (piece.n == kv::chunk_tokens) {
            parent = piece.name;
        }
        out.push_back(piece);
    }
    return out;
}

std::vector<std::uint32_t> checkpoints_to_keep(std::span<const std::uint32_t> have, std::span<const std::uint32_t> wanted) {
    std::vector<std::uint32_t> out;
    std::uint32_t last_kept = 0;
    for (std::size_t i = 0; i < have.size(); ++i) {
        const bool asked = std::find(wanted.begin(), wanted.end(), have[i]) != wanted.end();
        if (asked || i + 1 == have.size() || have[i] >= last_kept + far_apart) {
            out.push_back(have[i]);
            last_kept = have[i];
        }
    }
    if (out.size() > max_checkpoints) {
        out.erase(out.begin(), out.end() - max_checkpoints);
    }
    return out;
}
