// The KV store: states on disk, found by message keys, bounded in bytes, safe against crashes and damage.
//
// Layout: kv/{chunks,snapshots,manifests}/ (docs/formats), kv/kv.db (the index, written last, rebuilt when lost),
// kv/tmp/, kv/quarantine/. A state is there when its manifest is: chunks and snapshots are written and synced before
// it, and deleted after it. What a crash leaves half done is removed when the store is opened.
//
// Threads: all calls block; make them from one thread at a time (one worker). Paths that it gives out may be read by
// anybody while the state is pinned: blobs never change.
// A store whose folder refuses to be written to goes on serving what it has; saves fail with an error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/kv/evict.hpp"
#include "core/kv/manifest.hpp"
#include "core/policy/keeper.hpp"
#include "shell/kv/blobs.hpp"
#include "shell/kv/files.hpp"

namespace lc::kv {

struct StoreOptions {
    std::string dir;              ///< the kv folder
    std::string db_path;          ///< empty: dir/kv.db
    std::uint64_t max_bytes = 0;  ///< 0: default_budget of the free disk and what is stored already
    EvictFn evict = evict_lru;
    std::string policy;       ///< adaptive, lru, lru2, hazard: what is worth least; empty: the least recently used, nothing is learned
    std::string policy_path;  ///< policy.db; empty: what is learned is lost at the end
    std::uint64_t writes_per_day = 0;  ///< bytes; 0: no limit
    Files files = real_files();
    std::function<std::int64_t()> now_ms;               ///< shown to people, decides nothing; empty: the wall clock
    std::function<void(std::string_view line)> report;  ///< for the log: what was set aside, dropped, quarantined
    std::function<void(std::string_view line)> news;    ///< for the log: what is no trouble
};

class Store;
struct StoreDeleter {
    void operator()(Store* store) const;
};
using StorePtr = std::unique_ptr<Store, StoreDeleter>;

/// Opens or makes it, removes what a crash left, rebuilds a lost index, obeys the budget. Errors: overloaded (disk
/// full), internal (cannot be written); the gateway then works without.
[[nodiscard]] Result<StorePtr> open_store(StoreOptions options);

// Saving. A save keeps the blobs it names from being evicted until it is committed or abandoned.

using SaveId = std::uint64_t;
[[nodiscard]] SaveId begin_save(Store& store);

/// Which of these are not stored yet, in order. Those that are stay until the save ends.
[[nodiscard]] Result<std::vector<BlobId>> missing(Store& store, SaveId save, std::span<const BlobId> blobs);

/// Stores a chunk or snapshot given as pieces of its file (header first, as one piece). The header is checked, the rows
/// are not: the writer computed their checksums. A chunk's parent must be stored. Storing what is there does nothing.
/// Errors: bad_request, not_found (parent), overloaded (disk or budget full of what is in use), internal.
[[nodiscard]] Result<BlobId> put_blob(Store& store, SaveId save, BlobKind kind,
                                      std::span<const std::string_view> pieces);

/// A path in the store's folder for a file that an engine writes itself, then the call that takes it in (renamed;
/// removed when it is refused). Errors as put_blob.
[[nodiscard]] std::string staging_path(Store& store);
[[nodiscard]] Result<BlobId> adopt_blob(Store& store, SaveId save, BlobKind kind, const std::string& path);

/// What is known of the request that left a state, for judging who comes back to it.
struct Use {
    policy::Kind kind = policy::Kind::main;
    policy::Finish finish = policy::Finish::unknown;
    bool has_parent = false;
    std::uint32_t output = 0;    ///< tokens
    double ms_per_token = 0;     ///< of prefill, measured; 0: unknown
};

/// Whether a state may be written now, by the limit of writes a day. Counts refusals.
[[nodiscard]] bool may_save(Store& store, double prefill_ms, bool at_shutdown);

/// Asks the kernel to read the files of a session's newest state, so that they are in memory when its request comes.
/// Returns their bytes; 0: there is no such session.
std::uint64_t stage_session(Store& store, const Digest& name_space, std::string_view session);

/// Makes the state durable and visible; ends the save, also when it fails. Earlier states of the same session and scope
/// that the new one continues are replaced. Returns the manifest's name. Errors: bad_request, not_found (a chunk or
/// snapshot is not stored), overloaded, internal.
[[nodiscard]] Result<Digest> commit_save(Store& store, SaveId save, const Manifest& manifest, const Use& use = {});

/// What was put and no state needs is removed.
void abandon_save(Store& store, SaveId save);

// Using.

struct Found {
    Digest manifest{};
    std::uint32_t n_tokens = 0;  ///< of the prompt up to that message
    std::size_t key_index = 0;   ///< into `keys`
};
/// The last of `keys` (head first, then messages) that is known. Counts a hit or a miss.
[[nodiscard]] Result<std::optional<Found>> lookup(Store& store, const Scope& scope, const Digest& rendering,
                                                  std::span<const Digest> keys);

struct State {
    ParsedManifest manifest;
    std::vector<std::string> chunk_paths;     ///< in order
    std::vector<std::string> snapshot_paths;  ///< as manifest.snapshots
};
/// Reads the manifest, marks the state as used and pins it: unpin_state when its files have been read. A damaged one is
/// quarantined. Errors: not_found (gone, damaged, or of another scope), internal.
[[nodiscard]] Result<State> pin_state(Store& store, const Digest& manifest, const Scope& scope);
void unpin_state(Store& store, const Digest& manifest);

/// A whole chunk or snapshot, verified. A damaged one is quarantined with the states that need it. Errors: not_found,
/// internal.
[[nodiscard]] Result<std::string> get_blob(Store& store, const BlobId& id);

/// Who reads files itself (an engine) found this one to be bad.
void quarantine(Store& store, const BlobId& id, std::string_view why);

// Looking after it.

struct StoreStats {
    std::uint64_t states = 0, chunks = 0, snapshots = 0;
    std::uint64_t bytes = 0, max_bytes = 0;
    std::uint64_t hits = 0, misses = 0, saves = 0, bytes_written = 0, evicted_states = 0,
                  evicted_bytes = 0;     ///< since open
    std::uint64_t quarantined = 0;       ///< since open
    std::uint64_t quarantine_files = 0;  ///< kept to look at; at most 16
    std::string policy, policy_in_force, policy_why;  ///< as configured; the order followed now, and why
    std::uint64_t written_today = 0, writes_per_day = 0;
    std::uint64_t writes_refused = 0;  ///< since open
    std::uint64_t policy_bytes = 0;    ///< of memory, for the policy's metadata
};
[[nodiscard]] Result<StoreStats> stats(Store& store);

struct VerifyReport {
    std::uint64_t blobs = 0, bytes = 0, bad = 0;
};
/// Reads and checks everything; what is bad is quarantined. `go_on` is asked before each file.
[[nodiscard]] Result<VerifyReport> verify(Store& store, const std::function<bool()>& go_on = {});

/// Removes what no state needs and everything in quarantine, and evicts down to the budget. Returns the bytes freed.
[[nodiscard]] Result<std::uint64_t> gc(Store& store);

/// Removes all states that are not pinned, with their blobs. Returns the bytes freed.
[[nodiscard]] Result<std::uint64_t> clear(Store& store);

void set_budget(Store& store, std::uint64_t max_bytes);  ///< obeyed at the next save or gc

[[nodiscard]] Result<std::vector<Digest>> state_names(Store& store);  ///< all manifests, oldest first

struct SessionInfo {
    std::string id, model;
    Digest name_space{};
    std::uint64_t tokens = 0;        ///< of its longest state
    std::uint64_t bytes = 0;         ///< of all its states' blobs
    std::uint64_t shared_bytes = 0;  ///< of these, what other sessions need too
    std::int64_t last_used_ms = 0;
    std::uint64_t used = 0;  ///< grows with each use: tells the order where the clock does not
};
/// Last used first.
[[nodiscard]] Result<std::vector<SessionInfo>> sessions(Store& store);

/// Copies all states into `dir` (made; the same layout without index), or takes in those of such a folder. Blobs are
/// verified; states with bad or missing blobs are left out. Returns the number of states copied.
[[nodiscard]] Result<std::uint64_t> export_to(Store& store, const std::string& dir);
[[nodiscard]] Result<std::uint64_t> import_from(Store& store, const std::string& dir);

}  // namespace lc::kv
