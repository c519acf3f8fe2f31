// The SHA-256 of model files, read once and remembered (core/kv/model_hashes.hpp).
#pragma once

#include <atomic>
#include <string>

#include "base/error.hpp"
#include "core/kv/model_hashes.hpp"

namespace lc::kv {

/// Errors: not_found, internal.
[[nodiscard]] Result<FileStamp> stamp_of(const std::string& path);

/// Blocks for as long as reading the file takes, unless it is known; 0.5 to 2 GB/s. A file that changes meanwhile is an
/// error (internal). `hashes` is updated. `stop` (may be null) may be set by another thread: cancelled.
[[nodiscard]] Result<Digest> hash_file(const std::string& path, ModelHashes& hashes,
                                       const std::atomic<bool>* stop = nullptr);

/// The remembered hashes in a file of their own (kv/models.txt); a missing or damaged one is empty.
[[nodiscard]] ModelHashes load_model_hashes(const std::string& path);
[[nodiscard]] Result<void> store_model_hashes(const std::string& path, const ModelHashes& hashes);

}  // namespace lc::kv
