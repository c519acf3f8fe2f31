// The state behind engines.hpp: one value per engine, changed only by `send` (event -> step -> effects).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/engines/engines.hpp"
#include "app/engines/prepare.hpp"
#include "app/engines/probe.hpp"
#include "shell/process/child.hpp"

namespace lc::engines {

using Clock = std::chrono::steady_clock;

struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    std::optional<Result<void>> outcome;
};

struct Engine {
    Engine(const asio::any_io_executor& executor, config::Model m)
        : model(std::move(m)), tick(executor), watch(executor) {}

    config::Model model;
    engine::Policy policy;
    engine::State state;
    std::string socket, log_file;
    std::uint64_t incarnation = 0;  ///< of the start under way or running; tells late news from current ones
    process::ChildPtr child;
    std::string last_output;   ///< of the process that ended last
    bool show_output = false;  ///< the last failure was a process that ended: its last lines explain it
    bool preparing = false, probing = false;
    std::shared_ptr<const Header> header;
    std::shared_ptr<const ModelInfo> info;
    std::string template_problem;
    Program program;
    std::shared_ptr<const Meta> meta;
    Probed probed;  ///< valid while ready
    std::shared_ptr<int> in_use = std::make_shared<int>(0);
    std::list<std::shared_ptr<Waiter>> waiters;
    asio::steady_timer tick;
    bool tick_armed = false;
    asio::steady_timer watch;               ///< while ready: does it still live?
    std::optional<std::uint64_t> progress;  ///< what its process had used when it was looked at last
    Clock::time_point progressed{};         ///< when that changed last, or it answered, or nobody used it
};

struct Loop : std::enable_shared_from_this<Loop> {
    Loop(asio::any_io_executor e, net::Pool& p, Options o)
        : executor(std::move(e)), pool(p), options(std::move(o)), files(1) {}

    asio::any_io_executor executor;
    net::Pool& pool;
    Options options;
    asio::thread_pool files;  ///< blocking files and short program runs
    std::vector<std::unique_ptr<Engine>> engines;
    int tasks = 0;          ///< coroutines of ours under way
    bool stopping = false;  ///< stop_all was called
    bool closed = false;    ///< Engines is gone: touch nothing of its owner's
};

class Engines {
  public:
    std::shared_ptr<Loop> loop;
};

[[nodiscard]] Engine* find(const Loop& loop, std::string_view model);

/// The only way to change an engine's state. May run effects at once (announce, spawn), so iterators over waiters die.
void send(Loop& loop, Engine& engine, const engine::Event& event);

/// The name's Ready; the engine must be ready.
[[nodiscard]] Ready make_ready(const Engine& engine);

void log(const Loop& loop, Level level, const Engine& engine, std::string_view text);

/// What a start of this engine now would be decided from, and the deciding on the file thread.
[[nodiscard]] PrepareInput prepare_input(const Loop& loop, const Engine& engine);
awaitable<Result<Prepared>> prepare_there(PrepareInput input);

}  // namespace lc::engines
