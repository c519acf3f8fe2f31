#include "shell/kv/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <memory>

#include "shell/sys/fd.hpp"

namespace lc::kv {

namespace {

using sys::UniqueFd;

tl::unexpected<FileFault> fault(int code, std::string_view doing, const std::string& path) {
    return tl::unexpected(FileFault{code, "cannot " + std::string(doing) + " " + path + ": " + sys::errno_text(code)});
}

FileResult<UniqueFd> open_file(const std::string& path, int flags) {
    while (true) {
        UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (fd) return fd;
        if (errno != EINTR) return fault(errno, "open", path);
    }
}

FileResult<void> make_dir(const std::string& dir) {
    for (std::size_t at = dir.find('/', 1); at != std::string::npos; at = dir.find('/', at + 1)) {
        if (::mkdir(dir.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES) {
            return fault(errno, "make", dir.substr(0, at));
        }
    }
    if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) return fault(errno, "make", dir);
    return {};
}

FileResult<void> write_new(const std::string& path, std::span<const std::string_view> pieces) {
    auto fd = open_file(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!fd) return tl::unexpected(fd.error());
    std::vector<iovec> left;
    left.reserve(pieces.size());
    for (const std::string_view piece : pieces) {
        if (!piece.empty()) left.push_back({const_cast<char*>(piece.data()), piece.size()});
    }
    for (std::size_t at = 0; at < left.size();) {
        const ssize_t n =
            ::writev(fd->get(), &left[at], static_cast<int>(std::min<std::size_t>(left.size() - at, IOV_MAX)));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fault(errno, "write", path);
        for (auto written = static_cast<std::size_t>(n); written > 0;) {
            const std::size_t part = std::min(written, left[at].iov_len);
            left[at].iov_base = static_cast<char*>(left[at].iov_base) + part;
            left[at].iov_len -= part;
            written -= part;
            if (left[at].iov_len == 0) ++at;
        }
    }
    // Closing can report what writing did not (quota, network file systems).
    if (::close(fd->release()) != 0 && errno != EINTR) return fault(errno, "write", path);
    return {};
}

FileResult<void> sync_path(const std::string& path, int flags) {
    auto fd = open_file(path, flags);
    if (!fd) return tl::unexpected(fd.error());
    while (::fsync(fd->get()) != 0) {
        if (errno != EINTR) return fault(errno, "sync", path);
    }
    return {};
}

FileResult<std::vector<FileEntry>> list(const std::string& dir) {
    struct Close {
        void operator()(DIR* d) const { ::closedir(d); }
    };
    const std::unique_ptr<DIR, Close> open(::opendir(dir.c_str()));
    if (!open) {
        if (errno == ENOENT) return std::vector<FileEntry>{};
        return fault(errno, "list", dir);
    }
    std::vector<FileEntry> out;
    while (true) {
        errno = 0;
        const dirent* entry = ::readdir(open.get());
        if (entry == nullptr) {
            if (errno != 0) return fault(errno, "list", dir);
            break;
        }
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        struct stat info {};
        if (::fstatat(::dirfd(open.get()), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
        out.push_back({name, S_ISDIR(info.st_mode), static_cast<std::uint64_t>(info.st_size)});
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

FileResult<std::string> read(const std::string& path, std::uint64_t offset, std::uint64_t max_bytes) {
    auto fd = open_file(path, O_RDONLY);
    if (!fd) return tl::unexpected(fd.error());
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0) return fault(errno, "read", path);
    const auto size = static_cast<std::uint64_t>(info.st_size);
    std::string out(offset >= size ? 0 : std::min(max_bytes, size - offset), '\0');
    for (std::size_t at = 0; at < out.size();) {
        const ssize_t n = ::pread(fd->get(), out.data() + at, out.size() - at, static_cast<off_t>(offset + at));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fault(errno, "read", path);
        if (n == 0) out.resize(at);  // it became shorter
        at += static_cast<std::size_t>(n);
    }
    return out;
}

FileResult<std::uint64_t> size(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return fault(errno, "look at", path);
    return static_cast<std::uint64_t>(info.st_size);
}

FileResult<DiskSpace> space(const std::string& dir) {
    struct statvfs info {};
    if (::statvfs(dir.c_str(), &info) != 0) return fault(errno, "look at", dir);
    return DiskSpace{std::uint64_t{info.f_bavail} * info.f_frsize, std::uint64_t{info.f_blocks} * info.f_frsize};
}

}  // namespace

Files real_files() {
    return {make_dir,
            write_new,
            [](const std::string& path) { return sync_path(path, O_RDONLY); },
            [](const std::string& dir) { return sync_path(dir, O_RDONLY | O_DIRECTORY); },
            [](const std::string& from, const std::string& to) -> FileResult<void> {
                if (::rename(from.c_str(), to.c_str()) != 0) return fault(errno, "rename", from);
                return {};
            },
            [](const std::string& path) -> FileResult<void> {
                if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fault(errno, "remove", path);
                return {};
            },
            list,
            read,
            size,
            space};
}

std::uint64_t default_budget(std::uint64_t free_bytes) {
    constexpr std::uint64_t most = 50'000'000'000;
    return std::min(most, free_bytes / 5);
}

}  // namespace lc::kv
