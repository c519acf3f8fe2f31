// What happens when the machine stops, the disk is full or fails: at every step of a save, with every idea of what of
// the unsynced work survives. Afterwards there is the right answer or a miss, and nothing is left over.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "shell/kv/store_testing.hpp"
#include "shell/kv/testing.hpp"

namespace lc::kv {
namespace {

using namespace lc::kv::testing;
namespace fs = std::filesystem;

/// What became of kv.db: SQLite writes it, not our file layer.
enum class DbFate { kept, earlier, lost };

struct CrashBench {
    TempDir temp;
    MemDisk disk;
    StoreOptions options;

    CrashBench() {
        disk.dirs = disk.durable_dirs = {"/disk"};
        options.dir = "/disk/kv";
        options.db_path = temp.path + "/kv.db";
        options.max_bytes = 1u << 30;
        options.files = mem_files(disk);
    }
    StorePtr open() {
        auto store = open_store(options);
        if (!store) throw std::runtime_error("open_store: " + store.error().detail);
        return std::move(*store);
    }
    void keep_db() {
        fs::copy_file(options.db_path, options.db_path + ".before", fs::copy_options::overwrite_existing);
    }
    void decide_db(DbFate fate) {
        if (fate == DbFate::kept) return;
        for (const char* part : {"", "-wal", "-shm"}) fs::remove(options.db_path + part);
        if (fate == DbFate::earlier) fs::copy_file(options.db_path + ".before", options.db_path);
    }
};

/// Everything the store has is right: verified, found under its keys, with the right rows.
void expect_right(Store& store, const Prompt& prompt, bool must_be_there) {
    EXPECT_EQ(verify(store).value().bad, 0u);
    const auto found = lookup(store, prompt.scope, prompt.rendering, prompt.keys()).value();
    if (must_be_there) {
        EXPECT_TRUE(found);
    }
    if (!found) return;
    const auto state = pin_state(store, found->manifest, prompt.scope);
    ASSERT_TRUE(state) << state.error().detail;
    const Manifest& m = state->manifest.manifest;
    ASSERT_LE(found->n_tokens, m.tokens.size());
    const auto files = chunk_files(prompt.scope, m.tokens);
    for (std::size_t i = 0; i < files.size(); ++i) {
        EXPECT_EQ(get_blob(store, {BlobKind::chunk, state->manifest.chunks[i]}).value(), files[i]);
    }
    for (const SnapshotRef& ref : m.snapshots) EXPECT_TRUE(get_blob(store, {BlobKind::snapshot, ref.name}));
    unpin_state(store, found->manifest);
}

/// No file that the index does not count.
void expect_no_growth(Store& store, const MemDisk& disk) {
    EXPECT_EQ(disk.bytes(), stats(store)->bytes);
    EXPECT_EQ(disk.count("/tmp/"), 0u);
}

int steps_of_a_save(const Prompt& before, const Prompt& after) {
    CrashBench bench;
    auto store = bench.open();
    save(*store, before).value();
    bench.disk.steps = 0;
    save(*store, after).value();
    return bench.disk.steps;
}

TEST(Crash, AtEveryStepOfASave) {
    auto before = test_prompt(300), after = test_prompt(600);
    before.snapshot = after.snapshot = true;
    const int steps = steps_of_a_save(before, after);
    ASSERT_GT(steps, 15);
    int runs = 0, kept_new = 0;
    for (int stop = 0; stop <= steps; ++stop) {
        for (const CrashMode mode : {CrashMode::keep_all, CrashMode::drop_all, CrashMode::random}) {
            for (const DbFate fate : {DbFate::kept, DbFate::earlier, DbFate::lost}) {
                SCOPED_TRACE("step " + std::to_string(stop) + " mode " + std::to_string(static_cast<int>(mode)) +
                             " db " + std::to_string(static_cast<int>(fate)));
                CrashBench bench;
                bench.disk.seed = static_cast<std::uint32_t>(stop + 1);
                save(*bench.open(), before).value();
                bench.keep_db();
                {
                    auto store = bench.open();
                    bench.disk.steps = 0;
                    bench.disk.stop_at = stop;
                    const bool saved = save(*store, after).has_value();
                    EXPECT_TRUE(stop < steps || saved);
                }
                bench.disk.crash(mode);
                bench.decide_db(fate);
                auto store = bench.open();
                // Either the earlier state or the new one: replacing never loses both.
                expect_right(*store, after, true);
                expect_no_growth(*store, bench.disk);
                kept_new += lookup(*store, after.scope, after.rendering, after.keys()).value()->n_tokens == 600;
                // And it goes on working.
                ASSERT_TRUE(save(*store, after));
                expect_right(*store, after, true);
                expect_no_growth(*store, bench.disk);
                EXPECT_EQ(stats(*store)->states, 1u);
                ++runs;
            }
        }
    }
    std::cout << runs << " crashes, " << kept_new << " of them after the new state was safe\n";
    EXPECT_GT(kept_new, 0);
    EXPECT_LT(kept_new, runs);
}

TEST(Crash, ACommittedStateSurvivesEverything) {
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        CrashBench bench;
        bench.disk.seed = seed;
        const auto prompt = test_prompt(600);
        save(*bench.open(), prompt).value();
        bench.disk.crash(seed % 2 == 0 ? CrashMode::random : CrashMode::drop_all);
        bench.decide_db(seed % 3 == 0 ? DbFate::lost : DbFate::kept);
        auto store = bench.open();
        EXPECT_EQ(lookup(*store, prompt.scope, prompt.rendering, prompt.keys()).value().value().n_tokens, 600u);
        expect_right(*store, prompt, true);
    }
}

TEST(Crash, AgainAndAgainDoesNotGrow) {
    CrashBench bench;
    const auto prompt = test_prompt(600);
    std::uint64_t most = 0;
    for (int round = 0; round < 60; ++round) {
        auto store = bench.open();
        expect_no_growth(*store, bench.disk);
        most = std::max(most, bench.disk.bytes());
        bench.disk.steps = 0;
        bench.disk.stop_at = round % 20;
        (void)save(*store, prompt);
        store.reset();
        bench.disk.seed = static_cast<std::uint32_t>(round + 1);
        bench.disk.crash(CrashMode::random);
        if (round % 7 == 0) bench.decide_db(DbFate::lost);
    }
    auto store = bench.open();
    save(*store, prompt).value();
    EXPECT_LE(most, stats(*store)->bytes);
    expect_right(*store, prompt, true);
}

TEST(Fault, EveryStepMayFail) {
    const auto before = test_prompt(300), after = test_prompt(600);
    const int steps = steps_of_a_save(before, after);
    for (const int code : {EIO, ENOSPC, EROFS}) {
        for (int at = 0; at < steps; ++at) {
            SCOPED_TRACE("error " + std::to_string(code) + " at step " + std::to_string(at));
            CrashBench bench;
            auto store = bench.open();
            save(*store, before).value();
            bench.disk.steps = 0;
            bench.disk.fail_at = at;
            bench.disk.fail_code = code;
            (void)save(*store, after);  // an error, or a success after making room: never a wrong answer
            expect_right(*store, after, code != ENOSPC);
            ASSERT_TRUE(save(*store, after));
            expect_right(*store, after, true);
            // A removal that failed leaves a file; opening again takes it away.
            store.reset();
            store = bench.open();
            expect_right(*store, after, true);
            expect_no_growth(*store, bench.disk);
        }
    }
}

TEST(Fault, FullDisk) {
    CrashBench bench;
    bench.disk.capacity = 100'000;
    auto store = bench.open();
    std::size_t saved = 0;
    for (std::uint32_t i = 0; i < 50; ++i) {
        auto prompt = test_prompt(300, "s" + std::to_string(i));
        prompt.tokens = test_tokens(300, i + 1);
        saved += save(*store, prompt).has_value();
        EXPECT_LE(bench.disk.bytes(), bench.disk.capacity);
    }
    EXPECT_EQ(saved, 50u) << "the budget is larger than the disk: older states make room";
    EXPECT_EQ(verify(*store)->bad, 0u);
    expect_no_growth(*store, bench.disk);
    auto huge = test_prompt(6000, "huge");
    const auto refused = save(*store, huge);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::overloaded);
    EXPECT_EQ(verify(*store)->bad, 0u);
    auto small = test_prompt(300, "after");
    EXPECT_TRUE(save(*store, small));
}

TEST(Fault, ReadOnlyDisk) {
    CrashBench bench;
    const auto prompt = test_prompt(600);
    auto store = bench.open();
    save(*store, prompt).value();
    bench.disk.read_only = true;
    auto other = test_prompt(300, "other");
    other.tokens = test_tokens(300, 3);
    EXPECT_EQ(save(*store, other).error().code, Errc::internal);
    expect_right(*store, prompt, true);
    bench.disk.read_only = false;
    EXPECT_TRUE(save(*store, other));
}

TEST(Fault, ReadOnlyFolder) {
    if (::geteuid() == 0) {
        // Root writes everywhere; a file where the folder should be is refused to everybody.
        TempDir temp;
        std::ofstream(temp.path + "/kv") << "a file";
        StoreOptions options;
        options.dir = temp.path + "/kv";
        EXPECT_FALSE(open_store(options));
        return;
    }
    TempDir temp;
    fs::permissions(temp.path, fs::perms::owner_read | fs::perms::owner_exec);
    StoreOptions options;
    options.dir = temp.path + "/kv";
    EXPECT_FALSE(open_store(options));
    fs::permissions(temp.path, fs::perms::owner_all);
}

/// The real file layer and the real SQLite, killed at some moment of one of many saves.
TEST(Crash, KilledForReal) {
    Bench bench;
    bench.options.files = real_files();
    int killed = 0;
    for (int round = 0; round < 12; ++round) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            // Saves until it is killed; leaves without the parent's destructors.
            try {
                auto store = bench.open();
                for (std::uint32_t i = 0; i < 100'000; ++i) {
                    auto prompt = test_prompt(300 + i % 500, "s" + std::to_string(i % 3));
                    if (!save(*store, prompt)) ::_exit(1);
                }
            } catch (...) {
                ::_exit(2);
            }
            ::_exit(0);
        }
        ::usleep(static_cast<useconds_t>(50'000 + round * 23'000));
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "it ended with " << WEXITSTATUS(status);
        ++killed;
        auto store = bench.open();
        EXPECT_EQ(verify(*store).value().bad, 0u);
        EXPECT_LE(stats(*store)->states, 6u);
        EXPECT_EQ(bytes_below(bench.dir() + "/chunks") + bytes_below(bench.dir() + "/manifests"), stats(*store)->bytes);
        EXPECT_TRUE(files_below(bench.dir() + "/tmp").empty());
    }
    EXPECT_EQ(killed, 12);
}

}  // namespace
}  // namespace lc::kv
