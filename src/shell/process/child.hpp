// Child processes: started without a shell, their output kept bounded, their end noticed at once, none left behind.
#pragma once

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace lc::process {

namespace asio = boost::asio;

struct Spec {
    std::string program;                                  ///< path; no search in PATH
    std::vector<std::string> args;                        ///< without the program's own name
    std::function<bool(std::string_view name)> keep_env;  ///< which variables the child inherits; empty: all
    std::vector<std::string> env;                         ///< "NAME=value" beside those
    std::string log_file;                                 ///< output is appended there too (mode 0600); empty: nowhere
    std::size_t log_max_bytes = 4 << 20;  ///< then it is rotated to `<log_file>.1`, which replaces the one before
    std::size_t ring_bytes = 64 << 10;    ///< the newest output that is kept in memory
};

struct Exit {
    int status = 0;  ///< when it ended by itself
    int signal = 0;  ///< else the signal that ended it
};

/// A running child in a process group of its own. Stdin is /dev/null, stdout and stderr go to the ring and the log. It
/// is killed when this process ends, however it ends (kill -9 too), and when the Child is destroyed.
class Child;
struct ChildDeleter {
    void operator()(Child* child) const;
};
using ChildPtr = std::unique_ptr<Child, ChildDeleter>;

/// Starts a program. `on_exit` is called once on the executor, after the last output was read; never after the Child
/// was destroyed, never from inside spawn. Must be called on a thread that lives as long as the child should (the
/// kernel ties the child to the thread): the network thread. Errors: not_found (no such program), internal (the text
/// says why).
[[nodiscard]] Result<ChildPtr> spawn(asio::any_io_executor executor, Spec spec, std::function<void(Exit)> on_exit);

[[nodiscard]] pid_t pid(const Child& child);
[[nodiscard]] bool running(const Child& child);

/// The newest output, at most `ring_bytes`, beginning at a line.
[[nodiscard]] std::string output(const Child& child);

/// SIGTERM to the child alone: it knows how to end what it started.
void terminate(Child& child);
/// SIGKILL to its whole process group.
void kill(Child& child);

/// Runs a program to its end and returns what it wrote to stdout and stderr (at most `max_bytes`). Blocks: not on the
/// network thread. upstream_timeout when it took longer (it is killed then).
struct Finished {
    Exit exit;
    std::string output;
};
[[nodiscard]] Result<Finished> run(const Spec& spec, std::chrono::milliseconds timeout,
                                   std::size_t max_bytes = 64 << 10);

}  // namespace lc::process
