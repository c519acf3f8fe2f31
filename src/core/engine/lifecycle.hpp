// One engine's life as a value: state, event and now in; new state and effects out.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.hpp"

namespace lc::engine {

using Time = std::chrono::steady_clock::time_point;  ///< always given from outside

enum class Phase : std::uint8_t { stopped, starting, ready, backing_off, stopping };
[[nodiscard]] std::string_view name_of(Phase phase);

struct State {
    Phase phase = Phase::stopped;
    int pid = 0;
    int failures = 0;            ///< starts in a row that failed, or deaths soon after
    Time since{};                ///< when this phase began
    Time retry_at{};             ///< backing_off: when a start is allowed again
    std::string last_error;      ///< why it failed last, in one sentence
    std::uint64_t starts = 0;    ///< processes that were started
    std::uint64_t restarts = 0;  ///< those after the first
    std::string doomed;          ///< ready: why it is being killed, empty while it is not
    bool wanted = false;         ///< backing_off, stopping: somebody waits for the next start
};

// Events
struct Wanted {};  ///< a request (or preload) needs it
struct Spawned {
    int pid = 0;
};
struct SpawnFailed {
    std::string why;
};
struct Healthy {};  ///< the health probe answered 200
struct Exited {
    int status = 0, signal = 0;
    std::string cause;
};
struct Hung {
    std::string why;
};  ///< it does nothing and answers nothing
struct Tick {};
struct StopAsked {};
using Event = std::variant<Wanted, Spawned, SpawnFailed, Healthy, Hung, Exited, Tick, StopAsked>;

// Effects
struct Spawn {};
struct Probe {};      ///< ask for health soon
struct Terminate {};  ///< SIGTERM
struct Kill {};       ///< SIGKILL
struct Announce {
    bool ready = false;
    Error error;
};  ///< wake the waiters: ready, or this error
using Effect = std::variant<Spawn, Probe, Terminate, Kill, Announce>;

struct Step {
    State state;
    std::vector<Effect> effects;
};

struct Policy {
    std::chrono::milliseconds load_timeout{600'000};
    std::chrono::milliseconds backoff_first{500}, backoff_max{30'000};
    std::chrono::milliseconds stop_grace{5'000};
    std::chrono::milliseconds healthy_for{30'000};  ///< ready for so long: failures are forgotten
    std::chrono::milliseconds hang_after{10'000};   ///< in use, but no sign of life for so long: it is asked
    std::chrono::milliseconds hang_probe{5'000};    ///< no answer within this: it hangs
    std::chrono::milliseconds patience{
        1'000};  ///< a back-off that ends within this is waited for; a longer one is an error at once
};

/// Pure. A start that fails backs off, doubling; the first early death after being ready does not (the next request
/// gets a fresh engine at once), the second in a row does.
[[nodiscard]] Step step(State state, const Event& event, Time now, const Policy& policy);

}  // namespace lc::engine
