// The store under its policy: what goes first, what is remembered, what is written.
#include <sqlite3.h>

#include "shell/kv/policy_db.hpp"
#include "shell/kv/store_testing.hpp"

namespace lc::kv {
namespace {

namespace fs = std::filesystem;
using namespace testing;

struct PolicyBench : Bench {
    std::int64_t now = 1'700'000'000'000;
    PolicyBench() {
        options.now_ms = [this] { return now; };
        options.policy_path = temp.path + "/policy.db";
    }
    /// Another prompt for each name, all of the same length.
    Digest keep(Store& store, const std::string& name, const Use& use = {}) {
        now += 1000;
        Prompt prompt = test_prompt(300, name);
        prompt.tokens = test_tokens(300, static_cast<std::uint32_t>(std::hash<std::string>()(name)));
        const SaveId id = begin_save(store);
        const auto files = chunk_files(prompt.scope, prompt.tokens);
        for (const auto& file : files) EXPECT_TRUE(put(store, id, BlobKind::chunk, file));
        auto manifest = prompt.manifest();
        manifest.model = "m";
        return commit_save(store, id, manifest, use).value();
    }
    static bool has(Store& store, const Digest& name) { return find_names(store).count(name) > 0; }
};

std::uint64_t bytes_of_one() {
    PolicyBench bench;
    auto store = bench.open();
    bench.keep(*store, "one");
    return stats(*store)->bytes;
}

TEST(Judge, EachPolicyDropsWhatItsOrderSays) {
    const auto one = bytes_of_one();
    for (const char* policy : {"lru", "lru2"}) {
        SCOPED_TRACE(policy);
        PolicyBench bench;
        bench.options.policy = policy;
        bench.options.max_bytes = one * 5;
        auto store = bench.open();
        const auto often = bench.keep(*store, "often");
        bench.keep(*store, "often");
        bench.keep(*store, "often");
        for (int i = 0; i < 8; ++i) bench.keep(*store, "once " + std::to_string(i));
        EXPECT_EQ(PolicyBench::has(*store, often), std::string(policy) == "lru2");
        const auto figures = stats(*store).value();
        EXPECT_EQ(figures.policy, policy);
        EXPECT_EQ(figures.policy_in_force, policy);
        EXPECT_LE(figures.bytes, bench.options.max_bytes);
        EXPECT_EQ(verify(*store)->bad, 0u);
    }
}

TEST(Judge, HazardKeepsWhoseToolRunsAndKnowsItAfterARestart) {
    const auto one = bytes_of_one();
    PolicyBench bench;
    bench.options.policy = "adaptive";
    bench.options.max_bytes = one * 6;
    Use tool, end;
    tool.finish = policy::Finish::tool_calls;
    end.finish = policy::Finish::stop;
    auto store = bench.open();
    for (int i = 0; i < 60; ++i) {
        const auto session = "session " + std::to_string(i);
        for (int turn = 0; turn < 3; ++turn) bench.keep(*store, session, turn < 2 ? tool : end);
    }
    store.reset();
    EXPECT_EQ(fs::status(bench.options.policy_path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    store = bench.open();
    EXPECT_EQ(stats(*store)->policy_in_force, "hazard");
    const auto running = bench.keep(*store, "running", tool);
    for (int i = 0; i < 7; ++i) bench.keep(*store, "ended " + std::to_string(i), end);
    EXPECT_TRUE(PolicyBench::has(*store, running));
    EXPECT_TRUE(bench.log.empty()) << bench.log.front();
}

TEST(Judge, WhatIsStoredIsRecalledAtTheStart) {
    const auto one = bytes_of_one();
    PolicyBench bench;
    bench.options.policy = "lru";
    bench.options.max_bytes = one * 4 + one / 2;
    auto store = bench.open();
    std::vector<Digest> names;
    for (int i = 0; i < 4; ++i) names.push_back(bench.keep(*store, "s" + std::to_string(i)));
    bench.keep(*store, "s0");
    store = nullptr;
    store = bench.open();
    bench.keep(*store, "new");
    EXPECT_TRUE(PolicyBench::has(*store, names[0]));
    EXPECT_FALSE(PolicyBench::has(*store, names[1]));
}

TEST(Judge, DamagedAndNewerPolicyDbAreSetAside) {
    for (const bool newer : {false, true}) {
        PolicyBench bench;
        bench.options.policy = "adaptive";
        if (newer) {
            sqlite3* db = nullptr;
            ASSERT_EQ(sqlite3_open(bench.options.policy_path.c_str(), &db), SQLITE_OK);
            ASSERT_EQ(sqlite3_exec(db, "PRAGMA user_version = 99", nullptr, nullptr, nullptr), SQLITE_OK);
            sqlite3_close(db);
        } else {
            std::ofstream(bench.options.policy_path) << "this is no database, and long enough to be looked at as one";
        }
        auto store = bench.open();
        ASSERT_EQ(bench.log.size(), 1u);
        EXPECT_NE(bench.log[0].find(newer ? ".newer-" : ".damaged-"), std::string::npos) << bench.log[0];
        bench.keep(*store, "s");
        store.reset();
        EXPECT_FALSE(load_learned(bench.options.policy_path)->hazard.empty());
    }
}

TEST(Judge, NumbersThatCannotBeAreNotTaken) {
    PolicyBench bench;
    bench.options.policy = "adaptive";
    Learned learned;
    learned.hazard = {1, 2, 3};
    ASSERT_TRUE(save_learned(bench.options.policy_path, learned, 1));
    auto store = bench.open();
    ASSERT_EQ(bench.log.size(), 1u);
    EXPECT_NE(bench.log[0].find("of no use"), std::string::npos);
}

TEST(Judge, WritesADayAreLimitedAndRememberedOverRestarts) {
    const auto one = bytes_of_one();
    PolicyBench bench;
    bench.options.policy = "lru";
    bench.options.writes_per_day = one * 3 / 2;
    bench.now = 1'700'006'400'000;  // a day's beginning
    auto store = bench.open();
    EXPECT_TRUE(may_save(*store, 10, false));
    bench.keep(*store, "a");
    const auto written = stats(*store)->written_today;
    EXPECT_EQ(written, stats(*store)->bytes);
    EXPECT_FALSE(may_save(*store, 10, false)) << "ahead of the day";
    EXPECT_TRUE(may_save(*store, 2001, false));
    EXPECT_TRUE(may_save(*store, 10, true));
    EXPECT_EQ(bench.log.size(), 1u);
    store.reset();
    bench.options.policy = "adaptive";
    store = bench.open();
    EXPECT_EQ(stats(*store)->written_today, written);
    bench.keep(*store, "b");
    EXPECT_FALSE(may_save(*store, 1e9, true)) << "beyond the limit";
    EXPECT_EQ(stats(*store)->writes_refused, 1u);
    bench.now += 86'400'000;
    EXPECT_TRUE(may_save(*store, 10, false));
    EXPECT_EQ(stats(*store)->written_today, 0u);
}

TEST(Judge, StagesTheNewestStateOfASession) {
    PolicyBench bench;
    auto store = bench.open();
    bench.keep(*store, "a");
    std::uint64_t chunks = bytes_below(bench.dir() + "/chunks");
    EXPECT_EQ(stage_session(*store, namespace_digest(""), "a"), chunks);
    EXPECT_EQ(stage_session(*store, namespace_digest("other"), "a"), 0u);
    EXPECT_EQ(stage_session(*store, namespace_digest(""), "b"), 0u);
}

}  // namespace
}  // namespace lc::kv
