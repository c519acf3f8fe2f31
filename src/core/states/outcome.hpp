// How well a stored or held state served a request: what `x-localcode-cache` says. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lc::states {

enum class CacheResult : std::uint8_t { hit, partial, miss };
[[nodiscard]] std::string_view name_of(CacheResult result);

/// What was known before the engine looked: the longest message key that is stored or held in a slot.
struct Expected {
    std::uint32_t tokens = 0;  ///< of the prompt up to that key; 0: no key is known
    bool whole = false;        ///< the key is the last of its state: nothing of what was seen before is different now
    std::string reason;        ///< no key: why nothing was looked up; empty: nothing there
};

struct CacheOutcome {
    CacheResult result = CacheResult::miss;
    std::uint32_t tokens = 0;  ///< prompt tokens that need no prefill
    std::string reason;        ///< of a miss or a partial hit: one word
    bool operator==(const CacheOutcome&) const = default;
};

/// `used`: tokens found in memory after a restore. A hit: all that was seen before is reused (but for the few tokens at
/// the end that a template renders anew), or the whole prompt. A partial hit: some of it.
[[nodiscard]] CacheOutcome outcome_of(const Expected& expected, std::uint32_t used, std::uint32_t prompt,
                                      std::string_view engine_reason);

/// RFC 8941: `hit;tokens=7680`, `miss;reason=no_state`.
[[nodiscard]] std::string print(const CacheOutcome& outcome);

/// Pure. Whether a state that was restored for this very request let the engine reuse less than it must: the state is
/// bad. `used` of the report, `cached` as llama.cpp counts it. The last token is always computed again.
[[nodiscard]] bool falls_short(std::uint32_t used, std::uint32_t prompt, std::uint32_t cached);

}  // namespace lc::states
