#include "shell/process/spawn.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "shell/sys/os.hpp"

namespace lc::process {

namespace {

struct Prepared {
    const char* program;
    char* const* argv;
    char* const* envp;
    int null, output, report;
    pid_t parent;
};

/// Between fork and exec only async-signal-safe calls: another thread may have held any lock when we forked.
[[noreturn]] void become(const Prepared& p) {
    const auto give_up = [&] {
        const int error = errno;
        [[maybe_unused]] const ssize_t n = ::write(p.report, &error, sizeof error);
        ::_exit(127);
    };
    // A group of its own: Ctrl-C at the terminal is ours to handle, and a kill reaches what the child started.
    if (::setpgid(0, 0) != 0) give_up();
    if (!sys::tie_to_parent(p.parent)) {
        if (errno == 0) errno = ESRCH;
        give_up();
    }
    sys::offer_to_oom_killer();
    struct sigaction normal {};
    normal.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; ++s) ::sigaction(s, &normal, nullptr);  // ignored signals would stay ignored
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::dup2(p.null, 0) < 0 || ::dup2(p.output, 1) < 0 || ::dup2(p.output, 2) < 0) give_up();
    sys::close_inherited_on_exec();
    ::execve(p.program, p.argv, p.envp);
    give_up();
    ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));  // execve does not write
    out.push_back(nullptr);
    return out;
}

/// A descriptor above stderr: dup2 onto 0 to 2 must not clobber one that is still needed.
Result<sys::UniqueFd> above_stderr(sys::UniqueFd fd) {
    if (fd.get() > 2) return fd;
    const int moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
    if (moved < 0) return fail(Errc::internal, "cannot duplicate a descriptor: " + sys::errno_text(errno));
    return sys::UniqueFd(moved);
}

void reap(pid_t pid) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

}  // namespace

Result<Started> start(const std::string& program, const std::vector<std::string>& args,
                      const std::vector<std::string>& env) {
    auto null = sys::open_cloexec("/dev/null", O_RDONLY);
    if (!null) return tl::unexpected(null.error());
    auto output = sys::pipe_cloexec();
    if (!output) return tl::unexpected(output.error());
    auto report = sys::pipe_cloexec();
    if (!report) return tl::unexpected(report.error());
    for (sys::UniqueFd* fd : {&*null, &output->write, &report->write}) {
        auto safe = above_stderr(std::move(*fd));
        if (!safe) return tl::unexpected(safe.error());
        *fd = std::move(*safe);
    }
    std::vector<std::string> command = {program};
    command.insert(command.end(), args.begin(), args.end());
    const auto argv = pointers(command);
    const auto envp = pointers(env);
    const Prepared prepared{program.c_str(),     argv.data(),         envp.data(), null->get(),
                            output->write.get(), report->write.get(), ::getpid()};

    // No signal handler of ours may run in the child before exec.
    sigset_t all, old;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &old);
    const pid_t pid = ::fork();
    if (pid == 0) {
        errno = 0;
        become(prepared);
    }
    const int fork_error = errno;
    ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
    if (pid < 0) return fail(Errc::internal, "cannot start " + program + ": " + sys::errno_text(fork_error));

    report->write.reset();
    output->write.reset();
    int error = 0;
    ssize_t n = 0;
    do {
        n = ::read(report->read.get(), &error, sizeof error);  // ends when exec closes the other end
    } while (n < 0 && errno == EINTR);
    if (n == sizeof error) {
        reap(pid);
        return fail(error == ENOENT ? Errc::not_found : Errc::internal,
                    "cannot start " + program + ": " + sys::errno_text(error));
    }
    // Not reaped yet, so the pid is still this child's.
    // By number: glibc 2.36 declares pidfd_open without C linkage.
    sys::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
    if (!pidfd) {
        const int open_error = errno;
        ::kill(pid, SIGKILL);
        reap(pid);
        return fail(Errc::internal,
                    "cannot watch " + program + ": pidfd_open: " + sys::errno_text(open_error) + " (Linux 5.3 has it)");
    }
    if (::fcntl(output->read.get(), F_SETFL, O_NONBLOCK) != 0) {
        const int flag_error = errno;
        ::kill(pid, SIGKILL);
        reap(pid);
        return fail(Errc::internal, "cannot read from " + program + ": " + sys::errno_text(flag_error));
    }
    return Started{pid, std::move(pidfd), std::move(output->read)};
}

}  // namespace lc::process
