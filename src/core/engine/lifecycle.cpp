#include "core/engine/lifecycle.hpp"

#include <algorithm>
#include <utility>

namespace lc::engine {

namespace {

using std::chrono::milliseconds;

int seconds_until(Time then, Time now) {
    const auto ms = std::chrono::duration_cast<milliseconds>(then - now).count();
    return static_cast<int>(std::max<std::int64_t>(1, (ms + 999) / 1000));
}

milliseconds backoff(int failures, const Policy& policy) {
    milliseconds wait = policy.backoff_first;
    for (int i = 1; i < failures && wait < policy.backoff_max; ++i) wait *= 2;
    return std::min(wait, policy.backoff_max);
}

void enter(State& state, Phase phase, Time now) {
    state.phase = phase;
    state.since = now;
}

void start(Step& out, Time now) {
    enter(out.state, Phase::starting, now);
    out.state.pid = 0;
    out.state.doomed.clear();
    out.state.wanted = false;
    out.effects.emplace_back(Spawn{});
}

void announce_failure(Step& out, Time now) {
    out.effects.emplace_back(
        Announce{false, Error{Errc::model_load_failed, out.state.last_error, seconds_until(out.state.retry_at, now)}});
}

/// A start failed: counts it, sets the next time, tells the waiters.
void count_failure(Step& out, std::string why, Time now, const Policy& policy) {
    State& s = out.state;
    ++s.failures;
    s.last_error = std::move(why);
    s.retry_at = now + backoff(s.failures, policy);
    s.wanted = false;
    announce_failure(out, now);
}

void start_failed(Step& out, std::string why, Time now, const Policy& policy) {
    enter(out.state, Phase::backing_off, now);
    out.state.pid = 0;
    count_failure(out, std::move(why), now, policy);
}

void on(Step& out, const Wanted&, Time now, const Policy& policy) {
    State& s = out.state;
    switch (s.phase) {
        case Phase::stopped: start(out, now); break;
        case Phase::starting: break;
        case Phase::ready: out.effects.emplace_back(Announce{true, {}}); break;
        case Phase::backing_off:
            if (now >= s.retry_at) {
                start(out, now);
            } else if (s.retry_at - now <= policy.patience) {
                s.wanted = true;
            } else {
                announce_failure(out, now);
            }
            break;
        case Phase::stopping: s.wanted = true; break;
    }
}

void on(Step& out, const Spawned& event, Time, const Policy&) {
    State& s = out.state;
    s.pid = event.pid;
    ++s.starts;
    s.restarts = s.starts - 1;
    switch (s.phase) {
        case Phase::starting: out.effects.emplace_back(Probe{}); break;
        case Phase::stopping:
            out.effects.emplace_back(Terminate{});
            break;  // stop was asked while it was being prepared
        case Phase::stopped:
        case Phase::ready:
        case Phase::backing_off: out.effects.emplace_back(Kill{}); break;  // nobody asked for it
    }
}

/// What follows when a process that was to stop is gone (or never came).
void stopped(Step& out, Time now) {
    State& s = out.state;
    s.pid = 0;
    if (s.wanted && now >= s.retry_at) {
        start(out, now);
    } else {
        enter(s, s.retry_at > now ? Phase::backing_off : Phase::stopped, now);
    }
}

void on(Step& out, const SpawnFailed& event, Time now, const Policy& policy) {
    switch (out.state.phase) {
        case Phase::starting: start_failed(out, event.why, now, policy); break;
        case Phase::stopping: stopped(out, now); break;
        case Phase::stopped:
        case Phase::ready:
        case Phase::backing_off: break;
    }
}

void on(Step& out, const Healthy&, Time now, const Policy&) {
    // A probe's answer may come late: it counts only for a process that is being waited for.
    if (out.state.phase != Phase::starting || out.state.pid == 0) return;
    enter(out.state, Phase::ready, now);
    out.state.last_error.clear();
    out.effects.emplace_back(Announce{true, {}});
}

void on(Step& out, const Hung& event, Time, const Policy&) {
    if (out.state.phase != Phase::ready || out.state.pid == 0) return;
    out.state.doomed = event.why;
    out.effects.emplace_back(Kill{});
}

void on(Step& out, const Exited& event, Time now, const Policy& policy) {
    State& s = out.state;
    switch (s.phase) {
        case Phase::starting: start_failed(out, event.cause, now, policy); break;
        case Phase::ready:
            s.failures = now - s.since >= policy.healthy_for ? 0 : s.failures + 1;
            s.last_error = s.doomed.empty() ? event.cause : std::exchange(s.doomed, {});
            s.pid = 0;
            s.retry_at = s.failures > 1 ? now + backoff(s.failures - 1, policy) : Time{};
            enter(s, s.failures > 1 ? Phase::backing_off : Phase::stopped, now);
            break;
        case Phase::stopping: stopped(out, now); break;
        case Phase::stopped:
        case Phase::backing_off: s.pid = 0; break;
    }
}

void on(Step& out, const Tick&, Time now, const Policy& policy) {
    State& s = out.state;
    switch (s.phase) {
        case Phase::stopped: break;
        case Phase::starting:
            if (s.pid == 0) break;
            if (now - s.since < policy.load_timeout) {
                out.effects.emplace_back(Probe{});
                break;
            }
            enter(s, Phase::stopping, now);
            count_failure(
                out,
                "it was not ready within " +
                    std::to_string(std::chrono::duration_cast<std::chrono::seconds>(policy.load_timeout).count()) +
                    " s (load_timeout_s)",
                now, policy);
            out.effects.emplace_back(Kill{});
            break;
        case Phase::ready:
            if (now - s.since >= policy.healthy_for) s.failures = 0;
            break;
        case Phase::backing_off:
            if (s.wanted && now >= s.retry_at) start(out, now);
            break;
        case Phase::stopping:
            if (s.pid != 0 && now - s.since >= policy.stop_grace) out.effects.emplace_back(Kill{});
            break;
    }
}

void on(Step& out, const StopAsked&, Time now, const Policy&) {
    State& s = out.state;
    const bool waited_for = s.wanted || s.phase == Phase::starting;
    s.wanted = false;
    s.retry_at = Time{};
    if (waited_for) out.effects.emplace_back(Announce{false, Error{Errc::overloaded, "the engine was stopped", 1}});
    switch (s.phase) {
        case Phase::stopped:
        case Phase::stopping: break;
        case Phase::backing_off:
            enter(s, Phase::stopped, now);
            s.failures = 0;
            break;
        case Phase::starting:
        case Phase::ready:
            enter(s, Phase::stopping, now);
            s.failures = 0;
            if (s.pid != 0) out.effects.emplace_back(Terminate{});
            break;
    }
}

}  // namespace

std::string_view name_of(Phase phase) {
    switch (phase) {
        case Phase::stopped: return "stopped";
        case Phase::starting: return "starting";
        case Phase::ready: return "ready";
        case Phase::backing_off: return "backing_off";
        case Phase::stopping: return "stopping";
    }
    return "unknown";
}

Step step(State state, const Event& event, Time now, const Policy& policy) {
    Step out{std::move(state), {}};
    std::visit([&](const auto& e) { on(out, e, now, policy); }, event);
    return out;
}

}  // namespace lc::engine
