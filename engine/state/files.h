// Files of the gateway's store, as the engine reads and writes them: whole headers checked by core/kv, reads that can
// fail (never mapped: a file that is cut under us is an error, not a signal). Any thread.
#pragma once
#include "core/kv/checksum.hpp"
#include "core/kv/chunk.hpp"
#include "core/kv/manifest.hpp"
#include "core/kv/snapshot.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// An open file; closed with the last owner. Blobs never change, and stay readable when they are removed meanwhile.
class BlobFile {
  public:
    explicit BlobFile(int fd, std::uint64_t bytes) : fd_(fd), bytes_(bytes) {}
    ~BlobFile();
    BlobFile(const BlobFile&) = delete;
    BlobFile& operator=(const BlobFile&) = delete;

    std::uint64_t bytes() const { return bytes_; }
    /// All of `size` bytes from `offset`, or false.
    bool read(void* out, std::size_t size, std::uint64_t offset) const;
    /// Tells the system that the file will be read soon.
    void expect() const;

  private:
    int fd_;
    std::uint64_t bytes_;
};

/// Why a file cannot be used. `reason`: a word of docs/formats/engine-state.md.
struct BlobFault {
    const char* reason = "unreadable";
    bool quarantine = false;  ///< the file is damaged: nobody should use it again
    std::string why;
};

template <class T>
struct Opened {
    std::shared_ptr<const BlobFile> file;  ///< nullptr: not there, or `fault`
    T parsed;
    std::optional<BlobFault> fault;
};

/// "DIR/chunks/ab/ab12..."
std::string blob_path(const std::string& dir, lc::kv::BlobKind kind, const lc::Digest& name);
bool blob_exists(const std::string& dir, lc::kv::BlobKind kind, const lc::Digest& name);

/// Header checked, name and scope compared. A file that does not exist is no fault here.
Opened<lc::kv::ParsedChunk> open_chunk(const std::string& dir, const lc::kv::Scope& scope, const lc::Digest& name);
Opened<lc::kv::ParsedSnapshot> open_snapshot(const std::string& dir, const lc::kv::Scope& scope, const lc::Digest& name);
Opened<lc::kv::ParsedManifest> open_manifest(const std::string& dir, const lc::kv::Scope& scope, const lc::Digest& name);

/// The file alone, for reading rows of a chunk whose header was checked before: its checksums tell whether it is still the
/// same. nullptr: gone, or unreadable.
std::shared_ptr<const BlobFile> open_rows(const std::string& dir, const lc::Digest& chunk);

/// Reads one section of a snapshot from its beginning to its end, and computes its checksum on the way.
class SectionReader {
  public:
    /// nullopt: there is no such section.
    static std::optional<SectionReader> open(const Opened<lc::kv::ParsedSnapshot>& snapshot, std::string_view name);

    std::uint64_t left() const { return left_; }  ///< bytes
    /// The next `size` bytes; false: there are not so many, or they cannot be read.
    bool read(void* out, std::size_t size);
    void skip();  ///< to the end, for `fault`
    /// After the last byte: what is wrong with what was read.
    std::optional<BlobFault> fault() const;

  private:
    SectionReader() = default;
    std::shared_ptr<const BlobFile> file_;
    lc::kv::Section section_;
    std::uint64_t offset_ = 0, left_ = 0;
    std::string buffer_;          ///< read ahead, for small pieces
    std::size_t used_ = 0;        ///< of `buffer_`
    bool failed_ = false;
    std::unique_ptr<lc::kv::RunningChecksum> sum_;
};

/// One whole section with its checksum checked; nullopt: no such section, or `fault` is set.
std::optional<std::vector<std::uint8_t>> read_section(const Opened<lc::kv::ParsedSnapshot>& snapshot, std::string_view name,
                                                      std::optional<BlobFault>& fault);

enum class WriteResult : std::uint8_t { ok, full, failed };
/// A new file of mode 0600, not synced; removed again when writing fails. The path must not exist.
WriteResult write_new_file(const std::string& path, std::span<const std::string_view> pieces);
