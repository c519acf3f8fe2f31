// A trace replayed against the policies: what each would have had, saved and written.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/policy/cache.hpp"
#include "core/policy/trace.hpp"

namespace lc::policy {

/// All names that `simulate` knows, in the order they are shown.
[[nodiscard]] const std::vector<std::string>& policy_names();  ///< lru, lru2, hazard, adaptive, bound

struct Row {
    std::string name;
    std::uint64_t capacity_blocks = 0;
    std::uint64_t blocks = 0, hit_blocks = 0;
    std::uint64_t prefill_tokens_saved = 0, bytes_written = 0;
    std::string followed;  ///< adaptive: the order in force at the end
    std::uint32_t changes = 0;

    [[nodiscard]] double hit_rate() const {
        return blocks > 0 ? static_cast<double>(hit_blocks) / static_cast<double>(blocks) : 0;
    }
};

[[nodiscard]] std::uint64_t unique_blocks(const Trace& trace);

/// Pure but for `progress` (called with the share done, now and then; false stops: the rows are then empty). A hit is a
/// block in the prefix that is there when the request comes; no policy sees what comes later but `bound`, which evicts
/// what is wanted again last, deepest first. Every block takes the same room. `wanted`: names; unknown ones are left
/// out.
[[nodiscard]] std::vector<Row> simulate(const Trace& trace, std::uint64_t capacity_blocks,
                                        const std::vector<std::string>& wanted, std::uint32_t bytes_per_token,
                                        const std::function<bool(double)>& progress = {});

}  // namespace lc::policy
