// Operating system specifics: stop signals, and the end of the process that started the engine.
#pragma once
#include <functional>
#include <thread>

/// Why the engine has to stop.
enum class StopReason { signal, parent_gone };

/// Blocks SIGINT and SIGTERM (and ignores SIGPIPE) for this thread and all that it starts. Call first in main.
void block_stop_signals();

/// Waits on a thread of its own for SIGINT, SIGTERM or the end of `parent` (0: not watched) and calls `on_stop` once, on
/// that thread. When the process is still there `grace_ms` after that (`orphan_grace_ms` when the parent is gone), or a
/// second signal comes, `last_words` runs and the process ends at once with status 0.
struct ProcessGuard {
    std::function<void(StopReason)> on_stop;
    std::function<void()> last_words;
    int parent = 0;
    int grace_ms = 5000;
    int orphan_grace_ms = 2000;
};

/// The thread runs until the process ends; detached, so that nothing can hang on it. `guard` is copied.
void start_process_guard(ProcessGuard guard);

/// True while `pid` runs. Only for a parent: a process id that was reused counts as running.
bool process_runs(int pid);
