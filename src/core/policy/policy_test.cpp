// Forest, caches, chooser and simulator against plain models of the same rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "core/policy/simulate.hpp"
#include "core/policy/workload.hpp"

namespace lc::policy {
namespace {

/// Paths as words: each letter a block. Names chain, so that equal prefixes have equal names.
Trace words(const std::vector<std::string>& all, std::int64_t step_ms = 1000) {
    Trace trace;
    trace.block_tokens = 16;
    std::int64_t at = 0;
    for (const auto& word : all) {
        TraceRequest r;
        r.at_ms = at += step_ms;
        r.first_block = trace.blocks.size();
        std::uint64_t name = 7;
        for (const char c : word) trace.blocks.push_back(name = name * 1'000'003 + static_cast<unsigned char>(c));
        r.n_blocks = static_cast<std::uint32_t>(word.size());
        r.input = r.n_blocks * trace.block_tokens;
        trace.requests.push_back(r);
    }
    return trace;
}

/// LRU and LRU-2 over blocks, without segments, heaps or trees: sorts all blocks whenever one must go.
std::uint64_t plain(const Trace& trace, std::size_t capacity, bool two) {
    struct Block {
        std::int64_t last = -1, before = -1;
        std::size_t depth = 0;
        bool here = false;
    };
    std::map<std::uint64_t, Block> blocks;
    std::uint64_t hits = 0;
    std::int64_t now = 0;
    for (const auto& r : trace.requests) {
        ++now;
        const auto path = trace.path(r);
        std::size_t n = 0;
        while (n < path.size() && blocks[path[n]].here) ++n;
        hits += n;
        for (std::size_t d = 0; d < path.size(); ++d) {
            Block& b = blocks[path[d]];
            b.before = b.last;
            b.last = now;
            b.depth = d;
            b.here = true;
        }
        while (true) {
            std::size_t here = 0;
            const Block* victim = nullptr;
            const auto first = [&](const Block& a, const Block& b) {
                const auto ka = two ? a.before : a.last, kb = two ? b.before : b.last;
                if (ka != kb) return ka < kb;
                return a.last != b.last ? a.last < b.last : a.depth > b.depth;
            };
            for (auto& [name, b] : blocks) {
                if (!b.here) continue;
                ++here;
                if (victim == nullptr || first(b, *victim)) victim = &b;
            }
            if (here <= capacity) break;
            const_cast<Block*>(victim)->here = false;
        }
    }
    return hits;
}

/// Sessions that grow and turn off from each other, by a simple generator.
Trace random_words(std::uint32_t seed, std::size_t n) {
    std::vector<std::string> history{"S"}, out;
    const auto next = [&seed](std::uint32_t below) { return (seed = seed * 1664525u + 1013904223u) / 65536 % below; };
    for (std::size_t i = 0; i < n; ++i) {
        std::string word =
            history[history.size() - 1 - next(static_cast<std::uint32_t>(std::min<std::size_t>(history.size(), 12)))];
        word.resize(1 + next(static_cast<std::uint32_t>(word.size())));
        if (next(3) == 0) word = history[next(static_cast<std::uint32_t>(history.size()))];
        for (auto more = next(6); more > 0; --more) word += static_cast<char>('a' + next(26));
        if (word.size() > 40) word.resize(5);
        history.push_back(word);
        out.push_back(word);
    }
    return words(out);
}

TEST(Cache, LruIsExactlyLru) {
    for (std::uint32_t seed = 1; seed <= 12; ++seed) {
        const Trace trace = random_words(seed, 250);
        for (const std::size_t capacity : {1u, 7u, 30u, 90u, 100'000u}) {
            const auto rows = simulate(trace, capacity, {"lru"}, 100);
            EXPECT_EQ(rows.at(0).hit_blocks, plain(trace, capacity, false)) << seed << ' ' << capacity;
        }
    }
}

TEST(Cache, Lru2IsCloseToLru2OverBlocks) {
    // Segments that were touched alike move together, so single blocks may differ.
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
        const Trace trace = random_words(seed, 300);
        for (const std::size_t capacity : {30u, 90u}) {
            const auto mine = static_cast<double>(simulate(trace, capacity, {"lru2"}, 100).at(0).hit_blocks);
            const auto want = static_cast<double>(plain(trace, capacity, true));
            EXPECT_NEAR(mine, want, 0.1 * want + 10) << seed << ' ' << capacity;
        }
    }
}

TEST(Simulate, NobodyExceedsTheBoundAndAllKeepTheBudget) {
    for (std::uint32_t seed = 20; seed <= 26; ++seed) {
        const Trace trace = random_words(seed, 300);
        for (const std::uint64_t capacity : {5u, 40u, 120u}) {
            const auto rows = simulate(trace, capacity, policy_names(), 100);
            ASSERT_EQ(rows.size(), 5u);
            for (const Row& row : rows) {
                EXPECT_LE(row.hit_blocks, rows.back().hit_blocks) << row.name;
                EXPECT_EQ(row.blocks, trace.blocks.size());
                EXPECT_LE(row.prefill_tokens_saved, row.hit_blocks * trace.block_tokens);
                EXPECT_GT(row.bytes_written, 0u);
            }
        }
    }
}

TEST(Simulate, WithRoomForAllEveryKnownPrefixIsAHit) {
    const Trace trace = words({"ab", "abcd", "abx", "abcd", "q"});
    for (const Row& row : simulate(trace, 100, policy_names(), 10)) {
        EXPECT_EQ(row.hit_blocks, 2u + 2u + 4u) << row.name;
        EXPECT_EQ(row.bytes_written, unique_blocks(trace) * 16 * 10) << row.name;
    }
}

TEST(Simulate, OnlyWhatWasWantedAndNothingWhenStopped) {
    const Trace trace = words({"ab", "abcd"});
    const auto rows = simulate(trace, 100, {"bound", "hazard", "nonsense"}, 10);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].name, "hazard");
    EXPECT_EQ(rows[1].name, "bound");
    EXPECT_TRUE(simulate(trace, 100, {"lru"}, 10, [](double) { return false; }).empty());
}

TEST(Hazard, LearnsWhichSessionsComeBack) {
    // Answers that end in tool calls are followed by another request after 5 s, the others by none. With LRU the one
    // that will come is always just gone.
    Trace trace;
    trace.block_tokens = 16;
    std::uint64_t next = 1;
    const auto add = [&](std::int64_t at, std::uint64_t name, Finish finish) {
        TraceRequest r;
        r.at_ms = at;
        r.first_block = trace.blocks.size();
        for (std::uint64_t i = 0; i < 10; ++i) trace.blocks.push_back(name * 100 + i);
        r.n_blocks = 10;
        r.input = 160;
        r.finish = finish;
        trace.requests.push_back(r);
    };
    for (std::int64_t round = 0; round < 600; ++round) {
        const auto session = next++;
        add(round * 10'000, session, Finish::tool_calls);
        for (int i = 0; i < 4; ++i) add(round * 10'000 + 1000 + i, next++, Finish::stop);
        add(round * 10'000 + 5'000, session, Finish::stop);
    }
    const auto rows = simulate(trace, 30, {"lru", "hazard", "adaptive"}, 10);
    EXPECT_EQ(rows.at(0).hit_blocks, 0u);
    EXPECT_GT(rows.at(1).hit_blocks, 5'400u);
    EXPECT_GT(rows.at(2).hit_blocks, 5'000u);
    EXPECT_EQ(rows.at(2).followed, "hazard");
}

TEST(Hazard, WithoutObservationsTheYoungestIsWorthMost) {
    const Hazard hazard;
    const Features features = features_of({});
    float before = hazard.index(features, 0);
    for (std::size_t b = 1; b < age_bins; ++b) {
        const float now = hazard.index(features, b);
        EXPECT_LE(now, before * 1.001f) << b;
        before = now;
    }
}

TEST(Hazard, BinsOfAge) {
    EXPECT_EQ(bin_of(0), 0u);
    EXPECT_EQ(bin_of(-5), 0u);
    EXPECT_EQ(bin_of(999), 0u);
    EXPECT_EQ(bin_of(1000), 1u);
    for (std::size_t b = 1; b < age_bins; ++b) {
        EXPECT_EQ(bin_of(bin_begin(b)), b);
        EXPECT_EQ(bin_of(bin_begin(b) - 1), b - 1);
    }
    EXPECT_EQ(bin_of(std::int64_t{1} << 60), age_bins - 1);
}

TEST(Hazard, WhatWasLearnedComesBackAndDamageIsRefused) {
    Hazard hazard;
    Facts facts;
    facts.finish = Finish::tool_calls;
    const Features features = features_of(facts);
    for (int i = 0; i < 500; ++i) hazard.learn(features, 3, i % 2 == 0, 1);
    auto numbers = hazard.save();
    Hazard other;
    EXPECT_NE(other.index(features, 0), hazard.index(features, 0));
    ASSERT_TRUE(other.restore(numbers));
    EXPECT_EQ(other.index(features, 0), hazard.index(features, 0));
    EXPECT_FALSE(other.restore(std::span(numbers).first(numbers.size() - 1)));
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30f}) {
        auto damaged = numbers;
        damaged[5] = bad;
        EXPECT_FALSE(other.restore(damaged));
    }
    EXPECT_EQ(other.index(features, 0), hazard.index(features, 0));
}

TEST(Forest, ForgetsWhatNobodyKeepsAndStaysInItsBounds) {
    Forest forest(500);
    Cache cache(forest, Order::lru, 100 * 10);
    forest.kept = [&](std::uint32_t s) { return cache.keeps(s); };
    forest.rescored = [&](std::uint32_t s) { cache.rescored(s); };
    const Trace trace = make_workload(Workload::chat, 5);
    std::vector<Chunk> path;
    Change change;
    std::size_t most = 0;
    for (std::size_t i = 0; i < 2000; ++i) {
        path.clear();
        for (const auto name : trace.path(trace.requests[i])) path.push_back({name, 10, 1});
        if (path.size() > 90) path.resize(90);
        Touch touch;
        touch.now_ms = trace.requests[i].at_ms;
        forest.touch(path, touch, change);
        cache.follow(path, change);
        EXPECT_LE(cache.bytes(), cache.capacity());
        most = std::max(most, forest.n_nodes());
    }
    EXPECT_LE(most, 600u);
    EXPECT_GT(most, 300u);
}

TEST(Chooser, FollowsTheBetterOneAndNotEveryBreeze) {
    Chooser chooser(Order::hazard);
    int changes = 0;
    for (int i = 0; i < 200; ++i) changes += chooser.see({i % 2 ? 10.0 : 9.9, 0, i % 2 ? 9.9 : 10.0}, 0.1) ? 1 : 0;
    EXPECT_EQ(changes, 0);
    for (int i = 0; i < 200; ++i) changes += chooser.see({20, 0, 10}, 0.1) ? 1 : 0;
    EXPECT_EQ(changes, 1);
    EXPECT_EQ(chooser.now(), Order::lru);
}

}  // namespace
}  // namespace lc::policy
