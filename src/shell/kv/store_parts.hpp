// Inside of the store: its state, and what its parts share.
#pragma once

#include <map>
#include <set>
#include <unordered_map>

#include "shell/kv/index.hpp"
#include "shell/kv/store.hpp"

namespace lc::kv {

struct OpenSave {
    std::set<std::int64_t> blobs;  ///< kept from eviction
    std::set<std::string> dirs;    ///< with names that are not durable yet
};

class Store {
  public:
    StoreOptions options;
    Folder folder;
    Index index;
    std::uint64_t bytes = 0;  ///< of everything in the index
    SaveId next_save = 1;
    std::map<SaveId, OpenSave> saves;
    std::map<Digest, int> pins;  ///< manifests
    StoreStats counted;          ///< the counters since open
    std::unique_ptr<policy::Keeper> keeper;  ///< null: plain LRU
    std::map<Digest, std::uint64_t> leaves;  ///< of each manifest that the keeper knows: the chunk it is judged by
    std::map<std::string, double, std::less<>> ms_per_token;  ///< of prefill, by model, as last measured
    policy::Writes writes;
    int noted = 0;  ///< since what was learned was saved

    [[nodiscard]] std::int64_t now() const;
    void report(std::string_view line) const {
        if (options.report) options.report(line);
    }
};

/// The index as eviction wants it, and back.
struct Inventory {
    std::vector<BlobRow> blobs;
    std::vector<StateRow> states;
    std::vector<EvictBlob> evict_blobs;
    std::vector<EvictState> evict_states;
    std::vector<std::uint32_t> refs;

    [[nodiscard]] EvictInput input(std::uint64_t bytes_to_free) const {
        return {evict_blobs, evict_states, refs, bytes_to_free};
    }
};
/// With saves and pins marked. Rows that refer to rows that are not there do not occur: open_store sees to it.
[[nodiscard]] Result<Inventory> inventory(Store& store);

/// Rows in one transaction, then files. Files that cannot be removed are removed when the store is opened again.
[[nodiscard]] Result<void> carry_out(Store& store, const Inventory& all, const EvictPlan& plan);

/// Evicts until `wanted` bytes fit into the budget. Errors: overloaded when the rest is in use.
[[nodiscard]] Result<void> make_room(Store& store, std::uint64_t wanted);

/// Removes states and what only they needed.
[[nodiscard]] Result<void> drop_states(Store& store, std::span<const std::int64_t> ids);

/// Runs a write; when the disk is full, evicts as much as it needs and runs it once more.
[[nodiscard]] Result<void> write_with_room(Store& store, std::uint64_t bytes,
                                           const std::function<FileResult<void>()>& write);

/// Makes files and index agree (open_store).
[[nodiscard]] Result<void> reconcile(Store& store);

/// Ids of the blobs that a manifest refers to: its last chunk and its snapshots. Errors: not_found.
[[nodiscard]] Result<std::vector<std::int64_t>> refs_of(Store& store, const ParsedManifest& manifest);

/// commit_save of a manifest that is encoded already.
[[nodiscard]] Result<Digest> commit_file(Store& store, SaveId save, const ParsedManifest& manifest,
                                         std::string_view file);

// judge.cpp: what the policy is told and asked.
/// Loads what was learned and recalls what is stored.
[[nodiscard]] Result<void> open_keeper(Store& store);
/// A request used this state.
void note_use(Store& store, const ParsedManifest& manifest, const Use& use);
/// States of least worth get the lowest `last_use`, so that evict_lru takes them first.
void rank_states(Store& store, Inventory& all);
void count_written(Store& store, std::uint64_t bytes);
void save_learned_now(Store& store);

[[nodiscard]] std::string short_name(const BlobId& id);  ///< for log lines

}  // namespace lc::kv
