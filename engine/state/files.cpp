#include "state/files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace kv = lc::kv;

namespace {
constexpr std::uint64_t max_manifest_bytes = 64ULL << 20;
constexpr std::uint64_t max_header_bytes = 16ULL << 20;
constexpr std::size_t read_ahead_bytes = 16U << 10;

struct Raw {
    std::shared_ptr<const BlobFile> file;
    std::optional<BlobFault> fault;
};

Raw open_raw(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? Raw{} : Raw{nullptr, BlobFault{"unreadable", false, "cannot be opened"}};
    }
    struct stat info{};
    if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        ::close(fd);
        return {nullptr, BlobFault{"unreadable", false, "not a plain file"}};
    }
    return {std::make_shared<const BlobFile>(fd, static_cast<std::uint64_t>(info.st_size)), std::nullopt};
}

/// The whole header: a first read, a second one when it is longer.
std::optional<std::string> read_header(const BlobFile& file, kv::BlobKind kind, std::optional<BlobFault>& fault) {
    std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(file.bytes(), kv::page)), '\0');
    if (!file.read(head.data(), head.size(), 0)) {
        fault = BlobFault{"unreadable", false, "cannot be read"};
        return std::nullopt;
    }
    const auto parsed = kv::parse_head(head, file.bytes(), kind);
    if (!parsed) {
        const bool damaged = parsed.error().code != lc::Errc::unsupported;
        fault = BlobFault{damaged ? "damaged" : "unreadable", damaged, parsed.error().detail};
        return std::nullopt;
    }
    const std::uint64_t want = kind == kv::BlobKind::manifest ? file.bytes() : parsed->header_bytes;
    if (want > (kind == kv::BlobKind::manifest ? max_manifest_bytes : max_header_bytes) || want > file.bytes()) {
        fault = BlobFault{"damaged", true, "the header is too long"};
        return std::nullopt;
    }
    if (want > head.size()) {
        const std::size_t have = head.size();
        head.resize(want);
        if (!file.read(head.data() + have, head.size() - have, have)) {
            fault = BlobFault{"unreadable", false, "cannot be read"};
            return std::nullopt;
        }
    }
    return head;
}

const kv::Scope& scope_of(const kv::ParsedChunk& p) { return p.chunk.scope; }
const kv::Scope& scope_of(const kv::ParsedSnapshot& p) { return p.snapshot.scope; }
const kv::Scope& scope_of(const kv::ParsedManifest& p) { return p.manifest.scope; }

template <class T, class Parse>
Opened<T> open_blob(const std::string& dir, const kv::Scope& scope, kv::BlobKind kind, const lc::Digest& name, Parse&& parse) {
    Opened<T> out;
    auto raw = open_raw(blob_path(dir, kind, name));
    out.fault = std::move(raw.fault);
    if (!raw.file) {
        return out;
    }
    const auto header = read_header(*raw.file, kind, out.fault);
    if (!header) {
        return out;
    }
    auto parsed = parse(*header, raw.file->bytes());
    if (!parsed) {
        const bool damaged = parsed.error().code != lc::Errc::unsupported;
        out.fault = BlobFault{damaged ? "damaged" : "unreadable", damaged, parsed.error().detail};
    } else if (parsed->name != name) {
        out.fault = BlobFault{"damaged", true, "it has another name"};
    } else if (scope_of(*parsed) != scope) {
        out.fault = BlobFault{"wrong_identity", false, "another namespace or identity"};
    } else {
        out.parsed = std::move(*parsed);
        out.file = std::move(raw.file);
    }
    return out;
}
}  // namespace

BlobFile::~BlobFile() { ::close(fd_); }

bool BlobFile::read(void* out, std::size_t size, std::uint64_t offset) const {
    auto* to = static_cast<char*>(out);
    while (size > 0) {
        const auto n = ::pread(fd_, to, size, static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        to += n;
        offset += static_cast<std::uint64_t>(n);
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

void BlobFile::expect() const { ::posix_fadvise(fd_, 0, 0, POSIX_FADV_WILLNEED); }

std::string blob_path(const std::string& dir, kv::BlobKind kind, const lc::Digest& name) {
    const auto text = lc::hex(name);
    return dir + "/" + std::string(kv::name_of(kind)) + "s/" + text.substr(0, 2) + "/" + text;
}

bool blob_exists(const std::string& dir, kv::BlobKind kind, const lc::Digest& name) {
    struct stat info{};
    return ::stat(blob_path(dir, kind, name).c_str(), &info) == 0;
}

Opened<kv::ParsedChunk> open_chunk(const std::string& dir, const kv::Scope& scope, const lc::Digest& name) {
    return open_blob<kv::ParsedChunk>(dir, scope, kv::BlobKind::chunk, name,
                                      [](std::string_view b, std::uint64_t n) { return kv::parse_chunk(b, n); });
}

std::shared_ptr<const BlobFile> open_rows(const std::string& dir, const lc::Digest& chunk) {
    return open_raw(blob_path(dir, kv::BlobKind::chunk, chunk)).file;
}

Opened<kv::ParsedSnapshot> open_snapshot(const std::string& dir, const kv::Scope& scope, const lc::Digest& name) {
    return open_blob<kv::ParsedSnapshot>(dir, scope, kv::BlobKind::snapshot, name,
                                         [](std::string_view b, std::uint64_t n) { return kv::parse_snapshot(b, n); });
}

Opened<kv::ParsedManifest> open_manifest(const std::string& dir, const kv::Scope& scope, const lc::Digest& name) {
    return open_blob<kv::ParsedManifest>(dir, scope, kv::BlobKind::manifest, name,
                                         [](std::string_view b, std::uint64_t) { return kv::parse_manifest(b); });
}

std::optional<SectionReader> SectionReader::open(const Opened<kv::ParsedSnapshot>& snapshot, std::string_view name) {
    const auto& sections = snapshot.parsed.snapshot.sections;
    const auto found = std::find_if(sections.begin(), sections.end(), [&](const kv::Section& s) { return s.name == name; });
    if (found == sections.end()) {
        return std::nullopt;
    }
    SectionReader out;
    out.file_ = snapshot.file;
    out.section_ = *found;
    out.offset_ = snapshot.parsed.offsets[static_cast<std::size_t>(found - sections.begin())];
    out.left_ = found->bytes;
    out.sum_ = std::make_unique<kv::RunningChecksum>();
    return out;
}

bool SectionReader::read(void* out, std::size_t size) {
    if (failed_ || size > left_) {
        return false;
    }
    auto* to = static_cast<char*>(out);
    left_ -= size;
    while (size > 0) {
        if (used_ == buffer_.size() && size < read_ahead_bytes) {
            buffer_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(read_ahead_bytes, left_ + size)));
            used_ = 0;
            failed_ = !file_->read(buffer_.data(), buffer_.size(), offset_);
            offset_ += buffer_.size();
        }
        const std::size_t buffered = std::min(size, buffer_.size() - used_);
        if (buffered > 0 && !failed_) {
            std::memcpy(to, buffer_.data() + used_, buffered);
            used_ += buffered;
        } else if (!failed_) {
            failed_ = !file_->read(to, size, offset_);
            offset_ += size;
        }
        if (failed_) {
            return false;
        }
        const std::size_t n = buffered > 0 ? buffered : size;
        sum_->update({to, n});
        to += n;
        size -= n;
    }
    return true;
}

void SectionReader::skip() {
    std::string piece(read_ahead_bytes, '\0');
    while (left_ > 0 && read(piece.data(), static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), left_)))) {
    }
}

std::optional<BlobFault> SectionReader::fault() const {
    if (failed_ || left_ != 0) {
        return BlobFault{"unreadable", false, "cannot be read"};
    }
    if (sum_->value() != section_.sum) {
        return BlobFault{"damaged", true, "section " + section_.name + " has another checksum"};
    }
    return std::nullopt;
}

std::optional<std::vector<std::uint8_t>> read_section(const Opened<kv::ParsedSnapshot>& snapshot, std::string_view name,
                                                      std::optional<BlobFault>& fault) {
    auto reader = SectionReader::open(snapshot, name);
    if (!reader) {
        return std::nullopt;
    }
    std::vector<std::uint8_t> out(reader->left());
    reader->read(out.data(), out.size());
    fault = reader->fault();
    return fault ? std::nullopt : std::optional(std::move(out));
}

WriteResult write_new_file(const std::string& path, std::span<const std::string_view> pieces) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == ENOSPC || errno == EDQUOT ? WriteResult::full : WriteResult::failed;
    }
    auto result = WriteResult::ok;
    for (auto piece : pieces) {
        while (!piece.empty() && result == WriteResult::ok) {
            const auto n = ::write(fd, piece.data(), piece.size());
            if (n > 0) {
                piece.remove_prefix(static_cast<std::size_t>(n));
            } else if (n == 0 || errno != EINTR) {
                result = n < 0 && (errno == ENOSPC || errno == EDQUOT) ? WriteResult::full : WriteResult::failed;
            }
        }
    }
    if (::close(fd) != 0 && result == WriteResult::ok) {
        result = WriteResult::failed;
    }
    if (result != WriteResult::ok) {
        ::unlink(path.c_str());
    }
    return result;
}
