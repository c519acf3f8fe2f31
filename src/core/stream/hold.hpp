// When the head of a streamed answer goes out, and what keeps the client waiting for tokens: INTERFACES.md's commit rule.
#pragma once

#include <chrono>
#include <cstdint>

namespace lc::stream {

using Time = std::chrono::steady_clock::time_point;  ///< always given from outside

struct Rules {
    std::chrono::milliseconds header_hold{1'000};  ///< before the first byte a definite error is still a real status
    std::chrono::milliseconds ping{1'000};         ///< a comment when nothing was sent for so long
    std::chrono::milliseconds heartbeat{5'000};    ///< the dialect's own sign of life: some clients ignore comments
};

/// What was sent so far.
struct Sent {
    bool committed = false;
    Time began{};           ///< when the request was read
    Time last{};            ///< last bytes of any kind
    Time last_heartbeat{};  ///< last heartbeat or frame of the answer
};

enum class Beat : std::uint8_t { nothing, commit, ping, heartbeat };

/// Pure. What is due at `now`. A commit is due once, before any ping.
[[nodiscard]] Beat due(const Sent& sent, Time now, const Rules& rules);

}  // namespace lc::stream
