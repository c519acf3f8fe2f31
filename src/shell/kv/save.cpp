// Saving: blobs first, each whole and synced; then the manifest; then the index.
#include <algorithm>

#include "shell/kv/store_parts.hpp"

namespace lc::kv {

namespace {

Result<OpenSave*> find_save(Store& store, SaveId save) {
    const auto found = store.saves.find(save);
    if (found == store.saves.end()) return fail(Errc::internal, "no such save");
    return &found->second;
}

/// Enough of the tokens are the same that the new state serves whoever the old one served: a reply may be rendered
/// differently when it comes back as history, so the end may differ.
bool continues(const Manifest& now, const Manifest& before) {
    const auto [a, b] = std::mismatch(before.tokens.begin(), before.tokens.end(), now.tokens.begin(), now.tokens.end());
    const auto common = static_cast<std::size_t>(a - before.tokens.begin());
    return common * 2 > before.tokens.size() && common + chunk_tokens >= before.tokens.size();
}

Result<std::vector<std::int64_t>> replaced_by(Store& store, const ParsedManifest& manifest) {
    std::vector<std::int64_t> out;
    const Manifest& m = manifest.manifest;
    if (m.session.empty()) return out;
    const auto earlier = states_of_session(store.index, key_scope(m.scope, m.rendering), m.session);
    if (!earlier) return tl::unexpected(earlier.error());
    for (const StateRow& row : *earlier) {
        if (row.name == manifest.name || store.pins.count(row.name) != 0) continue;
        const auto file = read_blob(store.folder, {BlobKind::manifest, row.name});
        if (!file) continue;  // whoever wants to use it will find out
        const auto parsed = parse_manifest(*file);
        if (parsed && continues(m, parsed->manifest)) out.push_back(row.id);
    }
    return out;
}

/// The parent's row id of a chunk; 0 for the first.
Result<std::int64_t> parent_of(Store& store, const BlobInfo& info) {
    if (is_zero(info.parent)) return 0;
    const auto parent = find_blob(store.index, {BlobKind::chunk, info.parent});
    if (!parent) return tl::unexpected(parent.error());
    if (!*parent) return fail(Errc::not_found, "the chunk before this one is not stored");
    return (*parent)->id;
}

/// What put and adopt have in common: checks, room, the row. `write` brings the file to its place.
Result<BlobId> store_blob(Store& store, SaveId save, BlobId id, const BlobInfo& info, std::uint64_t bytes,
                          const std::function<FileResult<void>()>& write) {
    auto open = find_save(store, save);
    if (!open) return tl::unexpected(open.error());
    const auto there = find_blob(store.index, id);
    if (!there) return tl::unexpected(there.error());
    if (*there) {
        (*open)->blobs.insert((*there)->id);
        return id;
    }
    const auto parent = parent_of(store, info);
    if (!parent) return tl::unexpected(parent.error());
    if (*parent != 0) (*open)->blobs.insert(*parent);  // before eviction may look at it
    if (auto done = write_with_room(store, bytes, write); !done) return tl::unexpected(done.error());
    (*open)->dirs.insert(dir_of(store.folder, id));
    (*open)->dirs.insert(kind_dir(store.folder, id.kind));
    const auto row = add_blob(store.index, id, *parent, bytes);
    if (!row) {
        (void)store.folder.files.remove(path_of(store.folder, id));
        return tl::unexpected(row.error());
    }
    (*open)->blobs.insert(*row);
    store.bytes += bytes;
    count_written(store, bytes);
    return id;
}

/// Name and header's facts of a chunk or snapshot whose name is not known yet.
Result<std::pair<BlobId, BlobInfo>> identify(BlobKind kind, std::string_view header, std::uint64_t bytes) {
    const auto name = name_in_header(kind, header, bytes);
    if (!name) return tl::unexpected(name.error());
    const BlobId id{kind, *name};
    const auto info = check_blob(id, header, bytes, false);
    if (!info) return tl::unexpected(info.error());
    return std::pair(id, *info);
}

}  // namespace

SaveId begin_save(Store& store) {
    store.saves.emplace(store.next_save, OpenSave{});
    return store.next_save++;
}

Result<std::vector<BlobId>> missing(Store& store, SaveId save, std::span<const BlobId> blobs) {
    auto open = find_save(store, save);
    if (!open) return tl::unexpected(open.error());
    std::vector<BlobId> out;
    for (const BlobId& id : blobs) {
        const auto row = find_blob(store.index, id);
        if (!row) return tl::unexpected(row.error());
        if (*row)
            (*open)->blobs.insert((*row)->id);
        else
            out.push_back(id);
    }
    return out;
}

Result<BlobId> put_blob(Store& store, SaveId save, BlobKind kind, std::span<const std::string_view> pieces) {
    std::uint64_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    if (pieces.empty()) return fail(Errc::bad_request, "an empty blob");
    const auto known = identify(kind, pieces[0], bytes);
    if (!known) return tl::unexpected(known.error());
    const BlobId id = known->first;
    return store_blob(store, save, id, known->second, bytes, [&] { return write_blob(store.folder, id, pieces); });
}

std::string staging_path(Store& store) {
    return temporary_path(store.folder);
}

Result<BlobId> adopt_blob(Store& store, SaveId save, BlobKind kind, const std::string& path) {
    auto adopted = [&]() -> Result<BlobId> {
        const auto header = read_header(store.folder.files, path, kind);
        if (!header) return tl::unexpected(header.error());
        const auto bytes = store.folder.files.size(path);
        if (!bytes) return tl::unexpected(error_of(bytes.error()));
        const auto known = identify(kind, *header, *bytes);
        if (!known) return tl::unexpected(known.error());
        const BlobId id = known->first;
        return store_blob(store, save, id, known->second, *bytes, [&] { return place(store.folder, path, id); });
    }();
    // Still there when it was refused, or stored already.
    (void)store.folder.files.remove(path);
    return adopted;
}

Result<std::vector<std::int64_t>> refs_of(Store& store, const ParsedManifest& manifest) {
    std::vector<BlobId> wanted;
    if (!manifest.chunks.empty()) wanted.push_back({BlobKind::chunk, manifest.chunks.back()});
    for (const SnapshotRef& ref : manifest.manifest.snapshots) wanted.push_back({BlobKind::snapshot, ref.name});
    std::vector<std::int64_t> out;
    for (const BlobId& id : wanted) {
        const auto row = find_blob(store.index, id);
        if (!row) return tl::unexpected(row.error());
        // A chunk's row is only made when its parent has one, so the last chunk stands for all.
        if (!*row) return fail(Errc::not_found, short_name(id) + " is not stored");
        out.push_back((*row)->id);
    }
    return out;
}

Result<Digest> commit_file(Store& store, SaveId save, const ParsedManifest& manifest, std::string_view file) {
    auto open = find_save(store, save);
    if (!open) return tl::unexpected(open.error());
    const auto known = find_state(store.index, manifest.name);
    if (!known) return tl::unexpected(known.error());
    if (*known) {
        // After a crash between the new state and the end of the old one, the same save again finds both.
        const auto old = replaced_by(store, manifest);
        auto done = old ? drop_states(store, *old) : Result<void>(tl::unexpected(old.error()));
        if (done) done = touch_state(store.index, (*known)->id, store.now());
        if (!done) return tl::unexpected(done.error());
        return manifest.name;
    }
    const auto refs = refs_of(store, manifest);
    if (!refs) return tl::unexpected(refs.error());
    (*open)->blobs.insert(refs->begin(), refs->end());
    const auto replaced = replaced_by(store, manifest);
    if (!replaced) return tl::unexpected(replaced.error());
    for (const std::string& dir : (*open)->dirs) {
        if (auto done = store.folder.files.sync_dir(dir); !done) return tl::unexpected(error_of(done.error()));
    }
    const BlobId id{BlobKind::manifest, manifest.name};
    const std::string_view pieces[] = {file};
    auto done = write_with_room(store, file.size(), [&] { return write_blob(store.folder, id, pieces); });
    if (!done) return tl::unexpected(done.error());
    for (const std::string& dir : {dir_of(store.folder, id), kind_dir(store.folder, id.kind)}) {
        const auto synced = store.folder.files.sync_dir(dir);
        if (synced) continue;
        (void)store.folder.files.remove(path_of(store.folder, id));
        return tl::unexpected(error_of(synced.error()));
    }
    done = transact(store.index, [&]() -> Result<void> {
        const auto row = add_state(store.index, manifest, file.size(), *refs, store.now());
        if (!row) return tl::unexpected(row.error());
        return {};
    });
    if (!done) {
        (void)store.folder.files.remove(path_of(store.folder, id));
        return tl::unexpected(done.error());
    }
    store.bytes += file.size();
    count_written(store, file.size());
    ++store.counted.saves;
    // The new state is safe; what it replaces goes now. Failing to delete is no failure to save.
    if (auto dropped = drop_states(store, *replaced); !dropped) store.report("kv: " + dropped.error().detail);
    return manifest.name;
}

Result<Digest> commit_save(Store& store, SaveId save, const Manifest& manifest, const Use& use) {
    auto committed = [&]() -> Result<Digest> {
        const auto file = encode_manifest(manifest);
        if (!file) return tl::unexpected(file.error());
        const auto parsed = parse_manifest(*file);
        if (!parsed) return tl::unexpected(parsed.error());
        auto done = commit_file(store, save, *parsed, *file);
        if (done) note_use(store, *parsed, use);
        return done;
    }();
    if (committed)
        store.saves.erase(save);
    else
        abandon_save(store, save);
    return committed;
}

void abandon_save(Store& store, SaveId save) {
    if (store.saves.erase(save) == 0) return;
    auto all = inventory(store);
    auto done = all ? carry_out(store, *all, evict_unneeded(all->input(0))) : Result<void>(tl::unexpected(all.error()));
    if (!done) store.report("kv: " + done.error().detail + "; what is left over goes at the next start");
}

}  // namespace lc::kv
