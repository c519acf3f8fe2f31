#include "core/states/outcome.hpp"

#include <algorithm>

namespace lc::states {

namespace {
/// Tokens that a template renders differently at the end of a prompt once the answer follows (generation prompt).
constexpr std::uint32_t slack = 16;
}  // namespace

std::string_view name_of(CacheResult result) {
    switch (result) {
        case CacheResult::hit: return "hit";
        case CacheResult::partial: return "partial";
        case CacheResult::miss: return "miss";
    }
    return "miss";
}

CacheOutcome outcome_of(const Expected& expected, std::uint32_t used, std::uint32_t prompt,
                        std::string_view engine_reason) {
    CacheOutcome out;
    out.tokens = prompt > 0 ? std::min(used, prompt - 1) : used;
    const bool all = prompt > 0 && used + 1 >= prompt;
    if (all || (expected.whole && expected.tokens > 0 && used + slack >= expected.tokens)) {
        out.result = CacheResult::hit;
        return out;
    }
    out.result = used > 0 ? CacheResult::partial : CacheResult::miss;
    out.reason = engine_reason;
    if (out.reason.empty()) out.reason = expected.reason;
    if (out.reason.empty()) out.reason = expected.tokens == 0 ? "no_state" : "other_tokens";
    return out;
}

std::string print(const CacheOutcome& outcome) {
    std::string out(name_of(outcome.result));
    if (outcome.result != CacheResult::miss) out += ";tokens=" + std::to_string(outcome.tokens);
    if (!outcome.reason.empty()) out += ";reason=" + outcome.reason;
    return out;
}

bool falls_short(std::uint32_t used, std::uint32_t prompt, std::uint32_t cached) {
    const std::uint32_t must = prompt > 0 ? std::min(used, prompt - 1) : used;
    // A checkpoint of a sliding window is entered one token before its end.
    return cached + 1 < must;
}

}  // namespace lc::states
