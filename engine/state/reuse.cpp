#include "state/reuse.h"

#include <algorithm>

std::int32_t reusable(const SlotMemory& m) {
    if (m.common <= 0) {
        return 0;
    }
    const std::int32_t all_known = m.common < m.n_prompt ? 0 : 1;
    const std::int32_t threshold = std::max(0, m.pos_next - m.n_swa - all_known);
    if (m.pos_min < threshold) {
        return m.common;
    }
    for (auto it = m.checkpoints.rbegin(); it != m.checkpoints.rend(); ++it) {
        if (it->pos_max <= m.pos_next && (it->pos_min < threshold || it->pos_min == 0)) {
            const std::int64_t next = std::min(m.pos_next, std::max(it->pos_min + 1, it->pos_max));
            return static_cast<std::int32_t>(std::min({next, it->n_tokens, std::int64_t{m.common}}));
        }
    }
    return 0;
}

CheckpointBounds checkpoint_bounds(std::uint32_t n_tokens, std::uint32_t n_swa) {
    const auto n = static_cast<std::int32_t>(n_tokens);
    if (n_swa == 0) {
        return {n, n - 1, n - 1};
    }
    return {n, std::max(0, n - static_cast<std::int32_t>(n_swa) - 2), n - 1};
}
