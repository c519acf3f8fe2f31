// What to delete when the store is full. Pure and replaceable: the store calls whatever EvictFn it was given.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lc::kv {

inline constexpr std::uint32_t no_parent = 0xffff'ffff;

/// A chunk or a snapshot. Chunks form trees; snapshots have no parent.
struct EvictBlob {
    std::uint32_t parent = no_parent;  ///< index into `blobs`
    std::uint64_t bytes = 0;
    std::uint64_t last_use = 0;  ///< a counter, not a clock: greater is later
    bool pinned = false;         ///< being written or read now: never deleted
};

/// A manifest. It needs its blobs and all their ancestors.
struct EvictState {
    std::uint32_t first_ref = 0, n_refs = 0;  ///< into `refs`: its last chunk and its snapshots
    std::uint64_t bytes = 0;                  ///< of the manifest itself
    std::uint64_t last_use = 0;
    bool pinned = false;
};

struct EvictInput {
    std::span<const EvictBlob> blobs;
    std::span<const EvictState> states;
    std::span<const std::uint32_t> refs;  ///< indices into `blobs`
    std::uint64_t bytes_to_free = 0;
};

struct EvictPlan {
    /// To be carried out in this order: no blob goes before the last state that needs it or before its children.
    struct Step {
        bool state = false;  ///< else a blob
        std::uint32_t index = 0;
        bool operator==(const Step&) const = default;
    };
    std::vector<Step> steps;
    std::uint64_t bytes =
        0;  ///< that the steps free; less than wanted only when all the rest is pinned or needed by it
    bool operator==(const EvictPlan&) const = default;
};

using EvictFn = EvictPlan (*)(const EvictInput&);

/// Least recently used first. Blobs that no state needs go before any state; then whole states, each with what only it
/// needed, leaf first: what remains of a chain without its state could not be found again. Ties: lower index first.
/// Deterministic; O(n log n). Indices out of range and cycles of parents must not occur.
[[nodiscard]] EvictPlan evict_lru(const EvictInput& input);

/// Everything that no state needs and that is not pinned, whatever `bytes_to_free` says: for gc.
[[nodiscard]] EvictPlan evict_unneeded(const EvictInput& input);

}  // namespace lc::kv
