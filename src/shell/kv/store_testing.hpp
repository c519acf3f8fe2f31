// For tests of the store: prompts with keys, and a store in a temporary folder.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "core/kv/testing.hpp"
#include "shell/kv/store.hpp"

namespace lc::kv::testing {

struct Prompt {
    Scope scope = test_scope();
    Digest rendering = sha256("template");
    std::string session = "ses";
    std::vector<Token> tokens;
    std::uint32_t head_tokens = 0;
    bool snapshot = false;

    [[nodiscard]] std::vector<Digest> keys() const {
        std::vector<Digest> out{sha256("head")};
        for (const std::uint32_t n : message_ends()) out.push_back(sha256("message " + std::to_string(n)));
        return out;
    }
    [[nodiscard]] std::vector<std::uint32_t> message_ends() const {
        return {static_cast<std::uint32_t>(tokens.size() + head_tokens) / 2, static_cast<std::uint32_t>(tokens.size())};
    }
    [[nodiscard]] Snapshot snapshot_of() const {
        return {scope, prefix_name(scope, tokens), static_cast<std::uint32_t>(tokens.size()), {{"recurrent"}}};
    }
    [[nodiscard]] Manifest manifest() const {
        Manifest m;
        m.scope = scope;
        m.rendering = rendering;
        m.saved_ms = 1'700'000'000'000;
        m.session = session;
        m.model = "coder";
        m.tokens = tokens;
        const auto names = keys();
        m.keys = {{names[0], head_tokens, KeyKind::head}};
        for (std::size_t i = 0; i < 2; ++i) m.keys.push_back({names[i + 1], message_ends()[i]});
        if (snapshot) m.snapshots = {{snapshot_name(snapshot_of()), m.keys.back().n_tokens, snapshot_bytes().size()}};
        return m;
    }
    [[nodiscard]] std::string snapshot_bytes() const {
        const std::string sections[] = {std::string(3000, 'r')};
        return snapshot_file(snapshot_of(), sections);
    }
};

/// Prompts of any length begin alike.
inline Prompt test_prompt(std::size_t n, std::string session = "ses") {
    Prompt out;
    out.session = std::move(session);
    out.tokens = test_tokens(n);
    out.head_tokens = static_cast<std::uint32_t>(n / 4 + 1);
    return out;
}

inline Result<BlobId> put(Store& store, SaveId id, BlobKind kind, std::string_view file) {
    const auto head = parse_head(file, file.size(), kind);
    if (!head) return tl::unexpected(head.error());
    const std::string_view pieces[] = {file.substr(0, head->header_bytes), file.substr(head->header_bytes)};
    return put_blob(store, id, kind, pieces);
}

/// As a saver does it: asks what is missing, puts that, commits.
inline Result<Digest> save(Store& store, const Prompt& prompt) {
    const SaveId id = begin_save(store);
    std::vector<BlobId> wanted;
    for (const Digest& name : chunk_names(prompt.scope, prompt.tokens)) wanted.push_back({BlobKind::chunk, name});
    const auto absent = missing(store, id, wanted);
    const auto failed = [&](const Error& error) -> Result<Digest> {
        abandon_save(store, id);
        return tl::unexpected(error);
    };
    if (!absent) return failed(absent.error());
    const auto files = chunk_files(prompt.scope, prompt.tokens);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (std::find(absent->begin(), absent->end(), wanted[i]) == absent->end()) continue;
        if (auto done = put(store, id, BlobKind::chunk, files[i]); !done) return failed(done.error());
    }
    if (prompt.snapshot) {
        if (auto done = put(store, id, BlobKind::snapshot, prompt.snapshot_bytes()); !done) return failed(done.error());
    }
    return commit_save(store, id, prompt.manifest());
}

/// A folder of its own, removed at the end.
struct TempDir {
    std::string path;
    TempDir() {
        static std::atomic<int> next{0};
        path = (std::filesystem::temp_directory_path() /
                ("localcode-kv-" + std::to_string(::getpid()) + "-" + std::to_string(next++)))
                   .string();
        std::filesystem::remove_all(path);
        std::filesystem::create_directories(path);
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
};

struct Bench {
    TempDir temp;
    StoreOptions options;
    std::vector<std::string> log;

    Bench() {
        options.dir = temp.path + "/kv";
        options.max_bytes = 1u << 30;
        // What syncing is for is tested by crashes (crash_test.cpp); here it would only take minutes.
        options.files.sync = options.files.sync_dir = [](const std::string&) -> FileResult<void> { return {}; };
        options.report = [this](std::string_view line) { log.emplace_back(line); };
    }
    [[nodiscard]] std::string dir() const { return options.dir; }
    StorePtr open() {
        auto store = open_store(options);
        if (!store) throw std::runtime_error("open_store: " + store.error().detail);
        return std::move(*store);
    }
};

inline std::vector<std::string> files_below(const std::string& dir) {
    std::vector<std::string> out;
    if (!std::filesystem::exists(dir)) return out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
        if (entry.is_regular_file()) out.push_back(entry.path().string());
    }
    std::sort(out.begin(), out.end());
    return out;
}

inline std::uint64_t bytes_below(const std::string& dir) {
    std::uint64_t sum = 0;
    for (const auto& path : files_below(dir)) sum += std::filesystem::file_size(path);
    return sum;
}

inline std::string slurp(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

inline void flip(const std::string& path, std::uint64_t at) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
}

inline std::set<Digest> find_names(Store& store) {
    std::set<Digest> out;
    const auto names = state_names(store).value();
    out.insert(names.begin(), names.end());
    return out;
}

}  // namespace lc::kv::testing
