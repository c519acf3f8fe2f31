#include "core/policy/keeper.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lc::policy {
namespace {

std::vector<Chunk> path_of(std::uint64_t name, std::size_t n) {
    std::vector<Chunk> out;
    for (std::uint64_t i = 0; i < n; ++i) out.push_back({name * 1000 + i, 10, 5});
    return out;
}

TEST(Keeper, WorthFollowsTheOrderInForce) {
    Keeper keeper(Order::lru, 1000);
    keeper.note(path_of(1, 5), {.now_ms = 1000});
    keeper.note(path_of(2, 5), {.now_ms = 2000});
    keeper.note(path_of(1, 6), {.now_ms = 3000});
    EXPECT_GT(keeper.worth(1005), keeper.worth(2004));
    EXPECT_FALSE(keeper.worth(77));
    EXPECT_EQ(keeper.in_force(), Order::lru);
    EXPECT_FALSE(keeper.adaptive());
    EXPECT_EQ(keeper.why(), "lru: configured");
    keeper.note({}, {.now_ms = 3000});
}

TEST(Keeper, RecallTeachesNothingButKnowsThePath) {
    Keeper keeper(std::nullopt, 1000);
    keeper.recall(path_of(1, 5), {.now_ms = 1000});
    keeper.recall(path_of(1, 5), {.now_ms = 500'000});
    EXPECT_EQ(keeper.hazard().seen(), 0u);
    EXPECT_TRUE(keeper.worth(1004));
    keeper.note(path_of(1, 5), {.now_ms = 600'000});
    EXPECT_GT(keeper.hazard().seen(), 0u);
    EXPECT_TRUE(keeper.why().starts_with("hazard: would have saved ")) << keeper.why();
}

TEST(Keeper, TellsWhenAnotherOrderComesIntoForce) {
    // Two prompts in turn, in room for one and a half, and nothing to learn from: what LRU-2 does better shows soon.
    Keeper keeper(std::nullopt, 100);
    std::optional<Order> changed;
    std::uint64_t once = 1000;
    for (std::int64_t i = 0; i < 4000 && !changed; ++i) {
        changed = keeper.note(path_of(1, 8), {.now_ms = i * 10'000});
        keeper.hazard() = Hazard();
        if (changed) break;
        changed = keeper.note(path_of(++once, 8), {.now_ms = i * 10'000 + 5'000});
        keeper.hazard() = Hazard();
    }
    SCOPED_TRACE(keeper.why());
    ASSERT_TRUE(changed);
    EXPECT_EQ(*changed, keeper.in_force());
    EXPECT_NE(*changed, Order::hazard);
}

TEST(Writes, Gate) {
    constexpr std::int64_t hour = 3'600'000, day = 24 * hour;
    const struct {
        const char* name;
        Writes writes;
        WriteAsked asked;
        std::int64_t now;
        bool want;
    } cases[] = {
        {"no limit", {0, 1ull << 60}, {0, 0}, hour, true},
        {"fresh day", {0, 0}, {1000, 100}, 0, true},
        {"yesterday does not count", {0, 5000}, {1000, 100}, day, true},
        {"beyond the limit", {0, 1000}, {1000, 100'000, true}, hour, false},
        {"ahead of the day, cheap", {0, 600}, {1000, 100}, 6 * hour, false},
        {"ahead of the day, over 2 s", {0, 999}, {1000, 2001}, 0, true},
        {"ahead of the day, at shutdown", {0, 999}, {1000, 0, true}, 0, true},
        {"in step with the day", {0, 600}, {1000, 100}, 12 * hour, true},
        {"end of the day", {0, 999}, {1000, 100}, 23 * hour, true},
    };
    for (const auto& c : cases) EXPECT_EQ(may_write(c.writes, c.asked, c.now), c.want) << c.name;
    Writes writes;
    for (int i = 0; i < 3; ++i) writes = add_writes(writes, 10, hour);
    EXPECT_EQ(writes.bytes, 30u);
    writes = add_writes(writes, 7, day + 1);
    EXPECT_EQ(writes.day, 1);
    EXPECT_EQ(writes.bytes, 7u);
}

}  // namespace
}  // namespace lc::policy
