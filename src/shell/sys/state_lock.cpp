#include "shell/sys/state_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace lc::sys {

Result<StateLock> lock_state_dir(const std::string& state_dir) {
    return lock_dir(state_dir, "the state folder", "give this one its own --state-dir");
}

Result<StateLock> lock_dir(const std::string& dir, const std::string& what, const std::string& remedy) {
    const std::string path = dir + "/lock";
    auto fd = open_cloexec(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!fd) return tl::unexpected(fd.error());
    int locked = 0;
    do {
        locked = ::flock(fd->get(), LOCK_EX | LOCK_NB);
    } while (locked != 0 && errno == EINTR);
    if (locked != 0 && errno == EWOULDBLOCK) {
        const auto holder = read_file(path, 32);
        std::string pid = holder ? *holder : std::string();
        while (!pid.empty() && (pid.back() < '0' || pid.back() > '9')) pid.pop_back();
        return fail(Errc::overloaded, what + " " + dir + " is in use by another localcode" +
                                          (pid.empty() ? std::string() : " (pid " + pid + ")") + "; stop it, or " +
                                          remedy);
    }
    if (locked != 0) return fail(Errc::internal, "cannot lock " + path + ": " + errno_text(errno));
    // The file stays when we end: removing it would race with another process that has just opened it.
    if (::ftruncate(fd->get(), 0) != 0) return fail(Errc::internal, "cannot write " + path + ": " + errno_text(errno));
    if (auto written = write_all(fd->get(), std::to_string(::getpid()) + "\n"); !written) {
        return fail(Errc::internal, path + ": " + written.error().detail);
    }
    return StateLock{std::move(*fd)};
}

}  // namespace lc::sys
