// Looking up, reading, quarantine.
#include <algorithm>
#include <cerrno>

#include "shell/kv/store_parts.hpp"

namespace lc::kv {

namespace {

constexpr std::size_t max_quarantine_files = 16;

/// The oldest go: names begin with a number that grows.
void trim_quarantine(Store& store) {
    const auto files = store.folder.files.list(quarantine_dir(store.folder));
    if (!files) return;
    for (std::size_t i = 0; i + max_quarantine_files < files->size(); ++i) {
        (void)store.folder.files.remove(quarantine_dir(store.folder) + "/" + (*files)[i].name);
    }
}

std::string quarantine_name(Store& store, const BlobId& id) {
    std::string number = std::to_string(store.now());
    number.insert(0, number.size() < 15 ? 15 - number.size() : 0, '0');
    return quarantine_dir(store.folder) + "/" + number + "-" + std::string(name_of(id.kind)) + "-" + hex(id.name);
}

/// The states that cannot live without it.
Result<std::vector<std::int64_t>> dependents(Store& store, const BlobId& id) {
    if (id.kind == BlobKind::manifest) {
        const auto row = find_state(store.index, id.name);
        if (!row) return tl::unexpected(row.error());
        return *row ? std::vector{(*row)->id} : std::vector<std::int64_t>{};
    }
    const auto row = find_blob(store.index, id);
    if (!row) return tl::unexpected(row.error());
    if (!*row) return std::vector<std::int64_t>{};
    return states_needing(store.index, (*row)->id);
}

/// Its row, and those of the chunks behind it: without it they lead nowhere.
Result<void> forget_blob(Store& store, const BlobId& id) {
    auto all = inventory(store);
    if (!all) return tl::unexpected(all.error());
    EvictPlan plan;
    std::vector<bool> gone(all->blobs.size());
    for (std::uint32_t i = 0; i < gone.size(); ++i) {
        const std::uint32_t parent = all->evict_blobs[i].parent;
        gone[i] = all->blobs[i].blob == id || (parent != no_parent && parent < i && gone[parent]);
    }
    for (auto i = static_cast<std::uint32_t>(gone.size()); i-- > 0;) {
        if (!gone[i]) continue;
        plan.steps.push_back({false, i});
        plan.bytes += all->blobs[i].bytes;
        for (auto& [save, open] : store.saves) open.blobs.erase(all->blobs[i].id);
    }
    return carry_out(store, *all, plan);
}

}  // namespace

void quarantine(Store& store, const BlobId& id, std::string_view why) {
    ++store.counted.quarantined;
    store.report("kv: " + short_name(id) + " is set aside: " + std::string(why));
    // Away first: whatever happens next, it is not used again.
    const std::string path = path_of(store.folder, id);
    if (!store.folder.files.rename(path, quarantine_name(store, id))) (void)store.folder.files.remove(path);
    trim_quarantine(store);
    const auto states = dependents(store, id);
    auto done = states ? drop_states(store, *states) : Result<void>(tl::unexpected(states.error()));
    if (done && id.kind != BlobKind::manifest) done = forget_blob(store, id);
    if (!done) store.report("kv: " + done.error().detail);
}

Result<std::optional<Found>> lookup(Store& store, const Scope& scope, const Digest& rendering,
                                    std::span<const Digest> keys) {
    const Digest key_in = key_scope(scope, rendering);
    for (std::size_t i = keys.size(); i-- > 0;) {
        const auto hit = find_key(store.index, key_in, keys[i]);
        if (!hit) return tl::unexpected(hit.error());
        if (!*hit) continue;
        ++store.counted.hits;
        return Found{(*hit)->manifest, (*hit)->n_tokens, i};
    }
    ++store.counted.misses;
    return std::nullopt;
}

Result<State> pin_state(Store& store, const Digest& manifest, const Scope& scope) {
    const auto row = find_state(store.index, manifest);
    if (!row) return tl::unexpected(row.error());
    if (!*row) return fail(Errc::not_found, "no such state");
    const BlobId id{BlobKind::manifest, manifest};
    const auto file = read_blob(store.folder, id);
    if (!file) {
        if (file.error().code == Errc::internal) return tl::unexpected(file.error());
        quarantine(store, id, file.error().detail);
        return fail(Errc::not_found, file.error().detail);
    }
    auto parsed = parse_manifest(*file);
    if (!parsed) return tl::unexpected(parsed.error());
    if (parsed->manifest.scope != scope) return fail(Errc::not_found, "no such state");
    if (auto done = touch_state(store.index, (*row)->id, store.now()); !done) {
        store.report("kv: " + done.error().detail);  // a read-only disk: usable all the same
    }
    // Sessions are told of when they are saved; what they share is never saved again.
    if (parsed->manifest.session.starts_with("head ")) note_use(store, *parsed, {});
    State out;
    for (const Digest& name : parsed->chunks) out.chunk_paths.push_back(path_of(store.folder, {BlobKind::chunk, name}));
    for (const SnapshotRef& ref : parsed->manifest.snapshots) {
        out.snapshot_paths.push_back(path_of(store.folder, {BlobKind::snapshot, ref.name}));
    }
    out.manifest = std::move(*parsed);
    ++store.pins[manifest];
    return out;
}

void unpin_state(Store& store, const Digest& manifest) {
    const auto found = store.pins.find(manifest);
    if (found != store.pins.end() && --found->second <= 0) store.pins.erase(found);
}

Result<std::string> get_blob(Store& store, const BlobId& id) {
    const auto row = find_blob(store.index, id);
    if (!row) return tl::unexpected(row.error());
    if (!*row) return fail(Errc::not_found, short_name(id) + " is not stored");
    auto file = read_blob(store.folder, id);
    if (file || file.error().code == Errc::internal) return file;
    quarantine(store, id, file.error().detail);
    return fail(Errc::not_found, file.error().detail);
}

}  // namespace lc::kv
