#include "shell/kv/blobs.hpp"

#include <cerrno>
#include <cstring>
#include <limits>

#include "core/kv/chunk.hpp"
#include "core/kv/identity.hpp"
#include "core/kv/manifest.hpp"
#include "core/kv/snapshot.hpp"

namespace lc::kv {

namespace {

constexpr BlobKind kinds[] = {BlobKind::chunk, BlobKind::snapshot, BlobKind::manifest};

Result<void> is_named(const BlobId& id, const Digest& name) {
    if (name == id.name) return {};
    return fail(Errc::bad_request, "damaged " + std::string(name_of(id.kind)) + ": it has another's name");
}

template <class T>
Result<T> from(FileResult<T> result) {
    if (result) return std::move(*result);
    return tl::unexpected(error_of(result.error()));
}

}  // namespace

std::string kind_dir(const Folder& folder, BlobKind kind) {
    return folder.dir + "/" + std::string(name_of(kind)) + "s";
}
std::string dir_of(const Folder& folder, const BlobId& id) {
    return kind_dir(folder, id.kind) + "/" + hex(id.name).substr(0, 2);
}
std::string path_of(const Folder& folder, const BlobId& id) {
    return dir_of(folder, id) + "/" + hex(id.name);
}
std::string temporary_dir(const Folder& folder) {
    return folder.dir + "/tmp";
}
std::string quarantine_dir(const Folder& folder) {
    return folder.dir + "/quarantine";
}

std::string temporary_path(Folder& folder) {
    return temporary_dir(folder) + "/" + std::to_string(folder.next_temporary++);
}

Error error_of(const FileFault& fault) {
    if (fault.code == ENOENT) return {Errc::not_found, fault.detail};
    const bool full = fault.code == ENOSPC || fault.code == EDQUOT;
    return {full ? Errc::overloaded : Errc::internal, fault.detail};
}

FileResult<void> place(const Folder& folder, const std::string& temporary, const BlobId& id) {
    if (auto done = folder.files.sync(temporary); !done) return done;
    if (auto done = folder.files.make_dir(dir_of(folder, id)); !done) return done;
    return folder.files.rename(temporary, path_of(folder, id));
}

FileResult<void> write_blob(Folder& folder, const BlobId& id, std::span<const std::string_view> pieces) {
    const std::string temporary = temporary_path(folder);
    auto done = folder.files.write_new(temporary, pieces);
    if (done) done = place(folder, temporary, id);
    if (!done) (void)folder.files.remove(temporary);  // what cannot be removed now goes at the next start
    return done;
}

Result<Digest> name_in_header(BlobKind kind, std::string_view header, std::uint64_t file_bytes) {
    if (kind == BlobKind::chunk) {
        const auto parsed = parse_chunk(header, file_bytes);
        if (!parsed) return tl::unexpected(parsed.error());
        return parsed->name;
    }
    if (kind == BlobKind::snapshot) {
        const auto parsed = parse_snapshot(header, file_bytes);
        if (!parsed) return tl::unexpected(parsed.error());
        return parsed->name;
    }
    return fail(Errc::bad_request, "manifests are committed, not put");
}

Result<BlobInfo> check_blob(const BlobId& id, std::string_view bytes, std::uint64_t file_bytes, bool whole) {
    switch (id.kind) {
        case BlobKind::chunk: {
            const auto parsed = parse_chunk(bytes, file_bytes);
            if (!parsed) return tl::unexpected(parsed.error());
            auto ok = is_named(id, parsed->name);
            if (ok && whole) ok = check_rows(*parsed, bytes);
            if (!ok) return tl::unexpected(ok.error());
            const Chunk& chunk = parsed->chunk;
            return BlobInfo{chunk.parent, static_cast<std::uint32_t>(chunk.tokens.size()), chunk.scope};
        }
        case BlobKind::snapshot: {
            const auto parsed = parse_snapshot(bytes, file_bytes);
            if (!parsed) return tl::unexpected(parsed.error());
            auto ok = is_named(id, parsed->name);
            if (ok && whole) ok = check_sections(*parsed, bytes);
            if (!ok) return tl::unexpected(ok.error());
            return BlobInfo{{}, parsed->snapshot.n_tokens, parsed->snapshot.scope};
        }
        case BlobKind::manifest: {
            const auto parsed = parse_manifest(bytes);
            if (!parsed) return tl::unexpected(parsed.error());
            if (auto ok = is_named(id, parsed->name); !ok) return tl::unexpected(ok.error());
            return BlobInfo{{}, static_cast<std::uint32_t>(parsed->manifest.tokens.size()), parsed->manifest.scope};
        }
    }
    return fail(Errc::internal, "no such kind of blob");
}

Result<std::string> read_header(const Files& files, const std::string& path, BlobKind kind) {
    const auto size = from(files.size(path));
    if (!size) return tl::unexpected(size.error());
    auto bytes = from(files.read(path, 0, page));
    if (!bytes) return bytes;
    const auto head = parse_head(*bytes, *size, kind);
    if (!head) return tl::unexpected(head.error());
    if (bytes->size() < head->header_bytes) bytes = from(files.read(path, 0, head->header_bytes));
    return bytes;
}

Result<BlobInfo> probe_blob(const Folder& folder, const BlobId& id) {
    const std::string path = path_of(folder, id);
    const auto size = from(folder.files.size(path));
    if (!size) return tl::unexpected(size.error());
    const auto header = read_header(folder.files, path, id.kind);
    if (!header) return tl::unexpected(header.error());
    return check_blob(id, *header, *size, false);
}

Result<std::string> read_blob(const Folder& folder, const BlobId& id) {
    auto bytes = from(folder.files.read(path_of(folder, id), 0, std::numeric_limits<std::uint64_t>::max()));
    if (!bytes) return bytes;
    if (auto ok = check_blob(id, *bytes, bytes->size(), true); !ok) return tl::unexpected(ok.error());
    return bytes;
}

FileResult<std::vector<StoredBlob>> list_blobs(const Folder& folder) {
    std::vector<StoredBlob> out;
    for (const BlobKind kind : kinds) {
        const auto parts = folder.files.list(kind_dir(folder, kind));
        if (!parts) return tl::unexpected(parts.error());
        for (const FileEntry& part : *parts) {
            if (!part.folder || part.name.size() != 2) continue;
            const auto entries = folder.files.list(kind_dir(folder, kind) + "/" + part.name);
            if (!entries) return tl::unexpected(entries.error());
            for (const FileEntry& entry : *entries) {
                const auto name = digest_of_hex(entry.name);
                if (entry.folder || !name || !entry.name.starts_with(part.name)) continue;
                out.push_back({{kind, *name}, entry.bytes});
            }
        }
    }
    return out;
}

}  // namespace lc::kv
