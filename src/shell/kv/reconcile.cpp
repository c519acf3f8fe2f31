// Makes files and index agree after a crash: whatever is whole is kept, whatever is not is removed.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/kv/wire.hpp"
#include "shell/kv/store_parts.hpp"

namespace lc::kv {

namespace {

struct HashId {
    std::size_t operator()(const BlobId& id) const {
        std::size_t out = 0;
        std::memcpy(&out, id.name.data(), sizeof out);
        return out ^ static_cast<std::size_t>(id.kind);
    }
};
using OnDisk = std::unordered_map<BlobId, std::uint64_t, HashId>;

struct Pass {
    Store& store;
    OnDisk files;
    std::unordered_map<BlobId, bool, HashId> sound{};  ///< what `usable` has found out
    std::uint64_t dropped_rows = 0, removed_files = 0, found_states = 0;

    /// Rows whose file is missing or has another length, and all that needs them.
    Result<void> drop_rows() {
        auto all = inventory(store);
        if (!all) return tl::unexpected(all.error());
        std::vector<bool> bad(all->blobs.size());
        for (std::size_t i = 0; i < bad.size(); ++i) {
            const auto file = files.find(all->blobs[i].blob);
            bad[i] = file == files.end() || file->second != all->blobs[i].bytes;
            // Rows are in the order in which they were made, a chunk behind its parent.
            const std::uint32_t parent = all->evict_blobs[i].parent;
            if (all->blobs[i].parent != 0) bad[i] = bad[i] || parent == no_parent || parent >= i || bad[parent];
        }
        std::vector<std::int64_t> states, blobs;
        for (std::size_t i = 0; i < all->states.size(); ++i) {
            const EvictState& state = all->evict_states[i];
            const auto refs = std::span(all->refs).subspan(state.first_ref, state.n_refs);
            const auto file = files.find({BlobKind::manifest, all->states[i].name});
            const bool whole = file != files.end() && file->second == all->states[i].bytes &&
                               refs.size() == all->states[i].refs.size() && !refs.empty() &&
                               std::none_of(refs.begin(), refs.end(), [&](std::uint32_t r) { return bad[r]; });
            if (!whole) states.push_back(all->states[i].id);
        }
        for (std::size_t i = 0; i < bad.size(); ++i) {
            if (bad[i]) blobs.push_back(all->blobs[i].id);
        }
        if (states.empty() && blobs.empty()) return {};
        dropped_rows += states.size() + blobs.size();
        return transact(store.index, [&]() -> Result<void> {
            for (const std::int64_t id : states) {
                if (auto done = remove_state(store.index, id); !done) return done;
            }
            for (const std::int64_t id : blobs) {
                if (auto done = remove_blob(store.index, id); !done) return done;
            }
            return {};
        });
    }

    /// Is the blob stored, or at least there and sound?
    bool usable(const BlobId& id) {
        if (const auto known = sound.find(id); known != sound.end()) return known->second;
        const auto row = find_blob(store.index, id);
        const bool yes = row && (*row || (files.count(id) != 0 && probe_blob(store.folder, id)));
        return sound[id] = yes;
    }

    /// The id of a usable blob's row, made when it has none.
    Result<std::int64_t> index_blob(const BlobId& id, std::int64_t parent) {
        const auto row = find_blob(store.index, id);
        if (!row) return tl::unexpected(row.error());
        if (*row) return (*row)->id;
        return add_blob(store.index, id, parent, files.at(id));
    }

    /// not_found: some of its blobs are not there.
    Result<void> index_manifest(const ParsedManifest& parsed, std::uint64_t bytes) {
        const bool whole = std::all_of(parsed.chunks.begin(), parsed.chunks.end(),
                                       [&](const Digest& name) {
                                           return usable({BlobKind::chunk, name});
                                       }) &&
                           std::all_of(parsed.manifest.snapshots.begin(), parsed.manifest.snapshots.end(),
                                       [&](const SnapshotRef& ref) {
                                           return usable({BlobKind::snapshot, ref.name});
                                       });
        if (!whole) return fail(Errc::not_found, "some of its blobs are not there");
        std::vector<std::int64_t> refs;
        std::int64_t parent = 0;
        for (const Digest& name : parsed.chunks) {
            const auto blob = index_blob({BlobKind::chunk, name}, parent);
            if (!blob) return tl::unexpected(blob.error());
            parent = *blob;
        }
        if (parent != 0) refs.push_back(parent);
        for (const SnapshotRef& ref : parsed.manifest.snapshots) {
            const auto blob = index_blob({BlobKind::snapshot, ref.name}, 0);
            if (!blob) return tl::unexpected(blob.error());
            refs.push_back(*blob);
        }
        const auto state = add_state(store.index, parsed, bytes, refs, parsed.manifest.saved_ms);
        if (!state) return tl::unexpected(state.error());
        return {};
    }

    void remove(const BlobId& id) {
        ++removed_files;
        (void)store.folder.files.remove(path_of(store.folder, id));
        files.erase(id);
    }

    /// Manifests without a row: after a crash between rename and index, or when the index was lost.
    Result<void> find_states() {
        std::vector<std::pair<BlobId, std::uint64_t>> manifests;
        for (const auto& [id, bytes] : files) {
            if (id.kind == BlobKind::manifest) manifests.emplace_back(id, bytes);
        }
        std::sort(manifests.begin(), manifests.end());
        for (const auto& [id, bytes] : manifests) {
            const auto row = find_state(store.index, id.name);
            if (!row) return tl::unexpected(row.error());
            if (*row) continue;
            const auto file = read_blob(store.folder, id);
            const auto parsed = file ? parse_manifest(*file) : tl::unexpected(file.error());
            if (!parsed) {
                // Of a later version, or not readable now: left alone, and not used.
                if (parsed.error().code == Errc::bad_request) remove(id);
                continue;
            }
            const auto done = index_manifest(*parsed, bytes);
            if (done)
                ++found_states;
            else if (done.error().code == Errc::not_found)
                remove(id);
            else
                return done;  // the index, not the file
        }
        return {};
    }

    /// Blobs that no state needs: a save that was never committed.
    Result<void> drop_unneeded() {
        auto all = inventory(store);
        if (!all) return tl::unexpected(all.error());
        const EvictPlan plan = evict_unneeded(all->input(0));
        if (auto done = carry_out(store, *all, plan); !done) return done;
        removed_files += plan.steps.size();
        std::unordered_set<BlobId, HashId> known;
        for (const BlobRow& row : all->blobs) known.insert(row.blob);
        std::vector<BlobId> strangers;
        for (const auto& [id, bytes] : files) {
            if (id.kind != BlobKind::manifest && known.count(id) == 0) strangers.push_back(id);
        }
        for (const BlobId& id : strangers) {
            const auto probed = probe_blob(store.folder, id);
            if (probed || probed.error().code != Errc::unsupported) remove(id);
        }
        return {};
    }
};

Result<void> empty_dir(Store& store, const std::string& dir) {
    const auto entries = store.folder.files.list(dir);
    if (!entries) return tl::unexpected(error_of(entries.error()));
    for (const FileEntry& entry : *entries) {
        if (!entry.folder) (void)store.folder.files.remove(dir + "/" + entry.name);
    }
    return {};
}

}  // namespace

Result<void> reconcile(Store& store) {
    if (auto done = empty_dir(store, temporary_dir(store.folder)); !done) return done;
    const auto stored = list_blobs(store.folder);
    if (!stored) return tl::unexpected(error_of(stored.error()));
    Pass pass{store};
    pass.files.reserve(stored->size());
    for (const StoredBlob& blob : *stored) pass.files.emplace(blob.id, blob.bytes);
    if (auto done = pass.drop_rows(); !done) return done;
    if (auto done = transact(store.index, [&] { return pass.find_states(); }); !done) return done;
    if (auto done = pass.drop_unneeded(); !done) return done;
    if (pass.dropped_rows + pass.removed_files + pass.found_states > 0) {
        store.report("kv: put in order: " + std::to_string(pass.found_states) + " states found, " +
                     std::to_string(pass.removed_files) + " files removed, " + std::to_string(pass.dropped_rows) +
                     " entries without file dropped");
    }
    return {};
}

}  // namespace lc::kv
