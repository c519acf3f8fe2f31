// Chunk, snapshot and manifest files by name: written so that a crash leaves the whole file or none, checked when read.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/kv/head.hpp"
#include "shell/kv/files.hpp"

namespace lc::kv {

/// kv/{chunks,snapshots,manifests}/<2 hex>/<64 hex>, kv/tmp/, kv/quarantine/
struct Folder {
    std::string dir;
    Files files;
    std::uint64_t next_temporary = 0;
};

struct BlobId {
    BlobKind kind = BlobKind::chunk;
    Digest name{};
    auto operator<=>(const BlobId&) const = default;
};

[[nodiscard]] std::string kind_dir(const Folder& folder, BlobKind kind);
[[nodiscard]] std::string dir_of(const Folder& folder, const BlobId& id);
[[nodiscard]] std::string path_of(const Folder& folder, const BlobId& id);
[[nodiscard]] std::string temporary_dir(const Folder& folder);
[[nodiscard]] std::string quarantine_dir(const Folder& folder);

/// For a file that somebody else writes and `place` moves to its name.
[[nodiscard]] std::string temporary_path(Folder& folder);

/// Our error for a fault of the file system: `overloaded` for a full disk, else `internal`.
[[nodiscard]] Error error_of(const FileFault& fault);

/// Temporary file, sync, rename. The name is durable only after sync_dir of dir_of(...) and of kind_dir(...), which may
/// have a new folder: once for many blobs.
[[nodiscard]] FileResult<void> write_blob(Folder& folder, const BlobId& id, std::span<const std::string_view> pieces);

/// Syncs a temporary file and renames it to its name.
[[nodiscard]] FileResult<void> place(const Folder& folder, const std::string& temporary, const BlobId& id);

/// The name that a chunk's or snapshot's header gives it. Errors as check_blob.
[[nodiscard]] Result<Digest> name_in_header(BlobKind kind, std::string_view header, std::uint64_t file_bytes);

struct BlobInfo {
    Digest parent{};  ///< chunks
    std::uint32_t n_tokens = 0;
    Scope scope;
};

/// Is it what its name says? Header only, or everything with `whole`. `bytes` is the beginning of the file of
/// `file_bytes`, or all of it with `whole`. Errors: bad_request (damaged), unsupported (a later format).
[[nodiscard]] Result<BlobInfo> check_blob(const BlobId& id, std::string_view bytes, std::uint64_t file_bytes,
                                          bool whole);

/// The header, checked. Errors: not_found, bad_request, unsupported, internal.
[[nodiscard]] Result<BlobInfo> probe_blob(const Folder& folder, const BlobId& id);

/// The whole file, checked entirely.
[[nodiscard]] Result<std::string> read_blob(const Folder& folder, const BlobId& id);

/// The header of a file under any path, as many bytes as it says. Errors as probe_blob.
[[nodiscard]] Result<std::string> read_header(const Files& files, const std::string& path, BlobKind kind);

struct StoredBlob {
    BlobId id;
    std::uint64_t bytes = 0;
};
/// Everything that has a blob's place and name. Other files are left out (and alone).
[[nodiscard]] FileResult<std::vector<StoredBlob>> list_blobs(const Folder& folder);

}  // namespace lc::kv
