#include "core/stream/hold.hpp"

#include <gtest/gtest.h>

namespace lc::stream {

TEST(Hold, WhatIsDue) {
    using namespace std::chrono_literals;
    const Time t0{};
    const struct {
        const char* name;
        Sent sent;
        std::chrono::milliseconds now;
        Beat want;
    } cases[] = {
        {"held: too early", {false, t0, {}, {}}, 999ms, Beat::nothing},
        {"held: time is up", {false, t0, {}, {}}, 1000ms, Beat::commit},
        {"just committed", {true, t0, t0 + 1s, t0 + 1s}, 1500ms, Beat::nothing},
        {"silent for a second", {true, t0, t0 + 1s, t0 + 1s}, 2s, Beat::ping},
        {"pings alone do not keep some clients", {true, t0, t0 + 5s, t0 + 1s}, 6s, Beat::heartbeat},
        {"heartbeat wins over ping", {true, t0, t0 + 1s, t0 + 1s}, 20s, Beat::heartbeat},
        {"bytes flow", {true, t0, t0 + 9900ms, t0 + 9900ms}, 10s, Beat::nothing},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(due(c.sent, t0 + c.now, Rules{}), c.want);
    }
}

}  // namespace lc::stream
