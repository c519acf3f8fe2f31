#include "shell/process/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <utility>

namespace lc::process {

Result<LogFile> LogFile::open(std::string path, std::size_t max_bytes) {
    auto fd = sys::open_cloexec(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (!fd) return tl::unexpected(fd.error());
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode))
        return fail(Errc::internal, path + " is not a regular file");
    LogFile out;
    out.path_ = std::move(path);
    out.max_bytes_ = max_bytes;
    out.size_ = static_cast<std::size_t>(info.st_size);
    out.fd_ = std::move(*fd);
    return out;
}

void LogFile::append(std::string_view bytes) {
    if (!fd_ || broken_) return;
    if (size_ > 0 && size_ + bytes.size() > max_bytes_) {
        if (std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) {
            broken_ = true;
            return;
        }
        auto fresh = open(path_, max_bytes_);
        if (!fresh) {
            broken_ = true;
            return;
        }
        *this = std::move(*fresh);
    }
    if (bytes.size() > max_bytes_) bytes.remove_prefix(bytes.size() - max_bytes_);
    if (sys::write_all(fd_.get(), bytes)) {
        size_ += bytes.size();
    } else {
        broken_ = true;
    }
}

}  // namespace lc::process
