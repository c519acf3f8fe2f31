#include "core/kv/evict.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <random>
#include <set>

namespace lc::kv {
namespace {

struct Forest {
    std::vector<EvictBlob> blobs;
    std::vector<EvictState> states;
    std::vector<std::uint32_t> refs;

    void state(std::vector<std::uint32_t> of, std::uint64_t last_use, bool pinned = false) {
        states.push_back(
            {static_cast<std::uint32_t>(refs.size()), static_cast<std::uint32_t>(of.size()), 1, last_use, pinned});
        refs.insert(refs.end(), of.begin(), of.end());
    }
    [[nodiscard]] EvictInput input(std::uint64_t bytes) const { return {blobs, states, refs, bytes}; }
};

/// a shared prefix 0-1, session A on 2, session B on 3-4, a snapshot 5 of B
Forest two_sessions() {
    Forest f;
    f.blobs = {{no_parent, 10}, {0, 10}, {1, 10}, {1, 10}, {3, 10}, {no_parent, 100}};
    f.state({2}, 1);
    f.state({4, 5}, 2);
    return f;
}

using Step = EvictPlan::Step;

TEST(Evict, Lru) {
    const auto f = two_sessions();
    EXPECT_TRUE(evict_lru(f.input(0)).steps.empty());
    const std::vector<Step> a{{true, 0}, {false, 2}};
    EXPECT_EQ(evict_lru(f.input(1)).steps, a) << "the older session, without what the other shares";
    EXPECT_EQ(evict_lru(f.input(11)).steps, a);
    std::vector<Step> both = a;
    for (const Step s : {Step{true, 1}, {false, 4}, {false, 3}, {false, 1}, {false, 0}, {false, 5}}) both.push_back(s);
    EXPECT_EQ(evict_lru(f.input(12)).steps, both) << "leaf first";
    EXPECT_EQ(evict_lru(f.input(12)).bytes, 152u);
}

TEST(Evict, UnneededFirst) {
    auto f = two_sessions();
    f.blobs.push_back({2, 7, 50});  // a child of A's tail that no state needs, used later than all
    EXPECT_EQ(evict_lru(f.input(1)).steps, (std::vector<Step>{{false, 6}}));
    EXPECT_EQ(evict_unneeded(f.input(0)).steps, (std::vector<Step>{{false, 6}}));
}

TEST(Evict, PinsHold) {
    auto f = two_sessions();
    f.states[0].pinned = true;
    f.blobs[3].pinned = true;
    const auto plan = evict_lru(f.input(1'000'000));
    EXPECT_EQ(plan.steps, (std::vector<Step>{{true, 1}, {false, 4}, {false, 5}})) << "3 is pinned, so 1 and 0 stay too";
}

Forest random_forest(std::uint32_t seed, std::uint32_t n_blobs, std::uint32_t n_states) {
    std::mt19937 random(seed);
    Forest f;
    for (std::uint32_t i = 0; i < n_blobs; ++i) {
        EvictBlob blob;
        if (i > 0 && random() % 8 != 0) blob.parent = static_cast<std::uint32_t>(i - 1 - random() % std::min(i, 8u));
        blob.bytes = 1 + random() % 1000;
        blob.last_use = random() % 1000;
        blob.pinned = random() % 50 == 0;
        f.blobs.push_back(blob);
    }
    for (std::uint32_t i = 0; i < n_states; ++i) {
        std::vector<std::uint32_t> of;
        for (std::uint32_t k = random() % 3; k > 0; --k) of.push_back(static_cast<std::uint32_t>(random() % n_blobs));
        f.state(of, random() % 1000, random() % 20 == 0);
    }
    return f;
}

TEST(Evict, NeverOrphansAndFreesEnough) {
    for (std::uint32_t seed = 0; seed < 500; ++seed) {
        SCOPED_TRACE(seed);
        const auto f = random_forest(seed, 1 + seed % 60, seed % 20);
        std::uint64_t total = 0;
        for (const auto& blob : f.blobs) total += blob.bytes;
        const std::uint64_t wanted = total * (seed % 5) / 4;
        const auto plan = evict_lru(f.input(wanted));
        EXPECT_EQ(plan, evict_lru(f.input(wanted)));
        std::set<std::uint32_t> gone_blobs, gone_states;
        std::uint64_t freed = 0;
        for (const Step& step : plan.steps) {
            if (step.state) {
                EXPECT_FALSE(f.states[step.index].pinned);
                EXPECT_TRUE(gone_states.insert(step.index).second);
                freed += f.states[step.index].bytes;
                continue;
            }
            EXPECT_FALSE(f.blobs[step.index].pinned);
            EXPECT_TRUE(gone_blobs.insert(step.index).second);
            freed += f.blobs[step.index].bytes;
            for (std::uint32_t i = 0; i < f.blobs.size(); ++i) {
                if (f.blobs[i].parent == step.index) {
                    EXPECT_TRUE(gone_blobs.count(i)) << "a child was left";
                }
            }
            for (std::uint32_t s = 0; s < f.states.size(); ++s) {
                for (std::uint32_t r = 0; r < f.states[s].n_refs; ++r) {
                    if (f.refs[f.states[s].first_ref + r] == step.index) {
                        EXPECT_TRUE(gone_states.count(s)) << "a state was left without it";
                    }
                }
            }
        }
        EXPECT_EQ(freed, plan.bytes);
        if (freed >= wanted) continue;
        // Not enough: then nothing more may be possible. All states that are left are pinned, all free blobs are gone.
        for (std::uint32_t s = 0; s < f.states.size(); ++s) {
            EXPECT_TRUE(f.states[s].pinned || gone_states.count(s));
        }
        std::set<std::uint32_t> kept;
        const auto keep = [&](std::uint32_t i) {
            for (; i != no_parent; i = f.blobs[i].parent) kept.insert(i);
        };
        for (std::uint32_t i = 0; i < f.blobs.size(); ++i) {
            if (f.blobs[i].pinned) keep(i);
        }
        for (const auto& state : f.states) {
            for (std::uint32_t r = 0; state.pinned && r < state.n_refs; ++r) keep(f.refs[state.first_ref + r]);
        }
        EXPECT_EQ(kept.size() + gone_blobs.size(), f.blobs.size());
    }
}

TEST(Evict, IsFastEnough) {
    for (const std::uint32_t n : {100'000u, 1'000'000u}) {
        const auto f = random_forest(7, n, n / 10);
        const auto begin = std::chrono::steady_clock::now();
        const auto plan = evict_lru(f.input(std::uint64_t{n} * 250));
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
        std::cout << "evict_lru: " << n << " blobs, " << n / 10 << " states: " << took.count() << " ms, "
                  << plan.steps.size() << " steps\n";
        EXPECT_GE(plan.bytes, std::uint64_t{n} * 250);
    }
}

}  // namespace
}  // namespace lc::kv
