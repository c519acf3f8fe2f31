#include "shell/sys/os.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "shell/sys/fd.hpp"

namespace lc::sys {

std::uint64_t unix_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::uint64_t read_ahead(const std::string& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat about {};
    if (!file || ::fstat(file.get(), &about) != 0) return 0;
    (void)::posix_fadvise(file.get(), 0, 0, POSIX_FADV_WILLNEED);  // a hint: nothing is lost when it is not taken
    return static_cast<std::uint64_t>(about.st_size);
}

Result<void> random_bytes(std::span<std::uint8_t> out) {
    while (!out.empty()) {
        const ssize_t n = ::getrandom(out.data(), out.size(), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(Errc::internal, "no random bytes: " + errno_text(errno));
        out = out.subspan(static_cast<std::size_t>(n));
    }
    return {};
}

void set_private_umask() {
    ::umask(0077);
}

void ignore_sigpipe() {
    ::signal(SIGPIPE, SIG_IGN);
}

bool wait_for_exit(pid_t pid, int timeout_ms) {
    if (pid <= 0) return false;
    // By number: glibc 2.36 declares pidfd_open without C linkage.
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
    if (!pidfd) return errno == ESRCH;
    pollfd watched{pidfd.get(), POLLIN, 0};
    return ::poll(&watched, 1, timeout_ms) == 1;
}

bool tie_to_parent(pid_t parent) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return false;
    // It may have died between fork and prctl; then we were handed to another parent.
    return ::getppid() == parent;
}

void offer_to_oom_killer() {
    const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    // Best effort: without it the kernel chooses by size, which is nearly always the engine too.
    [[maybe_unused]] const ssize_t n = ::write(fd, "500", 3);
    ::close(fd);
}

void close_inherited_on_exec() {
    if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
    // Kernels before 5.11.
    rlimit limit{};
    const rlim_t most = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
    for (rlim_t fd = 3; fd < most && fd < 65536; ++fd) {
        const int flags = ::fcntl(static_cast<int>(fd), F_GETFD);
        if (flags >= 0) ::fcntl(static_cast<int>(fd), F_SETFD, flags | FD_CLOEXEC);
    }
}

}  // namespace lc::sys
