// Export and import: a folder with the store's own layout, without index.
#include <cerrno>

#include "shell/kv/store_parts.hpp"

namespace lc::kv {

namespace {

/// The blobs of a state, in the order in which they must be written.
std::vector<BlobId> blobs_of(const ParsedManifest& manifest) {
    std::vector<BlobId> out;
    for (const Digest& name : manifest.chunks) out.push_back({BlobKind::chunk, name});
    for (const SnapshotRef& ref : manifest.manifest.snapshots) out.push_back({BlobKind::snapshot, ref.name});
    return out;
}

/// Copies a file into an export unless it is there. Errors: overloaded, internal.
Result<void> copy_out(Folder& to, const BlobId& id, std::string_view file) {
    if (to.files.size(path_of(to, id))) return {};
    const std::string_view pieces[] = {file};
    if (auto done = write_blob(to, id, pieces); !done) return tl::unexpected(error_of(done.error()));
    return {};
}

/// A bad state does not stop the others; a bad disk does.
bool is_state_error(const Error& error) {
    return error.code == Errc::not_found || error.code == Errc::bad_request || error.code == Errc::unsupported;
}

Result<void> export_state(Store& store, Folder& to, const StateRow& row) {
    const BlobId id{BlobKind::manifest, row.name};
    const auto file = read_blob(store.folder, id);
    if (!file) return tl::unexpected(file.error());
    const auto parsed = parse_manifest(*file);
    if (!parsed) return tl::unexpected(parsed.error());
    for (const BlobId& blob : blobs_of(*parsed)) {
        if (to.files.size(path_of(to, blob))) continue;
        const auto bytes = get_blob(store, blob);
        if (!bytes) return tl::unexpected(bytes.error());
        if (auto done = copy_out(to, blob, *bytes); !done) return done;
    }
    return copy_out(to, id, *file);
}

Result<void> import_state(Store& store, const Folder& from, const BlobId& id) {
    const auto file = read_blob(from, id);
    if (!file) return tl::unexpected(file.error());
    const auto parsed = parse_manifest(*file);
    if (!parsed) return tl::unexpected(parsed.error());
    const SaveId save = begin_save(store);
    auto done = [&]() -> Result<void> {
        const auto absent = missing(store, save, blobs_of(*parsed));
        if (!absent) return tl::unexpected(absent.error());
        for (const BlobId& blob : *absent) {
            const auto bytes = read_blob(from, blob);
            if (!bytes) return tl::unexpected(bytes.error());
            const auto head = parse_head(*bytes, bytes->size(), blob.kind);
            if (!head) return tl::unexpected(head.error());
            const std::string_view whole = *bytes;
            const std::string_view pieces[] = {whole.substr(0, head->header_bytes), whole.substr(head->header_bytes)};
            if (auto put = put_blob(store, save, blob.kind, pieces); !put) return tl::unexpected(put.error());
        }
        const auto committed = commit_file(store, save, *parsed, *file);
        if (!committed) return tl::unexpected(committed.error());
        return {};
    }();
    abandon_save(store, save);  // what is committed stays: only what nothing needs goes
    return done;
}

}  // namespace

Result<std::uint64_t> export_to(Store& store, const std::string& dir) {
    Folder to{dir, store.folder.files};
    for (const std::string& path : {dir, temporary_dir(to)}) {
        if (auto made = to.files.make_dir(path); !made) return tl::unexpected(error_of(made.error()));
    }
    const auto states = all_states(store.index);
    if (!states) return tl::unexpected(states.error());
    std::uint64_t count = 0;
    for (const StateRow& row : *states) {
        const auto done = export_state(store, to, row);
        if (done)
            ++count;
        else if (!is_state_error(done.error()))
            return tl::unexpected(done.error());
    }
    return count;
}

Result<std::uint64_t> import_from(Store& store, const std::string& dir) {
    const Folder from{dir, store.folder.files};
    const auto files = list_blobs(from);
    if (!files) return tl::unexpected(error_of(files.error()));
    std::uint64_t count = 0;
    for (const StoredBlob& file : *files) {
        if (file.id.kind != BlobKind::manifest) continue;
        const auto done = import_state(store, from, file.id);
        if (done) {
            ++count;
        } else if (is_state_error(done.error())) {
            store.report("kv: " + short_name(file.id) + " was not imported: " + done.error().detail);
        } else {
            return tl::unexpected(done.error());
        }
    }
    return count;
}

}  // namespace lc::kv
