// Decisions about what of a prompt is there already. Pure; no llama.cpp.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

/// A checkpoint that llama.cpp keeps with a slot.
struct CheckpointBounds {
    std::int64_t n_tokens = 0;
    std::int32_t pos_min = 0, pos_max = 0;
};

struct SlotMemory {
    std::int32_t common = 0;    ///< leading tokens that prompt and memory share
    std::int32_t n_prompt = 0;
    std::int32_t pos_next = 0;  ///< position after those (the same number without media)
    std::int32_t pos_min = 0;   ///< lowest position that the whole memory still has
    std::int32_t n_swa = 0;
    std::span<const CheckpointBounds> checkpoints;  ///< oldest first
};

/// How many tokens llama.cpp (v0.5.0, update_slots) will reuse of a slot's memory.
std::int32_t reusable(const SlotMemory& memory);

/// Bounds of a checkpoint after exactly `n_tokens` tokens, such that llama.cpp takes it exactly where it is right: when
/// the next position is at least n_tokens - 1 and (recurrent: n_swa is 0) a token is left to be computed.
CheckpointBounds checkpoint_bounds(std::uint32_t n_tokens, std::uint32_t n_swa);

/// Better only from here on: restoring costs time too.
inline constexpr std::int32_t worthwhile_tokens = 8;
