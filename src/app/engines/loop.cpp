#include "app/engines/loop.hpp"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <functional>
#include <utility>

#include "core/engine/argv.hpp"
#include "shell/sys/machine.hpp"
#include "shell/sys/os.hpp"

namespace lc::engines {

using namespace std::chrono_literals;

namespace {

std::string seconds_text(Clock::duration time) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f s", std::chrono::duration<double>(time).count());
    return text;
}

/// The last `count` lines, each shown on a line of its own.
std::string last_lines(std::string_view text, int count) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    std::size_t begin = text.size();
    for (int i = 0; i < count && begin != std::string_view::npos && begin > 0; ++i) begin = text.rfind('\n', begin - 1);
    const std::string_view lines = begin == std::string_view::npos || begin == 0 ? text : text.substr(begin + 1);
    return std::string(lines.substr(lines.size() - std::min<std::size_t>(lines.size(), 4000)));
}

// ---- starting ---------------------------------------------------------------------------------------------------

/// Engines that are configured but have no process yet, `except` left out.
int engines_to_come(const Loop& loop, const Engine& except) {
    int count = 0;
    for (const auto& engine : loop.engines) {
        const bool runs = engine->state.phase == engine::Phase::ready || engine->state.pid != 0;
        if (engine.get() != &except && !runs) ++count;
    }
    return count;
}

void on_exit(const std::shared_ptr<Loop>& loop, Engine& engine, std::uint64_t incarnation, process::Exit exit) {
    if (loop->closed || incarnation != engine.incarnation) return;
    engine.last_output = engine.child ? process::output(*engine.child) : std::string();
    engine.child.reset();
    ::unlink(engine.socket.c_str());
    // What a ready engine wrote long ago explains nothing: only its last words do.
    const bool was_ready = engine.state.phase == engine::Phase::ready;
    std::string cause = engine::likely_cause(was_ready ? last_lines(engine.last_output, 8) : engine.last_output,
                                             exit.status, exit.signal);
    if (was_ready) cause = "it died while it was serving: " + cause;
    engine.show_output = engine.state.phase == engine::Phase::starting;
    send(*loop, engine, engine::Exited{exit.status, exit.signal, std::move(cause)});
}

/// The network thread starts the process: the kernel ties the child's life to the thread that made it.
void start_process(const std::shared_ptr<Loop>& loop, Engine& engine, Prepared prepared) {
    engine.header = prepared.header;
    engine.template_problem = std::move(prepared.template_problem);
    engine.info = std::make_shared<const ModelInfo>(std::move(prepared.info));
    engine.program = std::move(prepared.program);
    ::unlink(engine.socket.c_str());  // of an engine that was killed; the state lock says that it is nobody else's
    process::Spec spec;
    spec.program = engine.program.path;
    if (engine.program.ours) spec.args = {"--die-with-parent", std::to_string(::getpid())};
    if (engine.program.ours && !loop->options.kv_dir.empty()) {
        spec.args.insert(spec.args.end(), {"--kv-dir", loop->options.kv_dir});
        spec.env.push_back("LOCALCODE_ENGINE_TOKEN=" + loop->options.engine_token);
    } else if (!engine.program.ours && !loop->options.slot_dir.empty()) {
        spec.args.insert(spec.args.end(), {"--slot-save-path", loop->options.slot_dir + "/"});
    }
    spec.args.insert(spec.args.end(), prepared.args.begin(), prepared.args.end());
    spec.keep_env = engine_inherits;
    spec.log_file = engine.log_file;
    std::string command = spec.program;
    for (const auto& arg : spec.args) command += " " + arg;
    auto child = process::spawn(
        loop->executor, std::move(spec),
        [loop, &engine, at = engine.incarnation](process::Exit exit) { on_exit(loop, engine, at, exit); });
    if (!child) {
        send(*loop, engine, engine::SpawnFailed{child.error().detail});
        return;
    }
    engine.child = std::move(*child);
    const int pid = process::pid(*engine.child);
    log(*loop, Level::info, engine, "starting (pid " + std::to_string(pid) + ")");
    log(*loop, Level::debug, engine, "command: " + command);
    for (const auto& note : engine.info->notes) log(*loop, Level::info, engine, note);
    if (!engine.info->template_note.empty()) log(*loop, Level::info, engine, engine.info->template_note);
    send(*loop, engine, engine::Spawned{pid});
}

awaitable<void> start(std::shared_ptr<Loop> loop, Engine& engine) {
    const std::uint64_t incarnation = ++engine.incarnation;
    engine.preparing = true;
    engine.show_output = false;
    PrepareInput input = prepare_input(*loop, engine);
    auto prepared = co_await asio::co_spawn(loop->files, prepare_there(std::move(input)), asio::use_awaitable);
    if (loop->closed || incarnation != engine.incarnation) co_return;
    engine.preparing = false;
    if (!prepared) {
        send(*loop, engine, engine::SpawnFailed{prepared.error().detail});
    } else if (engine.state.phase != engine::Phase::starting) {
        send(*loop, engine, engine::SpawnFailed{"it was stopped"});
    } else {
        start_process(loop, engine, std::move(*prepared));
    }
}

void watch(Loop& loop, Engine& engine);

awaitable<void> ask_health(std::shared_ptr<Loop> loop, Engine& engine) {
    const std::uint64_t incarnation = engine.incarnation;
    engine.probing = true;
    net::Target target;
    target.unix_path = engine.socket;
    auto probed = co_await probe(loop->pool, std::move(target));
    engine.probing = false;
    // Another process, or none any more: what was heard is about the past.
    if (loop->closed || incarnation != engine.incarnation || !probed || engine.state.phase != engine::Phase::starting)
        co_return;
    engine.probed = std::move(*probed);
    engine.meta = std::make_shared<const Meta>(std::move(engine.probed.meta));
    const auto took = Clock::now() - engine.state.since;
    engine.progressed = Clock::now();
    watch(*loop, engine);
    send(*loop, engine, engine::Healthy{});
    log(*loop, Level::info, engine,
        "ready after " + seconds_text(took) + ": " + std::to_string(engine.probed.slots) + " slots of " +
            std::to_string(engine.probed.context_per_slot) + " tokens, " + engine.meta->engine);
    if (!engine.probed.tools_ok && engine.info->pooling.empty()) {
        log(*loop, Level::warn, engine, make_ready(engine).tools_error);
    }
}

/// A process that uses no CPU and reads no page while somebody waits for it either waits itself (for a client that
/// reads slowly) or hangs (stopped, deadlocked). The first one answers.
awaitable<void> ask_alive(std::shared_ptr<Loop> loop, Engine& engine) {
    const std::uint64_t incarnation = engine.incarnation;
    net::Target target;
    target.unix_path = engine.socket;
    net::Timeouts timeouts;
    timeouts.connect = timeouts.first_byte = timeouts.silence = engine.policy.hang_probe;
    net::Request request;
    request.method = "GET";
    request.target = "/health";
    const auto answer = co_await net::fetch(loop->pool, std::move(target), timeouts, std::move(request));
    if (loop->closed || incarnation != engine.incarnation || engine.state.phase != engine::Phase::ready) co_return;
    // It may have been busy with something else in the meantime: only silence on all sides counts.
    const bool silent = !answer && engine.state.pid != 0 && sys::progress(engine.state.pid) == engine.progress;
    if (silent) {
        const auto quiet = Clock::now() - engine.progressed;
        log(*loop, Level::error, engine,
            "it does nothing and does not answer since " + seconds_text(quiet) + ": killing it");
        send(*loop, engine, engine::Hung{"it hung: no sign of life for " + seconds_text(quiet)});
        co_return;
    }
    engine.progressed = Clock::now();
    watch(*loop, engine);
}

/// Runs a coroutine of ours, counted, its exceptions an error in the log: none of them may end the gateway.
void run(Loop& loop, Engine& engine, awaitable<void> task) {
    ++loop.tasks;
    asio::co_spawn(loop.executor, std::move(task),
                   [self = loop.shared_from_this(), &engine](const std::exception_ptr& error) {
                       --self->tasks;
                       if (!error || self->closed) return;
                       try {
                           std::rethrow_exception(error);
                       } catch (const std::exception& e) {
                           log(*self, Level::error, engine, std::string("internal: ") + e.what());
                           if (engine.preparing) {
                               engine.preparing = false;
                               send(*self, engine, engine::SpawnFailed{std::string("internal error: ") + e.what()});
                           }
                           engine.probing = false;
                       }
                   });
}

void look(Loop& loop, Engine& engine) {
    const auto now = Clock::now();
    const auto progress = sys::progress(engine.state.pid);
    if (progress != engine.progress || *engine.in_use == 0) {
        engine.progress = progress;
        engine.progressed = now;
    }
    if (now - engine.progressed >= engine.policy.hang_after) {
        run(loop, engine, ask_alive(loop.shared_from_this(), engine));
    } else {
        watch(loop, engine);
    }
}

/// Looks at a ready engine every now and then, until it is no longer ready.
void watch(Loop& loop, Engine& engine) {
    engine.watch.expires_after(std::min<Clock::duration>(2s, engine.policy.hang_after / 4));
    engine.watch.async_wait(
        [self = loop.shared_from_this(), &engine, at = engine.incarnation](boost::system::error_code ec) {
            if (ec || self->closed || at != engine.incarnation || engine.state.phase != engine::Phase::ready) return;
            look(*self, engine);
        });
}

// ---- effects ----------------------------------------------------------------------------------------------------

void announce(Engine& engine, const engine::Announce& news) {
    Result<void> outcome;
    if (!news.ready) {
        Error error = news.error;
        if (error.code == Errc::model_load_failed) {
            error.detail = "model '" + engine.model.name + "' could not be loaded: " + error.detail;
            const std::string lines = engine.show_output ? last_lines(engine.last_output, 12) : std::string();
            if (!lines.empty()) error.detail += "\nThe engine's last output:\n" + lines;
        }
        outcome = tl::unexpected(std::move(error));
    }
    for (const auto& waiter : engine.waiters) {
        waiter->outcome = outcome;
        waiter->timer.cancel();
    }
    engine.waiters.clear();
}

void execute(Loop& loop, Engine& engine, const engine::Effect& effect) {
    struct Do {
        Loop& loop;
        Engine& engine;
        void operator()(const engine::Spawn&) const { run(loop, engine, start(loop.shared_from_this(), engine)); }
        void operator()(const engine::Probe&) const {
            if (!engine.probing) run(loop, engine, ask_health(loop.shared_from_this(), engine));
        }
        void operator()(const engine::Terminate&) const {
            if (engine.child) process::terminate(*engine.child);
        }
        void operator()(const engine::Kill&) const {
            if (engine.child) process::kill(*engine.child);
        }
        void operator()(const engine::Announce& news) const { announce(engine, news); }
    };
    std::visit(Do{loop, engine}, effect);
}

/// How soon the state wants to be looked at again; none: only an event changes it.
std::optional<Clock::duration> next_tick(const engine::State& state, Clock::time_point now) {
    switch (state.phase) {
        case engine::Phase::starting: return now - state.since < 3s ? 25ms : 200ms;
        case engine::Phase::stopping: return 50ms;
        case engine::Phase::backing_off:
            if (state.wanted) return std::max<Clock::duration>(state.retry_at - now, 1ms);
            return std::nullopt;
        case engine::Phase::stopped:
        case engine::Phase::ready: return std::nullopt;
    }
    return std::nullopt;
}

void arm(Loop& loop, Engine& engine) {
    const auto wait = next_tick(engine.state, Clock::now());
    if (!wait || engine.tick_armed) return;
    engine.tick_armed = true;
    engine.tick.expires_after(*wait);
    engine.tick.async_wait([self = loop.shared_from_this(), &engine](boost::system::error_code ec) {
        engine.tick_armed = false;
        if (!ec && !self->closed) send(*self, engine, engine::Tick{});
    });
}

}  // namespace

awaitable<Result<Prepared>> prepare_there(PrepareInput input) {
    co_return prepare(input);
}

PrepareInput prepare_input(const Loop& loop, const Engine& engine) {
    PrepareInput input;
    input.model = engine.model;
    input.engine_program = loop.options.engine_program;
    input.templates_dir = loop.options.templates_dir;
    input.engines_dir = loop.options.state_dir + "/engines";
    input.socket = engine.socket;
    input.engines = static_cast<int>(loop.engines.size());
    input.to_come = engines_to_come(loop, engine);
    input.known = engine.header;
    return input;
}

Engine* find(const Loop& loop, std::string_view model) {
    for (const auto& engine : loop.engines) {
        if (engine->model.name == model) return engine.get();
    }
    return nullptr;
}

void log(const Loop& loop, Level level, const Engine& engine, std::string_view text) {
    if (loop.options.log) loop.options.log(level, engine.model.name, text);
}

void send(Loop& loop, Engine& engine, const engine::Event& event) {
    const auto before = engine.state.phase;
    auto next = engine::step(engine.state, event, Clock::now(), engine.policy);
    engine.state = std::move(next.state);
    const auto after = engine.state.phase;
    if (before != after &&
        (after == engine::Phase::backing_off || before == engine::Phase::ready || after == engine::Phase::stopped)) {
        const bool failed = !engine.state.last_error.empty() && before != engine::Phase::stopping;
        log(loop, failed ? Level::error : Level::info, engine,
            std::string(engine::name_of(after)) + (failed ? ": " + engine.state.last_error : std::string()));
    }
    for (const auto& effect : next.effects) execute(loop, engine, effect);
    arm(loop, engine);
}

Ready make_ready(const Engine& engine) {
    Ready out;
    out.model = engine.model.name;
    out.socket = engine.socket;
    out.target.unix_path = engine.socket;
    out.context_per_slot = engine.probed.context_per_slot;
    out.slots = engine.probed.slots;
    out.ours = engine.probed.ours;
    out.tools_ok = engine.probed.tools_ok;
    if (!out.tools_ok) {
        const std::string why = engine.template_problem.empty()
                                    ? "its chat template does not render them; set chat_template for this "
                                      "model to a file, or to the name of a template that ships with llama.cpp"
                                    : engine.template_problem;
        out.tools_error = "model '" + engine.model.name + "' cannot be used with tools: " + why;
    }
    out.incarnation = engine.incarnation;
    out.meta = engine.meta;
    out.info = engine.info;
    ++*engine.in_use;
    out.lease = Lease(nullptr, [count = engine.in_use](const void*) { --*count; });
    return out;
}

}  // namespace lc::engines
