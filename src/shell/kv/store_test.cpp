#include "shell/kv/store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/kv/testing.hpp"
#include "shell/kv/store_testing.hpp"
#include "shell/kv/testing.hpp"

namespace lc::kv {
namespace {

using namespace lc::kv::testing;
namespace fs = std::filesystem;

TEST(Store, SavesFindsAndGivesBack) {
    Bench bench;
    auto store = bench.open();
    const auto prompt = test_prompt(600);
    const Digest name = save(*store, prompt).value();
    const auto keys = prompt.keys();
    const auto found = lookup(*store, prompt.scope, prompt.rendering, keys).value();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->manifest, name);
    EXPECT_EQ(found->key_index, keys.size() - 1);
    EXPECT_EQ(found->n_tokens, 600u);
    const auto shorter = lookup(*store, prompt.scope, prompt.rendering, std::span(keys).first(1)).value();
    EXPECT_EQ(shorter->n_tokens, prompt.head_tokens);
    const auto state = pin_state(*store, name, prompt.scope).value();
    EXPECT_EQ(state.manifest.manifest.tokens, prompt.tokens);
    ASSERT_EQ(state.chunk_paths.size(), 3u);
    const auto files = chunk_files(prompt.scope, prompt.tokens);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(get_blob(*store, {BlobKind::chunk, state.manifest.chunks[i]}).value(), files[i]);
        EXPECT_EQ(slurp(state.chunk_paths[i]), files[i]);
    }
    unpin_state(*store, name);
    const auto figures = stats(*store).value();
    EXPECT_EQ(figures.states, 1u);
    EXPECT_EQ(figures.chunks, 3u);
    EXPECT_EQ(figures.hits, 2u);
    EXPECT_EQ(verify(*store).value().bad, 0u);
    // The same again writes nothing.
    const auto before = stats(*store)->bytes_written;
    EXPECT_EQ(save(*store, prompt).value(), name);
    EXPECT_EQ(stats(*store)->bytes_written, before);
}

TEST(Store, StaysAfterReopening) {
    Bench bench;
    const auto prompt = test_prompt(600);
    const Digest name = save(*bench.open(), prompt).value();
    auto store = bench.open();
    EXPECT_EQ(lookup(*store, prompt.scope, prompt.rendering, prompt.keys()).value()->manifest, name);
    EXPECT_EQ(verify(*store)->blobs, 4u);
    EXPECT_TRUE(bench.log.empty()) << bench.log.front();
}

TEST(Store, OnlyTheOwnerMayLook) {
    Bench bench;
    save(*bench.open(), test_prompt(300)).value();
    for (const auto& entry : fs::recursive_directory_iterator(bench.dir())) {
        struct stat info {};
        ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 077, 0u) << entry.path();
    }
}

TEST(Store, SessionsShareTheirPrefix) {
    Bench bench;
    auto store = bench.open();
    auto first = test_prompt(512, "a"), second = test_prompt(512, "b");
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < 100; ++i) {
        auto prompt = test_prompt(512, "session " + std::to_string(i));
        const auto own = test_tokens(100, 1000 + i);
        prompt.tokens.insert(prompt.tokens.end(), own.begin(), own.end());
        save(*store, prompt).value();
        total += 100 * bytes_per_token(test_layers());
    }
    const auto figures = stats(*store).value();
    EXPECT_EQ(figures.chunks, 2u + 100u);
    const auto all = sessions(*store).value();
    ASSERT_EQ(all.size(), 100u);
    const auto one_chunk = chunk_files(first.scope, first.tokens)[0].size();
    EXPECT_EQ(all[0].shared_bytes, 2 * one_chunk);
    EXPECT_GT(all[0].bytes, all[0].shared_bytes);
    EXPECT_EQ(all[0].id, "session 99") << "last used first";
}

TEST(Store, ALaterSaveReplacesTheEarlierOne) {
    Bench bench;
    auto store = bench.open();
    auto prompt = test_prompt(300);
    const Digest before = save(*store, prompt).value();
    prompt = test_prompt(700);
    const Digest after = save(*store, prompt).value();
    const auto figures = stats(*store).value();
    EXPECT_EQ(figures.states, 1u);
    EXPECT_EQ(figures.chunks, 3u) << "the old tail is gone";
    EXPECT_FALSE(pin_state(*store, before, prompt.scope));
    // Another prompt of the same session (a title) does not displace it.
    auto title = test_prompt(80);
    title.tokens = test_tokens(80, 77);
    save(*store, title).value();
    EXPECT_EQ(stats(*store)->states, 2u);
    EXPECT_TRUE(pin_state(*store, after, prompt.scope));
    // What is pinned is not replaced.
    save(*store, test_prompt(800)).value();
    EXPECT_TRUE(find_names(*store).count(after));
    unpin_state(*store, after);
}

TEST(Store, NamespacesAndIdentitiesNeverMeet) {
    Bench bench;
    auto store = bench.open();
    const auto mine = test_prompt(600);
    const Digest name = save(*store, mine).value();
    const Scope others[] = {test_scope("tenant"), test_scope("", "other model")};
    for (const Scope& scope : others) {
        EXPECT_FALSE(lookup(*store, scope, mine.rendering, mine.keys()).value());
        EXPECT_EQ(pin_state(*store, name, scope).error().code, Errc::not_found);
        const SaveId id = begin_save(*store);
        std::vector<BlobId> blobs;
        for (const Digest& chunk : chunk_names(scope, mine.tokens)) blobs.push_back({BlobKind::chunk, chunk});
        EXPECT_EQ(missing(*store, id, blobs)->size(), blobs.size());
        abandon_save(*store, id);
    }
    EXPECT_FALSE(lookup(*store, mine.scope, sha256("other template"), mine.keys()).value());
    auto theirs = mine;
    theirs.scope = others[0];
    EXPECT_NE(save(*store, theirs).value(), name);
    EXPECT_EQ(stats(*store)->states, 2u) << "the same session id of another tenant is another session";
    EXPECT_EQ(sessions(*store)->size(), 2u);
    EXPECT_EQ(stats(*store)->chunks, 6u);
}

TEST(Store, ObeysItsBudget) {
    Bench bench;
    bench.options.max_bytes = 200'000;
    auto store = bench.open();
    for (std::uint32_t i = 0; i < 200; ++i) {
        auto prompt = test_prompt(300, "s" + std::to_string(i));
        prompt.tokens = test_tokens(300, i + 1);
        ASSERT_TRUE(save(*store, prompt)) << i;
        EXPECT_LE(stats(*store)->bytes, 200'000u);
    }
    const auto figures = stats(*store).value();
    EXPECT_GT(figures.states, 5u);
    EXPECT_LT(figures.states, 30u);
    EXPECT_GT(figures.evicted_states, 150u);
    EXPECT_EQ(verify(*store)->bad, 0u);
    EXPECT_EQ(bytes_below(bench.dir() + "/chunks") + bytes_below(bench.dir() + "/manifests"), figures.bytes);
    // The last ones are the ones that are left.
    EXPECT_EQ(sessions(*store)->front().id, "s199");
    set_budget(*store, 50'000);
    gc(*store).value();
    EXPECT_LE(stats(*store)->bytes, 50'000u);
}

TEST(Store, WhatIsPinnedIsNotEvicted) {
    Bench bench;
    bench.options.max_bytes = 60'000;
    auto store = bench.open();
    const auto first = test_prompt(300, "first");
    const Digest name = save(*store, first).value();
    const auto state = pin_state(*store, name, first.scope).value();
    for (std::uint32_t i = 0; i < 20; ++i) {
        auto prompt = test_prompt(300, "s" + std::to_string(i));
        prompt.tokens = test_tokens(300, i + 100);
        ASSERT_TRUE(save(*store, prompt));
    }
    for (const auto& path : state.chunk_paths) EXPECT_TRUE(fs::exists(path));
    // Too large for what is left: an error, and nothing is lost.
    auto huge = test_prompt(2500, "huge");
    huge.tokens = test_tokens(2500, 5);
    EXPECT_EQ(save(*store, huge).error().code, Errc::overloaded);
    EXPECT_TRUE(fs::exists(state.chunk_paths[0]));
    EXPECT_LE(stats(*store)->bytes, 60'000u);
    unpin_state(*store, name);
    EXPECT_EQ(verify(*store)->bad, 0u);
}

TEST(Store, FlippedBytesAreFoundAndNeverUsed) {
    const auto prompt = test_prompt(600);
    for (const char* part : {"chunks", "manifests", "snapshots"}) {
        SCOPED_TRACE(part);
        Bench bench;
        auto store = bench.open();
        auto with_snapshot = prompt;
        with_snapshot.snapshot = true;
        const Digest name = save(*store, with_snapshot).value();
        const std::string path = files_below(bench.dir() + "/" + part).front();
        flip(path, fs::file_size(path) - 3);
        const auto report = verify(*store).value();
        EXPECT_EQ(report.bad, 1u);
        EXPECT_FALSE(lookup(*store, prompt.scope, prompt.rendering, prompt.keys()).value());
        EXPECT_FALSE(pin_state(*store, name, prompt.scope));
        EXPECT_EQ(stats(*store)->quarantined, 1u);
        EXPECT_EQ(stats(*store)->quarantine_files, 1u);
        EXPECT_EQ(verify(*store)->bad, 0u);
        // It can be saved again, and then it is whole.
        ASSERT_TRUE(save(*store, with_snapshot));
        EXPECT_EQ(verify(*store)->bad, 0u);
        EXPECT_TRUE(lookup(*store, prompt.scope, prompt.rendering, prompt.keys()).value());
        gc(*store).value();
        EXPECT_EQ(stats(*store)->quarantine_files, 0u);
    }
}

TEST(Store, AnyFlippedByteOfAnyFileIsAMissOrHarmless) {
    const auto prompt = test_prompt(3);
    Bench bench;
    auto store = bench.open();
    const Digest name = save(*store, prompt).value();
    const auto state = pin_state(*store, name, prompt.scope).value();
    unpin_state(*store, name);
    const std::string chunk = state.chunk_paths[0];
    const std::string good = slurp(chunk);
    for (std::size_t at = 0; at < good.size(); ++at) {
        flip(chunk, at);
        const auto file = get_blob(*store, {BlobKind::chunk, state.manifest.chunks[0]});
        EXPECT_FALSE(file) << at;
        ASSERT_TRUE(save(*store, prompt));
    }
    EXPECT_EQ(get_blob(*store, {BlobKind::chunk, state.manifest.chunks[0]}).value(), good);
    EXPECT_LE(stats(*store)->quarantine_files, 16u);
}

TEST(Store, TornFilesAreDroppedAtTheNextStart) {
    Bench bench;
    const auto prompt = test_prompt(600);
    save(*bench.open(), prompt).value();
    const auto chunk = files_below(bench.dir() + "/chunks").front();
    fs::resize_file(chunk, 100);
    auto store = bench.open();
    EXPECT_FALSE(lookup(*store, prompt.scope, prompt.rendering, prompt.keys()).value());
    EXPECT_EQ(stats(*store)->bytes, 0u);
    EXPECT_TRUE(files_below(bench.dir() + "/chunks").empty());
    EXPECT_FALSE(bench.log.empty());
    EXPECT_TRUE(save(*store, prompt));
}

TEST(Store, ALostIndexIsRebuilt) {
    const struct {
        const char* name;
        void (*spoil)(const std::string& db);
    } cases[] = {
        {"gone", [](const std::string& db) { fs::remove(db); }},
        {"garbage", [](const std::string& db) { std::ofstream(db) << std::string(10'000, 'x'); }},
        {"newer",
         [](const std::string& db) {
             sqlite3* raw = nullptr;
             sqlite3_open(db.c_str(), &raw);
             sqlite3_exec(raw, "PRAGMA user_version = 99", nullptr, nullptr, nullptr);
             sqlite3_close(raw);
         }},
        {"empty", [](const std::string& db) { fs::resize_file(db, 0); }},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Bench bench;
        std::vector<SessionInfo> before;
        {
            auto store = bench.open();
            for (const char* session : {"a", "b"}) {
                auto prompt = test_prompt(600, session);
                prompt.snapshot = true;
                prompt.tokens.push_back(session[0]);
                save(*store, prompt).value();
            }
            before = sessions(*store).value();
        }
        c.spoil(bench.dir() + "/kv.db");
        auto store = bench.open();
        const auto prompt = test_prompt(600);
        EXPECT_TRUE(lookup(*store, prompt.scope, prompt.rendering, prompt.keys()).value());
        auto after = sessions(*store).value();
        ASSERT_EQ(after.size(), 2u);
        for (auto* list : {&before, &after}) {
            std::sort(list->begin(), list->end(), [](auto& a, auto& b) { return a.id > b.id; });
        }
        for (std::size_t i = 0; i < 2; ++i) {
            EXPECT_EQ(after[i].id, before[i].id);
            EXPECT_EQ(after[i].bytes, before[i].bytes);
            EXPECT_EQ(after[i].shared_bytes, before[i].shared_bytes);
        }
        EXPECT_EQ(verify(*store)->bad, 0u);
    }
}

TEST(Store, ClockGoingBackwards) {
    Bench bench;
    std::int64_t now = 2'000'000'000'000;
    bench.options.now_ms = [&] { return now; };
    auto store = bench.open();
    const auto old = save(*store, test_prompt(300, "old")).value();
    now = 1'000'000'000'000;
    auto prompt = test_prompt(300, "new");
    prompt.tokens = test_tokens(300, 9);
    const auto fresh = save(*store, prompt).value();
    set_budget(*store, stats(*store)->bytes - 1);
    gc(*store).value();
    EXPECT_FALSE(find_names(*store).count(old)) << "the order of use decides, not the clock";
    EXPECT_TRUE(find_names(*store).count(fresh));
}

TEST(Store, EnginesWriteTheirOwnFiles) {
    Bench bench;
    auto store = bench.open();
    const auto prompt = test_prompt(300);
    const auto files = chunk_files(prompt.scope, prompt.tokens);
    const SaveId id = begin_save(*store);
    const auto write = [&](const std::string& bytes) {
        const std::string path = staging_path(*store);
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    };
    EXPECT_EQ(adopt_blob(*store, id, BlobKind::chunk, write(files[1])).error().code, Errc::not_found)
        << "no parent yet";
    ASSERT_TRUE(adopt_blob(*store, id, BlobKind::chunk, write(files[0])));
    ASSERT_TRUE(adopt_blob(*store, id, BlobKind::chunk, write(files[1])));
    ASSERT_TRUE(adopt_blob(*store, id, BlobKind::chunk, write(files[1]))) << "there already";
    EXPECT_EQ(adopt_blob(*store, id, BlobKind::chunk, write("garbage")).error().code, Errc::bad_request);
    EXPECT_EQ(adopt_blob(*store, id, BlobKind::chunk, write(files[0].substr(0, 500))).error().code, Errc::bad_request);
    EXPECT_EQ(adopt_blob(*store, id, BlobKind::chunk, bench.dir() + "/tmp/none").error().code, Errc::not_found);
    ASSERT_TRUE(commit_save(*store, id, prompt.manifest()));
    EXPECT_TRUE(files_below(bench.dir() + "/tmp").empty());
    EXPECT_EQ(verify(*store)->bad, 0u);
}

TEST(Store, AbandonedSavesLeaveNothing) {
    Bench bench;
    auto store = bench.open();
    const auto prompt = test_prompt(600);
    const SaveId id = begin_save(*store);
    for (const auto& file : chunk_files(prompt.scope, prompt.tokens))
        ASSERT_TRUE(put(*store, id, BlobKind::chunk, file));
    abandon_save(*store, id);
    EXPECT_EQ(stats(*store)->bytes, 0u);
    EXPECT_TRUE(files_below(bench.dir() + "/chunks").empty());
    const SaveId other = begin_save(*store);
    EXPECT_EQ(commit_save(*store, other, prompt.manifest()).error().code, Errc::not_found) << "chunks were never put";
    EXPECT_EQ(commit_save(*store, other, prompt.manifest()).error().code, Errc::internal) << "that save has ended";
}

TEST(Store, ExportAndImport) {
    Bench from, to;
    auto source = from.open();
    for (const char* session : {"a", "b", "c"}) {
        auto prompt = test_prompt(600, session);
        prompt.snapshot = true;
        prompt.tokens.push_back(session[0]);
        save(*source, prompt).value();
    }
    const std::string dir = from.dir() + "-export";
    EXPECT_EQ(export_to(*source, dir).value(), 3u);
    EXPECT_EQ(export_to(*source, dir).value(), 3u) << "again: nothing to copy";
    auto target = to.open();
    EXPECT_EQ(import_from(*target, dir).value(), 3u);
    EXPECT_EQ(import_from(*target, dir).value(), 3u);
    EXPECT_EQ(stats(*target)->bytes, stats(*source)->bytes);
    EXPECT_EQ(find_names(*target), find_names(*source));
    EXPECT_EQ(verify(*target)->bad, 0u);
    // A damaged export: the states that need the damaged file are left out, and nothing of them stays.
    Bench third;
    auto careful = third.open();
    for (const auto& path : files_below(dir + "/chunks")) flip(path, fs::file_size(path) - 1);
    EXPECT_EQ(import_from(*careful, dir).value(), 0u);
    EXPECT_EQ(stats(*careful)->bytes, 0u);
    fs::remove_all(dir);
}

TEST(Store, GcAndClear) {
    Bench bench;
    auto store = bench.open();
    const auto name = save(*store, test_prompt(600, "a")).value();
    auto other = test_prompt(300, "b");
    other.tokens = test_tokens(300, 5);
    save(*store, other).value();
    EXPECT_EQ(gc(*store).value(), 0u);
    ASSERT_TRUE(pin_state(*store, name, test_scope()));
    EXPECT_GT(clear(*store).value(), 0u);
    EXPECT_EQ(find_names(*store), std::set<Digest>{name});
    unpin_state(*store, name);
    clear(*store).value();
    EXPECT_EQ(stats(*store)->bytes, 0u);
    EXPECT_TRUE(files_below(bench.dir() + "/chunks").empty());
}

TEST(Store, DefaultBudget) {
    EXPECT_EQ(default_budget(10'000'000'000), 2'000'000'000u);
    EXPECT_EQ(default_budget(1'000'000'000'000), 50'000'000'000u);
    EXPECT_EQ(default_budget(0), 0u);
}

}  // namespace
}  // namespace lc::kv
