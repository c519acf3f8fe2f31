#include "core/route/breaker.hpp"

#include <algorithm>

namespace lc::route {

namespace {
constexpr int limit = 5;
constexpr std::int64_t window_ms = 30'000, first_pause_ms = 5'000, longest_pause_ms = 120'000;
constexpr std::int64_t longest_refusal_ms = 600'000;  // a server that asks for more is asked again all the same
}  // namespace

bool may_try(const Breaker& breaker, std::int64_t now_ms) {
    return breaker.open_until_ms == 0 || (now_ms >= breaker.open_until_ms && !breaker.probing);
}

Breaker begin(Breaker breaker, std::int64_t now_ms) {
    if (breaker.open_until_ms != 0 && now_ms >= breaker.open_until_ms) breaker.probing = true;
    return breaker;
}

Breaker end(Breaker breaker, Attempt attempt, std::int64_t now_ms, std::int64_t retry_after_ms) {
    const bool was_probe = breaker.probing;
    switch (attempt) {
        case Attempt::good: return {};
        case Attempt::neutral: breaker.probing = false; return breaker;
        case Attempt::refused:
            breaker.probing = false;
            if (retry_after_ms > 0) {
                const auto until = now_ms + std::min(retry_after_ms, longest_refusal_ms);
                breaker.open_until_ms = std::max(breaker.open_until_ms, until);
            }
            return breaker;
        case Attempt::failed: break;
    }
    breaker.probing = false;
    if (breaker.failures == 0 || now_ms - breaker.first_failure_ms > window_ms) {
        breaker.failures = 0;
        breaker.first_failure_ms = now_ms;
    }
    ++breaker.failures;
    if (was_probe || breaker.failures >= limit) {
        breaker.pause_ms = was_probe && breaker.pause_ms > 0 ? std::min(breaker.pause_ms * 2, longest_pause_ms) : first_pause_ms;
        breaker.open_until_ms = now_ms + breaker.pause_ms;
    }
    return breaker;
}

}  // namespace lc::route
