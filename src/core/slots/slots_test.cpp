#include "core/slots/slots.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lc::slots {
namespace {

TEST(Slots, Choose) {
    const Slot empty{}, busy_a{true, "a", 0, 5};
    const struct {
        const char* name;
        std::vector<Slot> slots;
        Ask ask;
        std::optional<Choice> want;
    } cases[] = {
        {"no slots", {}, {"a"}, std::nullopt},
        {"first request", {empty, empty}, {"a"}, Choice{0, false, false}},
        {"keeps its slot", {empty, {false, "a", 0, 3}}, {"a"}, Choice{1, false, false}},
        {"keeps its slot with unsaved tokens", {empty, {false, "a", 9, 3}}, {"a"}, Choice{1, false, false}},
        {"a free slot before another session's", {{false, "b", 0, 1}, empty}, {"a"}, Choice{1, false, false}},
        {"used longest ago", {{false, "b", 0, 2}, {false, "c", 0, 1}}, {"a"}, Choice{1, false, true}},
        {"stored before not stored", {{false, "b", 0, 2}, {false, "c", 7, 1}}, {"a"}, Choice{0, false, true}},
        {"saved before it goes", {{false, "b", 7, 2}}, {"a"}, Choice{0, true, true}},
        {"all busy", {busy_a, {true, "b", 0, 1}}, {"c"}, std::nullopt},
        {"own slot busy: its last turn may be ending", {busy_a, empty}, {"a"}, std::nullopt},
        {"own slot stays busy: another", {busy_a, empty}, {"a", false, 1, 0.5}, Choice{1, false, false}},
        {"own slot busy, no other: waits", {busy_a}, {"a"}, std::nullopt},
        {"no session: a free slot", {{false, "b", 0, 1}, empty}, {""}, Choice{1, false, false}},
        {"title spares its session", {{false, "a", 0, 1}, {false, "b", 0, 9}}, {"a", true}, Choice{1, false, true}},
        {"title waits rather than displace its session", {{false, "a", 0, 1}, {true, "b", 0, 9}}, {"a", true},
         std::nullopt},
        {"title that waited", {{false, "a", 0, 1}, {true, "b", 0, 9}}, {"a", true, 1, 3.5}, Choice{0, false, true}},
        {"title where there is one slot only", {{false, "a", 4, 1}}, {"a", true}, Choice{0, true, true}},
        {"title in a slot of nobody", {{false, "", 0, 9}, {false, "b", 0, 1}}, {"a", true}, Choice{0, false, false}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(choose(c.slots, c.ask), c.want);
    }
}

TEST(Slots, Next) {
    const std::vector<Slot> one_free{{false, "a", 0, 1}, {true, "b", 0, 2}};
    const struct {
        const char* name;
        std::vector<Slot> slots;
        std::vector<Ask> asks;
        std::optional<std::size_t> want;
    } cases[] = {
        {"nobody waits", one_free, {}, std::nullopt},
        {"first come", one_free, {{"c", false, 2}, {"d", false, 1}}, 1},
        {"background last", one_free, {{"c", true, 1}, {"d", false, 2}}, 1},
        {"background that waited long", one_free, {{"c", true, 1, 20}, {"d", false, 2}}, 0},
        {"who cannot be served is passed over", one_free, {{"a", true, 1}, {"d", true, 2}}, 1},
        {"all busy", {{true, "a", 0, 1}}, {{"c", false, 1}}, std::nullopt},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(next(c.slots, c.asks), c.want);
    }
}

TEST(Slots, Background) {
    EXPECT_TRUE(is_background("title"));
    EXPECT_TRUE(is_background("compaction"));
    EXPECT_FALSE(is_background("main"));
    EXPECT_FALSE(is_background("subagent"));
}

}  // namespace
}  // namespace lc::slots
