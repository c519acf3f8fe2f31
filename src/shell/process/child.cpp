#include "shell/process/child.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <utility>

#include "shell/process/log_file.hpp"
#include "shell/process/ring.hpp"
#include "shell/process/spawn.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to the program

namespace lc::process {

namespace {

std::vector<std::string> environment(const Spec& spec) {
    std::vector<std::string> out;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (!spec.keep_env || spec.keep_env(text.substr(0, text.find('=')))) out.emplace_back(text);
    }
    out.insert(out.end(), spec.env.begin(), spec.env.end());
    return out;
}

/// Takes the status of a child that has ended (or ends soon, after SIGKILL).
Exit reap(pid_t pid) {
    int status = 0;
    pid_t got = 0;
    do {
        got = ::waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    // ECHILD: somebody set SIGCHLD to be ignored; the child is gone all the same.
    if (got != pid) return {};
    if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
    return {WEXITSTATUS(status), 0};
}

}  // namespace

/// Shared with the pending operations: they end when the Child is destroyed, and may outlive it by one turn of the
/// loop.
struct State : std::enable_shared_from_this<State> {
    State(const asio::any_io_executor& executor, Started started, const Spec& spec, std::function<void(Exit)> callback)
        : pid(started.pid),
          ring(spec.ring_bytes),
          pidfd(executor, started.pidfd.release()),
          pipe(executor, started.output.release()),
          on_exit(std::move(callback)) {}

    pid_t pid;
    Ring ring;
    LogFile log;
    asio::posix::stream_descriptor pidfd, pipe;
    std::function<void(Exit)> on_exit;
    std::array<char, 16384> buffer{};
    bool reaped = false;

    void take(std::size_t n) {
        ring.append({buffer.data(), n});
        log.append({buffer.data(), n});
    }

    /// Takes what is there; false at the end of the output.
    bool drain(int most_turns) {
        for (int i = 0; i < most_turns;) {
            const ssize_t n = ::read(pipe.native_handle(), buffer.data(), buffer.size());
            if (n < 0 && errno == EINTR) continue;
            if (n == 0) return false;
            if (n < 0) return errno == EAGAIN;
            take(static_cast<std::size_t>(n));
            ++i;
        }
        return true;
    }

    // Waits and then reads by itself: nothing is ever in flight in `buffer` when the child's end is noticed.
    void read() {
        pipe.async_wait(asio::posix::descriptor_base::wait_read,
                        [self = shared_from_this()](boost::system::error_code ec) {
                            if (!ec && !self->reaped && self->drain(4)) self->read();
                        });
    }

    void watch() {
        pidfd.async_wait(asio::posix::descriptor_base::wait_read,
                         [self = shared_from_this()](boost::system::error_code ec) {
                             if (ec || self->reaped) return;
                             self->ended();
                         });
    }

    void ended() {
        // A grandchild may hold the pipe open: read what is there, do not wait for its end.
        drain(64);
        // What it started must not outlive it; before reaping, while the group's number is still taken.
        ::kill(-pid, SIGKILL);
        const Exit exit = reap(pid);
        reaped = true;
        close();
        if (on_exit) std::exchange(on_exit, {})(exit);
    }

    void close() {
        boost::system::error_code ec;
        pidfd.close(ec);
        pipe.close(ec);
    }
};

class Child {
  public:
    explicit Child(std::shared_ptr<State> s) : state(std::move(s)) {}
    std::shared_ptr<State> state;
};

void ChildDeleter::operator()(Child* child) const {
    State& state = *child->state;
    state.on_exit = {};
    if (!state.reaped) {
        ::kill(-state.pid, SIGKILL);
        ::kill(state.pid, SIGKILL);
        reap(state.pid);
        state.reaped = true;
    }
    state.close();
    delete child;
}

Result<ChildPtr> spawn(asio::any_io_executor executor, Spec spec, std::function<void(Exit)> on_exit) {
    LogFile log;
    if (!spec.log_file.empty()) {
        auto opened = LogFile::open(spec.log_file, spec.log_max_bytes);
        if (!opened) return tl::unexpected(opened.error());
        log = std::move(*opened);
    }
    auto started = start(spec.program, spec.args, environment(spec));
    if (!started) return tl::unexpected(started.error());
    auto state = std::make_shared<State>(executor, std::move(*started), spec, std::move(on_exit));
    state->log = std::move(log);
    state->read();
    state->watch();
    return ChildPtr(new Child(std::move(state)));
}

pid_t pid(const Child& child) {
    return child.state->pid;
}
bool running(const Child& child) {
    return !child.state->reaped;
}
std::string output(const Child& child) {
    return child.state->ring.text();
}

void terminate(Child& child) {
    if (running(child)) ::kill(child.state->pid, SIGTERM);
}

void kill(Child& child) {
    if (!running(child)) return;
    ::kill(-child.state->pid, SIGKILL);
    ::kill(child.state->pid, SIGKILL);  // in the instant before it has made its group
}

Result<Finished> run(const Spec& spec, std::chrono::milliseconds timeout, std::size_t max_bytes) {
    auto started = start(spec.program, spec.args, environment(spec));
    if (!started) return tl::unexpected(started.error());
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    Finished out;
    std::array<char, 4096> buffer{};
    bool open = true, ended = false;
    while (!ended) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        if (left <= 0) break;
        std::array<pollfd, 2> fds = {
            {{started->pidfd.get(), POLLIN, 0}, {open ? started->output.get() : -1, POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), static_cast<int>(left)) < 0 && errno != EINTR) break;
        ended = fds[0].revents != 0;
        while (open) {
            const ssize_t n = ::read(started->output.get(), buffer.data(), buffer.size());
            if (n < 0 && errno == EINTR) continue;
            if (n == 0) open = false;
            if (n <= 0) break;
            out.output.append(buffer.data(), std::min(static_cast<std::size_t>(n), max_bytes - out.output.size()));
        }
    }
    ::kill(-started->pid, SIGKILL);
    out.exit = reap(started->pid);
    if (!ended)
        return fail(Errc::upstream_timeout,
                    spec.program + " took longer than " + std::to_string(timeout.count()) + " ms");
    return out;
}

}  // namespace lc::process
