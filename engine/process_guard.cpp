#include "process_guard.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <utility>

#include <poll.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/signalfd.h>
#include <sys/syscall.h>
#endif

namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

#ifdef __linux__
/// A descriptor that becomes readable when the process ends (not merely the thread that started us, which is what
/// PR_SET_PDEATHSIG looks at); -1 where the kernel has none.
int open_pidfd(int pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }
#endif

/// True when a stop signal came within `wait_ms`, false after that time or when the parent is gone.
struct Waiter {
    int signal_fd = -1;
    int parent_fd = -1;
    int parent = 0;
    bool was_child = false;

    bool parent_gone() const { return parent != 0 && (was_child ? getppid() != parent : !process_runs(parent)); }

    bool signal_within(int wait_ms) const {
#ifdef __linux__
        pollfd fds[2] = {{signal_fd, POLLIN, 0}, {parent_fd, POLLIN, 0}};
        const int n = poll(fds, parent_fd >= 0 ? 2 : 1, wait_ms);
        if (n > 0 && (fds[0].revents & POLLIN) != 0) {
            signalfd_siginfo info;
            return read(signal_fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info);
        }
        return false;
#else
        const auto set = stop_signals();
        const auto until = Clock::now() + milliseconds(wait_ms);
        while (Clock::now() < until) {
            sigset_t pending;
            sigpending(&pending);
            for (const int s : {SIGINT, SIGTERM}) {
                if (sigismember(&pending, s) == 1) {
                    int got = 0;
                    sigwait(&set, &got);
                    return true;
                }
            }
            std::this_thread::sleep_for(milliseconds(20));
            if (parent_gone()) {
                return false;
            }
        }
        return false;
#endif
    }
};

void run_guard(const ProcessGuard& guard) {
    Waiter waiter;
    waiter.parent = guard.parent;
    waiter.was_child = guard.parent != 0 && getppid() == guard.parent;
#ifdef __linux__
    const auto set = stop_signals();
    waiter.signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (guard.parent != 0) {
        waiter.parent_fd = open_pidfd(guard.parent);
    }
#endif
    auto reason = StopReason::signal;
    // The poll once a second is what notices a dead parent where there is no descriptor for it.
    while (!waiter.signal_within(1000)) {
        if (waiter.parent_gone()) {
            reason = StopReason::parent_gone;
            break;
        }
    }
    // The force of the second half must not depend on the first returning.
    std::thread(guard.on_stop, reason).detach();

    waiter.parent = 0;
    waiter.parent_fd = -1;
    const int grace = reason == StopReason::parent_gone ? guard.orphan_grace_ms : guard.grace_ms;
    const auto until = Clock::now() + milliseconds(grace);
    for (auto now = Clock::now(); now < until; now = Clock::now()) {
        const auto left = std::chrono::duration_cast<milliseconds>(until - now).count();
        if (waiter.signal_within(static_cast<int>(left) + 1)) {
            break;
        }
    }
    guard.last_words();
    _exit(0);
}
}  // namespace

void block_stop_signals() {
    const auto set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

bool process_runs(int pid) { return kill(pid, 0) == 0 || errno == EPERM; }

void start_process_guard(ProcessGuard guard) {
    std::thread([guard = std::move(guard)] { run_guard(guard); }).detach();
}
