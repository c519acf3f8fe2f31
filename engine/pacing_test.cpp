#include "pacing.h"

#include <gtest/gtest.h>

TEST(Pacing, Observe) {
    const struct {
        const char* name;
        double before;
        std::int32_t n;
        std::int64_t us;
        double want;
    } cases[] = {
        {"first", 0, 512, 1'000'000, 0.512},
        {"few tokens say nothing", 0.5, 8, 1'000'000, 0.5},
        {"no time", 0.5, 512, 0, 0.5},
        {"moves towards the new", 1.0, 200, 100'000, 1.3},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_DOUBLE_EQ(observe({c.before}, c.n, c.us).tokens_per_ms, c.want);
    }
}

TEST(Pacing, PrefillStep) {
    const struct {
        const char* name;
        StepView view;
        double speed, target;
        std::int32_t want;
    } cases[] = {
        {"nobody waits", {512, 0}, 0.35, 250, 512},
        {"nobody waits, speed unknown", {512, 0}, 0, 250, 512},
        {"others wait, speed unknown", {512, 1}, 0, 250, 128},
        {"unknown, small batch", {64, 1}, 0, 250, 64},
        {"fits the target, rounded down", {512, 1}, 0.35, 250, 64},
        {"slow: not below the granule", {512, 2}, 0.01, 250, 32},
        {"fast: the whole batch", {512, 1}, 1000, 250, 512},
        {"batch below the granule", {16, 1}, 0.35, 250, 16},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(prefill_step(c.view, {c.speed}, c.target), c.want);
    }
}

TEST(Pacing, WorthAbort) {
    const struct {
        const char* name;
        CancelView view;
        double speed;
        bool want;
    } cases[] = {
        {"speed unknown", {512, 0}, 0, true},
        {"just begun", {512, 10'000}, 0.35, true},
        {"nearly done", {512, 1'450'000}, 0.35, false},
        {"short anyway", {2, 0}, 0.35, false},
        {"one token of a slow model", {1, 0}, 0.005, true},
        {"longer than expected", {512, 5'000'000}, 0.35, true},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(worth_abort(c.view, {c.speed}), c.want);
    }
}
