// kv.db: what is stored, for looking up. Nothing in it is the only copy: it is rebuilt from the manifests when it is
// lost.
//
// SQLite in WAL mode, mode 0600, user_version 1:
//   blobs(id, name, kind, parent, bytes, used)    chunks and snapshots; parent: the chunk before, 0 for none
//   states(id, name, scope, session, model, tokens, bytes, saved_ms, used, used_ms)    manifests; scope: of session ids
//   refs(state, blob)      a state's last chunk and its snapshots; the other chunks are reached through `parent`
//   keys(scope, key, state, tokens)    key: the first 16 bytes of a message key; scope: namespace, identity, rendering
// `used` counts uses and orders them; it is no clock, so clocks that go backwards do not matter.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/kv/manifest.hpp"
#include "shell/kv/blobs.hpp"
#include "shell/store/sqlite.hpp"

namespace lc::kv {

struct Index {
    store::Db db;
    std::int64_t used = 0;                                              ///< the last value given out
    std::map<std::string, store::Statement, std::less<>> statements{};  ///< prepared once; gone before `db`
};

struct BlobRow {
    std::int64_t id = 0;
    BlobId blob;
    std::int64_t parent = 0;
    std::uint64_t bytes = 0;
    std::uint64_t used = 0;
};

struct StateRow {
    std::int64_t id = 0;
    Digest name{};
    Digest name_space{};
    std::string session, model;
    std::uint32_t n_tokens = 0;
    std::uint64_t bytes = 0;
    std::int64_t saved_ms = 0, used_ms = 0;
    std::uint64_t used = 0;
    std::vector<std::int64_t> refs;
};

/// The scope under which keys are looked up.
[[nodiscard]] Digest key_scope(const Scope& scope, const Digest& rendering);

/// Opens or makes the database. One that is damaged or of a newer version is renamed aside and `set_aside` says where
/// to; the caller rebuilds. Errors: internal.
struct OpenedIndex {
    Index index;
    std::string set_aside;  ///< empty: nothing was
};
[[nodiscard]] Result<OpenedIndex> open_index(const std::string& path);

/// Runs `work` in one transaction; rolled back when it fails.
template <class Fn>
[[nodiscard]] Result<void> transact(Index& index, Fn&& work) {
    if (auto begun = store::execute(index.db.get(), "BEGIN IMMEDIATE"); !begun) {
        return fail(Errc::internal, begun.error().text);
    }
    Result<void> done = work();
    const auto ended = store::execute(index.db.get(), done ? "COMMIT" : "ROLLBACK");
    if (done && !ended) {
        // A commit that failed may leave the transaction open (full disk).
        (void)store::execute(index.db.get(), "ROLLBACK");
        return fail(Errc::internal, ended.error().text);
    }
    return done;
}

[[nodiscard]] Result<std::optional<BlobRow>> find_blob(Index& index, const BlobId& id);
[[nodiscard]] Result<std::int64_t> add_blob(Index& index, const BlobId& id, std::int64_t parent, std::uint64_t bytes);
[[nodiscard]] Result<void> remove_blob(Index& index, std::int64_t id);

[[nodiscard]] Result<std::optional<StateRow>> find_state(Index& index, const Digest& name);
/// `refs`: ids of its last chunk and its snapshots.
[[nodiscard]] Result<std::int64_t> add_state(Index& index, const ParsedManifest& manifest, std::uint64_t bytes,
                                             std::span<const std::int64_t> refs, std::int64_t now_ms);
[[nodiscard]] Result<void> remove_state(Index& index, std::int64_t id);
/// Marks the state as used now; its blobs live as long as it does.
[[nodiscard]] Result<void> touch_state(Index& index, std::int64_t id, std::int64_t now_ms);

struct KeyHit {
    Digest manifest{};
    std::uint32_t n_tokens = 0;
};
/// Of several states with that key the one saved last (a project's prefix is in thousands: no sorting here).
[[nodiscard]] Result<std::optional<KeyHit>> find_key(Index& index, const Digest& scope, const Digest& key);

/// Ids of the states that need the blob, directly or through later chunks.
[[nodiscard]] Result<std::vector<std::int64_t>> states_needing(Index& index, std::int64_t blob);

[[nodiscard]] Result<std::vector<BlobRow>> all_blobs(Index& index);
[[nodiscard]] Result<std::vector<StateRow>> all_states(Index& index);
[[nodiscard]] Result<std::vector<StateRow>> states_of_session(Index& index, const Digest& scope,
                                                              std::string_view session);
/// The one used last, in any scope.
[[nodiscard]] Result<std::optional<StateRow>> newest_of_session(Index& index, const Digest& name_space,
                                                                std::string_view session);
[[nodiscard]] Result<std::uint64_t> total_bytes(Index& index);

}  // namespace lc::kv
