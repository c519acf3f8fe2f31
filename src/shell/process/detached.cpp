#include "shell/process/detached.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "shell/sys/fd.hpp"
#include "shell/sys/os.hpp"

extern char** environ;

namespace lc::process {

namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));  // execve does not write
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> command_of(const std::string& program, const std::vector<std::string>& args) {
    std::vector<std::string> out{program};
    out.insert(out.end(), args.begin(), args.end());
    return out;
}

Error cannot_start(const std::string& program, int error) {
    return {error == ENOENT ? Errc::not_found : Errc::internal, "cannot start " + program + ": " + sys::errno_text(error)};
}

struct Report {
    pid_t pid = 0;
    int error = 0;
};

/// Runs in the first child: only async-signal-safe calls. The second child becomes the program; its pid, and an exec
/// that failed, are told through the pipe.
[[noreturn]] void split_off(const char* program, char* const* argv, int null, int log, int report) {
    Report told;
    ::setsid();
    told.pid = ::fork();
    if (told.pid != 0) {
        if (told.pid < 0) told.error = errno;
        [[maybe_unused]] const auto n = ::write(report, &told, sizeof told);
        ::_exit(0);
    }
    struct sigaction normal {};
    normal.sa_handler = SIG_DFL;
    for (int s = 1; s < NSIG; ++s) ::sigaction(s, &normal, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::dup2(null, 0) >= 0 && ::dup2(log, 1) >= 0 && ::dup2(log, 2) >= 0) {
        sys::close_inherited_on_exec();
        ::execve(program, argv, environ);
    }
    told = {::getpid(), errno};
    [[maybe_unused]] const auto n = ::write(report, &told, sizeof told);
    ::_exit(127);
}

bool read_report(int fd, Report& to) {
    ssize_t n = 0;
    do {
        n = ::read(fd, &to, sizeof to);  // a report is smaller than PIPE_BUF: it comes whole
    } while (n < 0 && errno == EINTR);
    return n == sizeof to;
}

}  // namespace

Result<pid_t> start_detached(const std::string& program, const std::vector<std::string>& args, const std::string& log_file) {
    auto null = sys::open_cloexec("/dev/null", O_RDONLY);
    if (!null) return tl::unexpected(null.error());
    auto log = sys::open_cloexec(log_file, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
    if (!log) return tl::unexpected(log.error());
    auto report = sys::pipe_cloexec();
    if (!report) return tl::unexpected(report.error());
    const auto command = command_of(program, args);
    const auto argv = pointers(command);
    const pid_t first = ::fork();
    if (first == 0) split_off(program.c_str(), argv.data(), null->get(), log->get(), report->write.get());
    if (first < 0) return tl::unexpected(cannot_start(program, errno));
    report->write.reset();
    while (::waitpid(first, nullptr, 0) < 0 && errno == EINTR) {
    }
    // One report comes from the first child; a second one only when exec failed, in either order.
    Report one, two;
    if (!read_report(report->read.get(), one)) return tl::unexpected(cannot_start(program, EAGAIN));
    const bool failed = read_report(report->read.get(), two);  // else it ended because exec closed the pipe
    if (one.error != 0) return tl::unexpected(cannot_start(program, one.error));
    if (failed && two.error != 0) return tl::unexpected(cannot_start(program, two.error));
    return one.pid;
}

Result<int> run_in_foreground(const std::string& program, const std::vector<std::string>& args,
                              const std::vector<std::string>& env) {
    const auto command = command_of(program, args);
    const auto argv = pointers(command);
    const auto envp = pointers(env);
    // The child must have the default again: the terminal sends Ctrl-C to both of us.
    struct sigaction ignore {}, old_int {}, old_quit {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGINT, &ignore, &old_int);
    ::sigaction(SIGQUIT, &ignore, &old_quit);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGINT);
    ::sigaddset(&defaults, SIGQUIT);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, program.c_str(), nullptr, &attributes, argv.data(), envp.data());
    ::posix_spawnattr_destroy(&attributes);
    int status = 0;
    if (error == 0) {
        while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    ::sigaction(SIGINT, &old_int, nullptr);
    ::sigaction(SIGQUIT, &old_quit, nullptr);
    if (error != 0) return tl::unexpected(cannot_start(program, error));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Error become(const std::string& program, const std::vector<std::string>& args, const std::vector<std::string>& env) {
    const auto command = command_of(program, args);
    ::execve(program.c_str(), pointers(command).data(), pointers(env).data());
    return cannot_start(program, errno);
}

}  // namespace lc::process
