// Remembers which files have been hashed, so that a model of 20 GB is read once and not at every start. Pure: stat and
// reading are the shell's (shell/kv/hash_file.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.hpp"

namespace lc::kv {

/// What the file system says of a file; any change of it means that the hash is not known any more.
struct FileStamp {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t mtime_ns = 0, ctime_ns = 0;
    bool operator==(const FileStamp&) const = default;
};

struct ModelHash {
    FileStamp stamp;
    Digest digest{};
    bool operator==(const ModelHash&) const = default;
};

/// At most 1,000, the last used at the end.
struct ModelHashes {
    std::vector<ModelHash> known;
    bool operator==(const ModelHashes&) const = default;
};

[[nodiscard]] std::optional<Digest> lookup(const ModelHashes& hashes, const FileStamp& stamp);

/// Replaces what was known of that device and inode. A file that changed less than two seconds before `now_ns` (or
/// after it) is not remembered: a second change could leave the same times behind.
[[nodiscard]] ModelHashes remember(ModelHashes hashes, const FileStamp& stamp, const Digest& digest,
                                   std::int64_t now_ns);

/// One line each: device inode size mtime ctime hex. Lines that cannot be read are left out.
[[nodiscard]] std::string print(const ModelHashes& hashes);
[[nodiscard]] ModelHashes parse_model_hashes(std::string_view text);

}  // namespace lc::kv
