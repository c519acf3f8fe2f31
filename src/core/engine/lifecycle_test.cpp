#include "core/engine/lifecycle.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lc::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Time t0{seconds(1000)};

std::string names(const std::vector<Effect>& effects) {
    struct Name {
        std::string operator()(const Spawn&) const { return "spawn"; }
        std::string operator()(const Probe&) const { return "probe"; }
        std::string operator()(const Terminate&) const { return "terminate"; }
        std::string operator()(const Kill&) const { return "kill"; }
        std::string operator()(const Announce& a) const {
            return a.ready ? "ready"
                           : std::string(lc::name_of(a.error.code)) + "/" + std::to_string(a.error.retry_after_s);
        }
    };
    std::string out;
    for (const auto& e : effects) out += (out.empty() ? "" : " ") + std::visit(Name{}, e);
    return out;
}

State in(Phase phase, int pid = 0, int failures = 0, Time retry_at = {}, bool wanted = false) {
    State s;
    s.phase = phase;
    s.pid = pid;
    s.failures = failures;
    s.since = t0;
    s.retry_at = retry_at;
    s.wanted = wanted;
    s.last_error = failures > 0 ? "why" : "";
    return s;
}

TEST(Lifecycle, EveryPhaseAndEvent) {
    const Policy policy;
    const Time soon = t0 + seconds(1), later = t0 + seconds(60), retry = t0 + seconds(20);
    const struct {
        const char* name;
        State state;
        Event event;
        Time now;
        Phase want;
        std::string effects;
        int failures;
        bool wanted = false;
        int pid = 0;
    } cases[] = {
        {"stopped, wanted", in(Phase::stopped), Wanted{}, soon, Phase::starting, "spawn", 0},
        {"stopped, spawned by nobody", in(Phase::stopped), Spawned{7}, soon, Phase::stopped, "kill", 0, false, 7},
        {"stopped, spawn failed late", in(Phase::stopped), SpawnFailed{"x"}, soon, Phase::stopped, "", 0},
        {"stopped, healthy late", in(Phase::stopped), Healthy{}, soon, Phase::stopped, "", 0},
        {"stopped, exited", in(Phase::stopped, 7), Exited{1, 0, "x"}, soon, Phase::stopped, "", 0},
        {"stopped, tick", in(Phase::stopped), Tick{}, later, Phase::stopped, "", 0},
        {"stopped, stop", in(Phase::stopped), StopAsked{}, soon, Phase::stopped, "", 0},

        {"starting, wanted too", in(Phase::starting, 7), Wanted{}, soon, Phase::starting, "", 0, false, 7},
        {"starting, spawned", in(Phase::starting), Spawned{7}, soon, Phase::starting, "probe", 0, false, 7},
        {"starting, spawn failed", in(Phase::starting), SpawnFailed{"x"}, soon, Phase::backing_off,
         "model_load_failed/1", 1},
        {"starting, healthy", in(Phase::starting, 7), Healthy{}, soon, Phase::ready, "ready", 0, false, 7},
        {"starting, healthy before there is a process", in(Phase::starting), Healthy{}, soon, Phase::starting, "", 0},
        {"starting, exited", in(Phase::starting, 7), Exited{1, 0, "x"}, soon, Phase::backing_off, "model_load_failed/1",
         1},
        {"starting, exited, third time", in(Phase::starting, 7, 2), Exited{1, 0, "x"}, soon, Phase::backing_off,
         "model_load_failed/2", 3},
        {"starting, exited, tenth time", in(Phase::starting, 7, 9), Exited{1, 0, "x"}, soon, Phase::backing_off,
         "model_load_failed/30", 10},
        {"starting, exited, millionth time", in(Phase::starting, 7, 999999), Exited{1, 0, "x"}, soon,
         Phase::backing_off, "model_load_failed/30", 1000000},
        {"starting, tick", in(Phase::starting, 7), Tick{}, soon, Phase::starting, "probe", 0, false, 7},
        {"starting, tick while prepared", in(Phase::starting), Tick{}, t0 + seconds(601), Phase::starting, "", 0},
        {"starting, too long", in(Phase::starting, 7), Tick{}, t0 + seconds(600), Phase::stopping,
         "model_load_failed/1 kill", 1, false, 7},
        {"starting, stop", in(Phase::starting, 7), StopAsked{}, soon, Phase::stopping, "overloaded/1 terminate", 0,
         false, 7},
        {"starting, stop before there is a process", in(Phase::starting), StopAsked{}, soon, Phase::stopping,
         "overloaded/1", 0},

        {"ready, wanted", in(Phase::ready, 7), Wanted{}, soon, Phase::ready, "ready", 0, false, 7},
        {"ready, healthy again", in(Phase::ready, 7), Healthy{}, soon, Phase::ready, "", 0, false, 7},
        {"ready, spawn failed", in(Phase::ready, 7), SpawnFailed{"x"}, soon, Phase::ready, "", 0, false, 7},
        {"ready, died early: next request starts at once", in(Phase::ready, 7), Exited{0, 9, "x"}, soon, Phase::stopped,
         "", 1},
        {"ready, died early again", in(Phase::ready, 7, 1), Exited{0, 9, "x"}, soon, Phase::backing_off, "", 2},
        {"ready, died late", in(Phase::ready, 7, 5), Exited{0, 9, "x"}, later, Phase::stopped, "", 0},
        {"ready, tick early keeps failures", in(Phase::ready, 7, 2), Tick{}, soon, Phase::ready, "", 2, false, 7},
        {"ready, tick late forgets them", in(Phase::ready, 7, 2), Tick{}, later, Phase::ready, "", 0, false, 7},
        {"ready, stop", in(Phase::ready, 7), StopAsked{}, soon, Phase::stopping, "terminate", 0, false, 7},
        {"ready, spawned twice", in(Phase::ready, 7), Spawned{8}, soon, Phase::ready, "kill", 0, false, 8},

        {"backing off, wanted long before", in(Phase::backing_off, 0, 5, retry), Wanted{}, soon, Phase::backing_off,
         "model_load_failed/19", 5},
        {"backing off, wanted shortly before", in(Phase::backing_off, 0, 5, retry), Wanted{}, retry - milliseconds(900),
         Phase::backing_off, "", 5, true},
        {"backing off, wanted after", in(Phase::backing_off, 0, 5, retry), Wanted{}, retry, Phase::starting, "spawn",
         5},
        {"backing off, tick before", in(Phase::backing_off, 0, 5, retry, true), Tick{}, soon, Phase::backing_off, "", 5,
         true},
        {"backing off, tick after, wanted", in(Phase::backing_off, 0, 5, retry, true), Tick{}, retry, Phase::starting,
         "spawn", 5},
        {"backing off, tick after, not wanted", in(Phase::backing_off, 0, 5, retry), Tick{}, later, Phase::backing_off,
         "", 5},
        {"backing off, stop", in(Phase::backing_off, 0, 5, retry, true), StopAsked{}, soon, Phase::stopped,
         "overloaded/1", 0},
        {"backing off, spawn failed late", in(Phase::backing_off, 0, 5, retry), SpawnFailed{"x"}, soon,
         Phase::backing_off, "", 5},
        {"backing off, exited late", in(Phase::backing_off, 7, 5, retry), Exited{}, soon, Phase::backing_off, "", 5},
        {"backing off, healthy late", in(Phase::backing_off, 0, 5, retry), Healthy{}, soon, Phase::backing_off, "", 5},
        {"backing off, spawned by nobody", in(Phase::backing_off, 0, 5, retry), Spawned{7}, soon, Phase::backing_off,
         "kill", 5, false, 7},

        {"stopping, wanted", in(Phase::stopping, 7), Wanted{}, soon, Phase::stopping, "", 0, true, 7},
        {"stopping, spawned after all", in(Phase::stopping), Spawned{7}, soon, Phase::stopping, "terminate", 0, false,
         7},
        {"stopping, spawn failed", in(Phase::stopping), SpawnFailed{"x"}, soon, Phase::stopped, "", 0},
        {"stopping, spawn failed, wanted", in(Phase::stopping, 0, 0, {}, true), SpawnFailed{"x"}, soon, Phase::starting,
         "spawn", 0},
        {"stopping, healthy late", in(Phase::stopping, 7), Healthy{}, soon, Phase::stopping, "", 0, false, 7},
        {"stopping, exited", in(Phase::stopping, 7), Exited{0, 15, ""}, soon, Phase::stopped, "", 0},
        {"stopping, exited, wanted", in(Phase::stopping, 7, 0, {}, true), Exited{0, 15, ""}, soon, Phase::starting,
         "spawn", 0},
        {"stopping after a time-out, exited", in(Phase::stopping, 7, 3, retry), Exited{0, 9, ""}, soon,
         Phase::backing_off, "", 3},
        {"stopping after a time-out, exited, wanted", in(Phase::stopping, 7, 3, retry, true), Exited{0, 9, ""}, soon,
         Phase::backing_off, "", 3, true},
        {"stopping, tick within grace", in(Phase::stopping, 7), Tick{}, soon, Phase::stopping, "", 0, false, 7},
        {"stopping, tick after grace", in(Phase::stopping, 7), Tick{}, t0 + seconds(5), Phase::stopping, "kill", 0,
         false, 7},
        {"stopping, tick without process", in(Phase::stopping), Tick{}, later, Phase::stopping, "", 0},
        {"stopping, stop again", in(Phase::stopping, 7, 0, {}, true), StopAsked{}, soon, Phase::stopping,
         "overloaded/1", 0, false, 7},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const Step out = step(c.state, c.event, c.now, policy);
        EXPECT_EQ(name_of(out.state.phase), name_of(c.want));
        EXPECT_EQ(names(out.effects), c.effects);
        EXPECT_EQ(out.state.failures, c.failures);
        EXPECT_EQ(out.state.wanted, c.wanted);
        EXPECT_EQ(out.state.pid, c.pid);
        EXPECT_EQ(out.state.since, out.state.phase == c.state.phase ? t0 : c.now);
    }
}

TEST(Lifecycle, CountsStartsAndKeepsTheReason) {
    const Policy policy;
    State s;
    Time now = t0;
    const auto go = [&](const Event& e) { s = step(s, e, now, policy).state; };
    go(Wanted{});
    go(Spawned{1});
    EXPECT_EQ(s.restarts, 0U);
    go(Exited{1, 0, "no such file"});
    EXPECT_EQ(s.last_error, "no such file");
    now += seconds(1);
    go(Wanted{});
    go(Spawned{2});
    EXPECT_EQ(s.restarts, 1U);
    EXPECT_EQ(s.last_error, "no such file");
    go(Healthy{});
    EXPECT_EQ(s.last_error, "");
    EXPECT_EQ(s.failures, 1) << "forgotten only after it has been ready for a while";
}

TEST(Lifecycle, RandomWalkKeepsItsPromises) {
    const Policy policy;
    std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): a fixed seed on purpose
    for (int walk = 0; walk < 200; ++walk) {
        State s;
        Time now = t0;
        bool spawn_pending = false, waiting = false;
        int alive = 0, pid = 0;
        for (int i = 0; i < 300; ++i) {
            now += milliseconds(random() % 3000);
            Event e = Tick{};
            switch (random() % 6) {
                case 0:
                    e = Wanted{};
                    waiting = true;
                    break;
                case 1:
                    if (spawn_pending) e = random() % 3 == 0 ? Event(SpawnFailed{"x"}) : Event(Spawned{++pid});
                    break;
                case 2:
                    if (alive > 0) e = Exited{1, 0, "x"};
                    break;
                case 3: e = Healthy{}; break;
                case 4:
                    if (random() % 8 == 0) e = StopAsked{};
                    break;
                default: break;
            }
            if (std::holds_alternative<Spawned>(e)) {
                ++alive;
                spawn_pending = false;
            }
            if (std::holds_alternative<SpawnFailed>(e)) spawn_pending = false;
            if (std::holds_alternative<Exited>(e)) --alive;
            const Step out = step(s, e, now, policy);
            s = out.state;
            for (const auto& effect : out.effects) {
                if (std::holds_alternative<Spawn>(effect)) {
                    ASSERT_FALSE(spawn_pending) << "never two starts at once";
                    ASSERT_EQ(alive, 0) << "never a second process beside the first";
                    spawn_pending = true;
                }
                if (std::holds_alternative<Announce>(effect)) waiting = false;
            }
            ASSERT_TRUE(s.phase != Phase::ready || alive > 0);
            if (waiting) {
                ASSERT_TRUE(s.phase == Phase::starting || s.wanted)
                    << "a waiter is never forgotten in " << name_of(s.phase);
            }
        }
    }
}

TEST(Lifecycle, OneThatHangsIsKilledAndSaysSo) {
    const Policy policy;
    auto killed = step(in(Phase::ready, 7), Hung{"it hung"}, t0 + seconds(60), policy);
    EXPECT_EQ(names(killed.effects), "kill");
    EXPECT_EQ(killed.state.phase, Phase::ready) << "until its end is known";
    const auto ended = step(killed.state, Exited{0, 9, "it was killed"}, t0 + seconds(61), policy);
    EXPECT_EQ(ended.state.phase, Phase::stopped) << "the next request gets a fresh one at once";
    EXPECT_EQ(ended.state.last_error, "it hung");
    // The next one's end has a reason of its own.
    const auto ready = step(step(step(ended.state, Wanted{}, t0 + seconds(62), policy).state, Spawned{8},
                                 t0 + seconds(62), policy)
                                .state,
                            Healthy{}, t0 + seconds(63), policy);
    EXPECT_EQ(step(ready.state, Exited{0, 11, "it crashed"}, t0 + seconds(64), policy).state.last_error, "it crashed");

    for (const auto phase : {Phase::stopped, Phase::starting, Phase::backing_off, Phase::stopping}) {
        EXPECT_EQ(names(step(in(phase, 7), Hung{"late"}, t0 + seconds(1), policy).effects), "") << name_of(phase);
    }
}

}  // namespace
}  // namespace lc::engine
