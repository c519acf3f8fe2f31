// A circuit breaker: a backend that keeps failing is left alone for a while, then probed. Pure: time comes in as a value.
#pragma once

#include <cstdint>

namespace lc::route {

struct Breaker {
    int failures = 0;                  ///< in a row
    std::int64_t first_failure_ms = 0; ///< of that row
    std::int64_t open_until_ms = 0;    ///< 0: closed
    std::int64_t pause_ms = 0;         ///< of the last opening: doubled by each probe that fails
    bool probing = false;              ///< half open: one request is on its way
    bool operator==(const Breaker&) const = default;
};

/// How an attempt ended. `refused`: 429 with a time to come again; one without counts for nothing.
enum class Attempt : std::uint8_t { good, failed, refused, neutral };

/// Whether a request may go there now: closed, or half open with nobody probing.
[[nodiscard]] bool may_try(const Breaker& breaker, std::int64_t now_ms);
/// A request goes there: in the half-open state it is the probe.
[[nodiscard]] Breaker begin(Breaker breaker, std::int64_t now_ms);
/// It ended. Opens after 5 failures in a row within 30 s, for 5 s at first, doubled up to 2 min by failed probes;
/// `retry_after_ms` of a refusal keeps it open for so long.
[[nodiscard]] Breaker end(Breaker breaker, Attempt attempt, std::int64_t now_ms, std::int64_t retry_after_ms = 0);

}  // namespace lc::route
