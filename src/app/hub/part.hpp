// The file that a download grows in, "<name>.part", and the note beside it. Everything here blocks: not for the network
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "core/hub/transfer.hpp"
#include "shell/sys/fd.hpp"

namespace lc::hub {

/// Locked against other processes and other fetches as long as it is open.
struct Part {
    std::string final_path;  ///< where the file goes once it is verified
    sys::UniqueFd fd;
    std::int64_t size = 0;  ///< bytes there
    Sha256 hash;            ///< over `hashed` bytes from the beginning
    std::int64_t hashed = 0;
};

/// Size of a regular file; nullopt: there is none of that name.
[[nodiscard]] std::optional<std::int64_t> file_size(const std::string& path);

/// Opens or makes the part of `final_path`, whose folder exists. nullopt: somebody else is at it.
[[nodiscard]] Result<std::optional<Part>> open_part(const std::string& final_path);

[[nodiscard]] std::optional<PartNote> read_note(const Part& part);
[[nodiscard]] Result<void> write_note(const Part& part, const PartNote& note);

/// Back to an empty file without a note.
[[nodiscard]] Result<void> clear(Part& part);

/// Hashes at most `max_bytes` of what is there and was not hashed yet. 0: nothing is left.
[[nodiscard]] Result<std::int64_t> hash_some(Part& part, std::int64_t max_bytes);

/// Writes behind what is there, and hashes.
[[nodiscard]] Result<void> append(Part& part, std::string_view bytes);

/// To the disk, then to its final name; the note goes away.
[[nodiscard]] Result<void> finish(Part& part);

/// Removes part and note.
void discard(Part& part);

/// SHA-256 of a file, piece by piece.
struct Hashing {
    sys::UniqueFd fd;
    Sha256 hash;
    std::int64_t size = 0, hashed = 0;
};
[[nodiscard]] Result<Hashing> start_hashing(const std::string& path);
/// Hashes at most `max_bytes` more. 0: the end.
[[nodiscard]] Result<std::int64_t> hash_some(Hashing& hashing, std::int64_t max_bytes);

/// Bytes that this user may still write to the file system of `folder`.
[[nodiscard]] Result<std::int64_t> disk_free(const std::string& folder);

}  // namespace lc::hub
