#include "shell/sys/fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace lc::sys {

std::string errno_text(int error) {
    return std::generic_category().message(error);
}

void UniqueFd::reset(int fd) {
    // After close(2) the number is free even when it reports EINTR (Linux): never repeated.
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

Result<UniqueFd> open_cloexec(const std::string& path, int flags, unsigned mode) {
    int fd = -1;
    do {
        fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        const int error = errno;
        return fail(error == ENOENT ? Errc::not_found : Errc::internal,
                    "cannot open " + path + ": " + errno_text(error));
    }
    return UniqueFd(fd);
}

Result<Pipe> pipe_cloexec() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return fail(Errc::internal, "cannot make a pipe: " + errno_text(errno));
    return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Result<void> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Errc::internal, "cannot write: " + errno_text(errno));
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
    // O_NONBLOCK: a FIFO of that name must not hang us.
    auto fd = open_cloexec(path, O_RDONLY | O_NONBLOCK);
    if (!fd) return tl::unexpected(fd.error());
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0) return fail(Errc::internal, "cannot stat " + path + ": " + errno_text(errno));
    if (!S_ISREG(info.st_mode)) return fail(Errc::bad_request, path + " is not a regular file");
    std::string out;
    // Files of /proc and /sys say size 0 and still have content: read until the end, not until st_size.
    const std::size_t expected = info.st_size > 0 ? static_cast<std::size_t>(info.st_size) + 1 : 4096;
    while (out.size() < max_bytes) {
        const std::size_t old = out.size();
        const std::size_t want = std::min(max_bytes - old, old == 0 ? expected : std::max<std::size_t>(old, 65536));
        out.resize(old + want);
        ssize_t n = 0;
        do {
            n = ::read(fd->get(), out.data() + old, want);
        } while (n < 0 && errno == EINTR);
        if (n < 0) return fail(Errc::internal, "cannot read " + path + ": " + errno_text(errno));
        out.resize(old + static_cast<std::size_t>(n));
        if (n == 0) break;
    }
    return out;
}

Result<void> replace_file(const std::string& path, std::string_view content) {
    const std::string temporary = path + ".tmp" + std::to_string(::getpid());
    auto fd = open_cloexec(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
    if (!fd) return tl::unexpected(fd.error());
    if (auto written = write_all(fd->get(), content); !written) {
        ::unlink(temporary.c_str());
        return fail(Errc::internal, temporary + ": " + written.error().detail);
    }
    fd->reset();
    if (std::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(temporary.c_str());
        return fail(Errc::internal, "cannot rename to " + path + ": " + errno_text(error));
    }
    return {};
}

}  // namespace lc::sys
