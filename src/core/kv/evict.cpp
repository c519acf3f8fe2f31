#include "core/kv/evict.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>

namespace lc::kv {

namespace {

/// How many hold each blob: its children that are still there, and the states that name it.
std::vector<std::uint32_t> holders_of(const EvictInput& input) {
    std::vector<std::uint32_t> holders(input.blobs.size(), 0);
    for (const EvictBlob& blob : input.blobs) {
        if (blob.parent != no_parent) ++holders[blob.parent];
    }
    for (const EvictState& state : input.states) {
        for (const std::uint32_t ref : input.refs.subspan(state.first_ref, state.n_refs)) ++holders[ref];
    }
    return holders;
}

struct Work {
    const EvictInput& input;
    std::vector<std::uint32_t> holders = holders_of(input);
    EvictPlan plan{};

    [[nodiscard]] bool free(std::uint32_t blob) const { return holders[blob] == 0 && !input.blobs[blob].pinned; }
    [[nodiscard]] bool enough() const { return plan.bytes >= input.bytes_to_free; }

    void drop_blob(std::uint32_t index) {
        plan.steps.push_back({false, index});
        plan.bytes += input.blobs[index].bytes;
        if (input.blobs[index].parent != no_parent) --holders[input.blobs[index].parent];
    }
    /// The blob, if nothing holds it, then its parent, and so on.
    void drop_chain(std::uint32_t index) {
        for (; index != no_parent && free(index); index = input.blobs[index].parent) drop_blob(index);
    }
    void drop_state(std::uint32_t index) {
        const EvictState& state = input.states[index];
        plan.steps.push_back({true, index});
        plan.bytes += state.bytes;
        const auto refs = input.refs.subspan(state.first_ref, state.n_refs);
        for (const std::uint32_t ref : refs) {
            --holders[ref];
            drop_chain(ref);
        }
    }
    void drop_unneeded() {
        struct Leaf {
            std::uint64_t last_use;
            std::uint32_t index;
            bool operator>(const Leaf& other) const {
                return last_use != other.last_use ? last_use > other.last_use : index > other.index;
            }
        };
        std::priority_queue<Leaf, std::vector<Leaf>, std::greater<>> leaves;
        const auto add = [&](std::uint32_t i) {
            if (free(i)) leaves.push({input.blobs[i].last_use, i});
        };
        for (std::uint32_t i = 0; i < input.blobs.size(); ++i) add(i);
        while (!leaves.empty() && !enough()) {
            const std::uint32_t index = leaves.top().index;
            leaves.pop();
            drop_blob(index);
            if (input.blobs[index].parent != no_parent) add(input.blobs[index].parent);
        }
    }
};

}  // namespace

EvictPlan evict_lru(const EvictInput& input) {
    Work work{input};
    if (work.enough()) return {};
    work.drop_unneeded();
    std::vector<std::uint32_t> order(input.states.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return input.states[a].last_use < input.states[b].last_use;
    });
    for (const std::uint32_t index : order) {
        if (work.enough()) break;
        if (!input.states[index].pinned) work.drop_state(index);
    }
    return std::move(work.plan);
}

EvictPlan evict_unneeded(const EvictInput& input) {
    EvictInput all = input;
    all.bytes_to_free = std::numeric_limits<std::uint64_t>::max();
    Work work{all};
    work.drop_unneeded();
    return std::move(work.plan);
}

}  // namespace lc::kv
