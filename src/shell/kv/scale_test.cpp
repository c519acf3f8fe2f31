// Figures: ten thousand states; saving and putting together. Printed, with generous limits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <iostream>

#include "shell/kv/hash_file.hpp"
#include "shell/kv/slot_copy.hpp"
#include "shell/kv/store_testing.hpp"
#include "shell/kv/testing.hpp"

namespace lc::kv {
namespace {

using namespace lc::kv::testing;

struct Timer {
    std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
    [[nodiscard]] double ms() const {
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    }
};

/// A project's sessions: a common prefix of 512 tokens, 24 messages, 200 to 700 tokens of their own.
Prompt session_prompt(std::uint32_t i) {
    auto prompt = test_prompt(512, "session " + std::to_string(i));
    const auto own = test_tokens(200 + i % 500, 1000 + i);
    prompt.tokens.insert(prompt.tokens.end(), own.begin(), own.end());
    return prompt;
}

std::vector<Digest> many_keys(std::uint32_t i) {
    std::vector<Digest> out;
    for (int k = 0; k < 24; ++k)
        out.push_back(sha256("key " + std::to_string(k < 2 ? k : static_cast<int>(i) * 100 + k)));
    return out;
}

// Sanitizers and builds without optimisation take ten times as long for the same paths.
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr std::uint32_t n_states = 10'000;
#else
constexpr std::uint32_t n_states = 1'000;
#endif

TEST(Scale, ManyStates) {
    constexpr std::uint32_t n = n_states;
    MemDisk disk;  // rows are not the point here: the index is, and it is on the real disk
    disk.dirs = disk.durable_dirs = {"/disk"};
    TempDir temp;
    StoreOptions options;
    options.dir = "/disk/kv";
    options.db_path = temp.path + "/kv.db";
    options.files = mem_files(disk);
    options.files.sync = options.files.sync_dir = [](const std::string&) -> FileResult<void> { return {}; };
    options.max_bytes = 1ull << 40;
    auto store = open_store(options).value();
    const std::vector<LayerRows> layers = test_layers(1, 1);
    Timer saving;
    for (std::uint32_t i = 0; i < n; ++i) {
        const auto prompt = session_prompt(i);
        const SaveId id = begin_save(*store);
        std::vector<BlobId> wanted;
        for (const Digest& name : chunk_names(prompt.scope, prompt.tokens)) wanted.push_back({BlobKind::chunk, name});
        const auto absent = missing(*store, id, wanted).value();
        Digest parent{};
        for (std::size_t c = 0; c < wanted.size(); ++c) {
            if (std::find(absent.begin(), absent.end(), wanted[c]) != absent.end()) {
                const auto at = static_cast<std::ptrdiff_t>(c * chunk_tokens);
                const auto end =
                    std::min<std::ptrdiff_t>(at + chunk_tokens, static_cast<std::ptrdiff_t>(prompt.tokens.size()));
                const Chunk chunk{prompt.scope, parent,
                                  {},           static_cast<std::uint32_t>(at),
                                  layers,       {prompt.tokens.begin() + at, prompt.tokens.begin() + end}};
                ASSERT_TRUE(put(*store, id, BlobKind::chunk, chunk_file(chunk)));
            }
            parent = wanted[c].name;
        }
        Manifest m = prompt.manifest();
        m.keys.clear();
        const auto keys = many_keys(i);
        for (std::uint32_t k = 0; k < keys.size(); ++k) m.keys.push_back({keys[k], 100 + k * 10});
        ASSERT_TRUE(commit_save(*store, id, m));
    }
    std::cout << n << " states saved in " << saving.ms() << " ms (" << saving.ms() / n << " ms each), "
              << stats(*store)->chunks << " chunks, kv.db " << (std::filesystem::file_size(options.db_path) >> 10)
              << " kB\n";
    Timer hits;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        ASSERT_EQ(lookup(*store, test_scope(), sha256("template"), many_keys(i * 10 % n)).value()->key_index, 23u);
    }
    std::cout << "lookup, last of 24 keys known: " << hits.ms() << " us\n";
    Timer misses;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        ASSERT_EQ(lookup(*store, test_scope(), sha256("template"), many_keys(n + i)).value()->key_index, 1u);
    }
    std::cout << "lookup, only the prefix known: " << misses.ms() << " us\n";
    Timer listing;
    EXPECT_EQ(sessions(*store)->size(), n);
    std::cout << "sessions: " << listing.ms() << " ms\n";
    Timer evicting;
    set_budget(*store, stats(*store)->bytes * 9 / 10);
    gc(*store).value();
    std::cout << "evicting " << stats(*store)->evicted_states << " states: " << evicting.ms() << " ms\n";
    const auto left = stats(*store)->states;
    store.reset();
    Timer opening;
    store = open_store(options).value();
    std::cout << "opening: " << opening.ms() << " ms\n";
    EXPECT_EQ(stats(*store)->states, left);
    store.reset();
    for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(options.db_path + part);
    Timer rebuilding;
    store = open_store(options).value();
    std::cout << "opening without index: " << rebuilding.ms() << " ms\n";
    EXPECT_EQ(stats(*store)->states, left);
    EXPECT_EQ(verify(*store)->bad, 0u);
}

/// The size of SmolLM2: 30 layers, 23 kB a token.
TEST(Scale, SlotFileFromChunks) {
    Bench bench;
    auto store = bench.open();
    const auto layers = test_layers(30, 384);
    auto prompt = test_prompt(2000);
    const auto files = chunk_files(prompt.scope, prompt.tokens, layers, page);
    const SaveId id = begin_save(*store);
    std::uint64_t bytes = 0;
    Timer saving;
    for (const auto& file : files) {
        ASSERT_TRUE(put(*store, id, BlobKind::chunk, file));
        bytes += file.size();
    }
    const Digest name = commit_save(*store, id, prompt.manifest()).value();
    std::cout << (bytes >> 20) << " MB saved (not synced) in " << saving.ms() << " ms\n";
    const auto state = pin_state(*store, name, prompt.scope).value();
    const std::string path = bench.temp.path + "/slot.bin";
    for (int round = 0; round < 2; ++round) {
        Timer assembling;
        const auto written = write_slot_file(*store, state, 1999, {2}, path);
        ASSERT_TRUE(written) << written.error().detail;
        std::cout << "slot file of " << (*written >> 20) << " MB, verified and written, in " << assembling.ms()
                  << " ms\n";
        EXPECT_EQ(std::filesystem::file_size(path), *written);
    }
    // And back: the same tokens, cut again, are the same chunks.
    Bench other;
    auto second = other.open();
    auto again = prompt;
    again.tokens.resize(1999);
    const auto kept = save_slot_file(*second, {path}, again.manifest());
    ASSERT_TRUE(kept) << kept.error().detail;
    EXPECT_EQ(get_blob(*second, {BlobKind::chunk, state.manifest.chunks[0]}).value(), files[0]);
    EXPECT_EQ(verify(*second)->bad, 0u);
    auto wrong = again;
    wrong.tokens[5] ^= 1;
    EXPECT_EQ(save_slot_file(*second, {path}, wrong.manifest()).error().code, Errc::bad_request);
    // A flipped row is found while it is copied.
    flip(state.chunk_paths[1], std::filesystem::file_size(state.chunk_paths[1]) / 2);
    EXPECT_EQ(write_slot_file(*store, state, 1999, {2}, path).error().code, Errc::not_found);
    EXPECT_EQ(stats(*store)->quarantined, 1u);
    EXPECT_FALSE(lookup(*store, prompt.scope, prompt.rendering, prompt.keys()).value());
}

TEST(HashFile, ReadsOnceAndNoticesChanges) {
    TempDir temp;
    const std::string path = temp.path + "/model.gguf";
    std::ofstream(path) << "weights";
    const timespec old[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), old, 0), 0);
    ModelHashes hashes;
    EXPECT_EQ(hash_file(path, hashes).value(), sha256("weights"));
    EXPECT_TRUE(hashes.known.empty()) << "its ctime is a moment ago";
    const FileStamp stamp = stamp_of(path).value();
    hashes = remember(hashes, stamp, sha256("remembered"), stamp.ctime_ns + 3'000'000'000);
    EXPECT_EQ(hash_file(path, hashes).value(), sha256("remembered")) << "not read again";
    ASSERT_TRUE(store_model_hashes(temp.path + "/models.txt", hashes));
    EXPECT_EQ(load_model_hashes(temp.path + "/models.txt"), hashes);
    EXPECT_TRUE(load_model_hashes(temp.path + "/none").known.empty());
    std::ofstream(path) << "other weights";
    EXPECT_EQ(hash_file(path, hashes).value(), sha256("other weights"));
    EXPECT_EQ(hash_file(temp.path + "/none", hashes).error().code, Errc::not_found);
}

}  // namespace
}  // namespace lc::kv
