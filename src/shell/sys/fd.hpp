// File descriptors that close themselves and are never inherited by children.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace lc::sys {

class UniqueFd {
  public:
    UniqueFd() = default;
    explicit UniqueFd(int fd) : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~UniqueFd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

/// open(2) with O_CLOEXEC, repeated after EINTR. Errors: not_found (no such file), internal; the text names path and
/// reason.
[[nodiscard]] Result<UniqueFd> open_cloexec(const std::string& path, int flags, unsigned mode = 0600);

struct Pipe {
    UniqueFd read, write;
};
[[nodiscard]] Result<Pipe> pipe_cloexec();

/// Writes all bytes to a file or pipe (EINTR and short writes handled).
[[nodiscard]] Result<void> write_all(int fd, std::string_view bytes);

/// Up to `max_bytes` from the start of a regular file; bad_request for folders and the like, not_found when it is
/// missing.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t max_bytes);

/// Writes to a temporary name in the same folder, then renames: readers see the old or the new content, never a part.
/// Mode 0600. Not synced: for files that can be made again.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view content);

/// "No such file or directory" for ENOENT and so on; thread safe.
[[nodiscard]] std::string errno_text(int error);

}  // namespace lc::sys
