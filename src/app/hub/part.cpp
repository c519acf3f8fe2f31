#include "app/hub/part.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <vector>

#include "core/hub/record.hpp"

namespace lc::hub {
namespace {

std::string part_path(const std::string& final_path) {
    return final_path + ".part";
}
std::string note_path(const std::string& final_path) {
    return final_path + ".part.json";
}

tl::unexpected<Error> fault(std::string_view doing, const std::string& path, int error) {
    std::string detail = "cannot " + std::string(doing) + " " + path + ": " + sys::errno_text(error);
    if (error == ENOSPC || error == EDQUOT) detail += "; what has come is kept: free some space and run this again";
    return fail(error == ENOSPC || error == EDQUOT ? Errc::overloaded : Errc::internal, std::move(detail));
}

/// Up to `max_bytes` from `offset` into `hash`; how many there were.
Result<std::int64_t> hash_range(int fd, Sha256& hash, std::int64_t offset, std::int64_t max_bytes,
                                const std::string& path) {
    std::vector<char> buffer(std::size_t{1} << 20);
    std::int64_t done = 0;
    while (done < max_bytes) {
        const auto want = static_cast<std::size_t>(
            std::min<std::int64_t>(max_bytes - done, static_cast<std::int64_t>(buffer.size())));
        const ssize_t n = ::pread(fd, buffer.data(), want, offset + done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fault("read", path, errno);
        if (n == 0) break;
        hash.update({buffer.data(), static_cast<std::size_t>(n)});
        done += n;
    }
    return done;
}

Result<void> sync_folder(const std::string& path) {
    const std::string folder = path.substr(0, path.rfind('/'));
    auto fd = sys::open_cloexec(folder, O_RDONLY | O_DIRECTORY);
    if (!fd) return tl::unexpected(fd.error());
    if (::fsync(fd->get()) != 0) return fault("sync", folder, errno);
    return {};
}

}  // namespace

std::optional<std::int64_t> file_size(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
    return info.st_size;
}

Result<std::optional<Part>> open_part(const std::string& final_path) {
    const std::string path = part_path(final_path);
    while (true) {
        auto fd = sys::open_cloexec(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
        if (!fd) return tl::unexpected(fd.error());
        int locked = 0;
        do {
            locked = ::flock(fd->get(), LOCK_EX | LOCK_NB);
        } while (locked != 0 && errno == EINTR);
        if (locked != 0 && errno == EWOULDBLOCK) return std::optional<Part>();
        if (locked != 0) return fault("lock", path, errno);
        struct stat ours {
        }, named{};
        if (::fstat(fd->get(), &ours) != 0) return fault("look at", path, errno);
        // Between open and lock the one before us may have finished: then this file has another name by now, or none.
        if (::stat(path.c_str(), &named) != 0 || named.st_ino != ours.st_ino || named.st_dev != ours.st_dev) continue;
        if (!S_ISREG(ours.st_mode)) return fail(Errc::internal, path + " is not a regular file");
        Part part{.final_path = final_path, .fd = std::move(*fd), .size = ours.st_size};
        return std::optional<Part>(std::move(part));
    }
}

std::optional<PartNote> read_note(const Part& part) {
    const auto text = sys::read_file(note_path(part.final_path), 64 << 10);
    return text ? parse_part_note(*text) : std::nullopt;
}

Result<void> write_note(const Part& part, const PartNote& note) {
    return sys::replace_file(note_path(part.final_path), to_json(note));
}

Result<void> clear(Part& part) {
    // The note first: a part without a note is never built upon.
    ::unlink(note_path(part.final_path).c_str());
    if (::ftruncate(part.fd.get(), 0) != 0) return fault("empty", part_path(part.final_path), errno);
    part.size = part.hashed = 0;
    part.hash = Sha256();
    return {};
}

Result<std::int64_t> hash_some(Part& part, std::int64_t max_bytes) {
    auto done = hash_range(part.fd.get(), part.hash, part.hashed, std::min(max_bytes, part.size - part.hashed),
                           part_path(part.final_path));
    if (done) part.hashed += *done;
    return done;
}

Result<void> append(Part& part, std::string_view bytes) {
    std::string_view left = bytes;
    while (!left.empty()) {
        const ssize_t n = ::pwrite(part.fd.get(), left.data(), left.size(), part.size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fault("write", part_path(part.final_path), errno);
        part.hash.update(left.substr(0, static_cast<std::size_t>(n)));
        part.size += n;
        part.hashed += n;
        left.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Result<void> finish(Part& part) {
    const std::string path = part_path(part.final_path);
    if (::fsync(part.fd.get()) != 0) return fault("sync", path, errno);
    if (std::rename(path.c_str(), part.final_path.c_str()) != 0) return fault("rename", path, errno);
    ::unlink(note_path(part.final_path).c_str());
    return sync_folder(part.final_path);
}

void discard(Part& part) {
    ::unlink(note_path(part.final_path).c_str());
    ::unlink(part_path(part.final_path).c_str());
}

Result<Hashing> start_hashing(const std::string& path) {
    auto fd = sys::open_cloexec(path, O_RDONLY);
    if (!fd) return tl::unexpected(fd.error());
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0) return fault("look at", path, errno);
    return Hashing{.fd = std::move(*fd), .size = info.st_size};
}

Result<std::int64_t> hash_some(Hashing& hashing, std::int64_t max_bytes) {
    auto done = hash_range(hashing.fd.get(), hashing.hash, hashing.hashed, max_bytes, "the file");
    if (done) hashing.hashed += *done;
    return done;
}

Result<std::int64_t> disk_free(const std::string& folder) {
    struct statvfs info {};
    if (::statvfs(folder.c_str(), &info) != 0) return fault("ask for the free space of", folder, errno);
    const unsigned long long most = std::numeric_limits<std::int64_t>::max();
    const auto free = static_cast<unsigned long long>(info.f_bavail);
    const auto block = static_cast<unsigned long long>(info.f_frsize);
    return static_cast<std::int64_t>(block != 0 && free > most / block ? most : free * block);
}

}  // namespace lc::hub
