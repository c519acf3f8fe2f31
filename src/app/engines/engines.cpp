#include "app/engines/engines.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/engines/loop.hpp"
#include "base/text.hpp"
#include "shell/sys/machine.hpp"

namespace lc::engines {

using namespace std::chrono_literals;

namespace {

constexpr auto waiting = asio::as_tuple(asio::use_awaitable);

awaitable<Result<std::shared_ptr<const Header>>> read_header_there(config::Model model,
                                                                   std::shared_ptr<const Header> known) {
    co_return read_header(model, std::move(known));
}

Error unknown_model(const Loop& loop, std::string_view model) {
    std::vector<std::string_view> names;
    for (const auto& engine : loop.engines) names.push_back(engine->model.name);
    const auto near = nearest(model, names);
    return {Errc::not_found, "there is no local model '" + std::string(model) + "'" +
                                 (near.empty() ? std::string() : "; did you mean '" + std::string(near) + "'?")};
}

/// Takes the waiter out, however the wait ended: by return, by an exception, by the coroutine's destruction.
struct Registration {
    Engine& engine;
    std::shared_ptr<Waiter> waiter;
    Leave* leave;

    Registration(Engine& e, std::shared_ptr<Waiter> w, Leave* l) : engine(e), waiter(std::move(w)), leave(l) {
        engine.waiters.push_back(waiter);
        if (leave != nullptr) leave->wake = [w = waiter] { w->timer.cancel(); };
    }
    ~Registration() {
        engine.waiters.remove(waiter);
        if (leave != nullptr) leave->wake = nullptr;
    }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
};

bool settled(const Loop& loop) {
    for (const auto& engine : loop.engines) {
        const auto phase = engine->state.phase;
        if (engine->child || (phase != engine::Phase::stopped && phase != engine::Phase::backing_off)) return false;
    }
    return loop.tasks == 0;
}

}  // namespace

EnginesPtr make_engines(asio::any_io_executor executor, net::Pool& pool, Options options) {
    auto loop = std::make_shared<Loop>(executor, pool, std::move(options));
    for (const auto& model : loop->options.models) {
        auto engine = std::make_unique<Engine>(executor, model);
        engine->policy = loop->options.policy;
        engine->policy.load_timeout = std::chrono::seconds(model.load_timeout_s);
        engine->socket = loop->options.runtime_dir + "/" + std::to_string(loop->options.port) + "-e" +
                         std::to_string(loop->engines.size()) + ".sock";
        engine->log_file = loop->options.state_dir + "/engines/" + file_name_of(model.name) + ".log";
        loop->engines.push_back(std::move(engine));
    }
    auto out = EnginesPtr(new Engines);
    out->loop = std::move(loop);
    return out;
}

void EnginesDeleter::operator()(Engines* engines) const {
    Loop& loop = *engines->loop;
    loop.closed = true;
    for (const auto& engine : loop.engines) {
        engine->child.reset();  // SIGKILL
        engine->tick.cancel();
        engine->watch.cancel();
        for (const auto& waiter : engine->waiters) {
            waiter->outcome = fail(Errc::overloaded, "the gateway is stopping", 1);
            waiter->timer.cancel();
        }
    }
    loop.files.join();
    delete engines;
}

awaitable<Result<Ready>> acquire(Engines& engines, std::string model, std::function<void(const Waiting&)> on_wait,
                                 Leave* leave) {
    const auto loop = engines.loop;
    Engine* engine = find(*loop, model);
    if (engine == nullptr) co_return tl::unexpected(unknown_model(*loop, model));
    if (leave != nullptr && leave->left) co_return fail(Errc::cancelled, "the client left");
    if (loop->stopping || loop->closed) co_return fail(Errc::overloaded, "the gateway is stopping", 1);
    if (engine->state.phase == engine::Phase::ready) co_return make_ready(*engine);

    const auto began = Clock::now();
    const Registration registered(*engine, std::make_shared<Waiter>(loop->executor), leave);
    Waiter& waiter = *registered.waiter;
    send(*loop, *engine, engine::Wanted{});
    while (!waiter.outcome) {
        const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
        if ((leave != nullptr && leave->left) || cancelled != asio::cancellation_type::none) {
            co_return fail(Errc::cancelled, "the client left");
        }
        if (on_wait) on_wait({engine->state.phase, std::chrono::duration<double>(Clock::now() - began).count()});
        if (waiter.outcome || (leave != nullptr && leave->left)) continue;  // by the callback
        waiter.timer.expires_after(1s);
        co_await waiter.timer.async_wait(waiting);
    }
    if (leave != nullptr && leave->left) co_return fail(Errc::cancelled, "the client left");
    if (!*waiter.outcome) co_return tl::unexpected(waiter.outcome->error());
    // It may have died between the news and this turn of the loop.
    if (engine->state.phase != engine::Phase::ready) {
        co_return fail(Errc::model_load_failed,
                       "model '" + model + "' became ready and ended at once: " + engine->state.last_error, 1);
    }
    co_return make_ready(*engine);
}

std::unique_ptr<Ready> try_acquire(Engines& engines, std::string_view model) {
    const Engine* engine = find(*engines.loop, model);
    if (engine == nullptr || engines.loop->stopping || engine->state.phase != engine::Phase::ready) return nullptr;
    return std::make_unique<Ready>(make_ready(*engine));
}

Glance glance(const Engines& engines, std::string_view model) {
    Glance out;
    const Engine* engine = find(*engines.loop, model);
    if (engine == nullptr) return out;
    out.ready = !engines.loop->stopping && engine->state.phase == engine::Phase::ready;
    out.info = engine->info;
    if (engine->info) {
        out.context_per_slot = out.ready ? engine->probed.context_per_slot : engine->info->context_per_slot;
        out.slots = out.ready ? engine->probed.slots : engine->info->slots;
    }
    if (out.ready && engine->meta) out.vision = engine->meta->vision;
    return out;
}

awaitable<void> settle(Engines& engines, std::string model) {
    const auto loop = engines.loop;
    const Engine* engine = find(*loop, model);
    if (engine == nullptr) co_return;
    const auto incarnation = engine->incarnation;
    const auto until = Clock::now() + 2s;
    asio::steady_timer timer(loop->executor);
    while (!loop->closed && engine->incarnation == incarnation && engine->state.phase == engine::Phase::ready &&
           Clock::now() < until) {
        timer.expires_after(10ms);
        const auto [ec] = co_await timer.async_wait(waiting);
        if (ec) co_return;
    }
}

std::vector<Status> status(const Engines& engines) {
    std::vector<Status> out;
    for (const auto& engine : engines.loop->engines) {
        const auto& state = engine->state;
        Status s;
        s.name = engine->model.name;
        s.phase = state.phase;
        s.pid = state.pid;
        s.restarts = state.restarts;
        s.in_use = *engine->in_use;
        s.waiting = static_cast<int>(engine->waiters.size());
        s.rss_bytes = state.pid != 0 ? sys::rss_bytes(state.pid) : 0;
        const bool ready = state.phase == engine::Phase::ready;
        if (engine->info) {
            s.context_per_slot = ready ? engine->probed.context_per_slot : engine->info->context_per_slot;
            s.slots = ready ? engine->probed.slots : engine->info->slots;
            s.template_note = engine->info->template_note;
            s.notes = engine->info->notes;
        }
        s.ours = ready ? engine->probed.ours : engine->program.ours;
        s.last_error = state.last_error;
        s.log_file = engine->log_file;
        s.seconds_in_phase =
            state.since == engine::Time{} ? 0 : std::chrono::duration<double>(Clock::now() - state.since).count();
        out.push_back(std::move(s));
    }
    return out;
}

awaitable<Result<std::shared_ptr<const ModelInfo>>> describe(Engines& engines, std::string model) {
    const auto loop = engines.loop;
    Engine* engine = find(*loop, model);
    if (engine == nullptr) co_return tl::unexpected(unknown_model(*loop, model));
    if (loop->closed || loop->stopping) co_return fail(Errc::overloaded, "the gateway is stopping", 1);
    const auto known = engine->header;
    auto header = co_await asio::co_spawn(loop->files, read_header_there(engine->model, known), asio::use_awaitable);
    if (!header) co_return tl::unexpected(header.error());
    // A start may have decided more in the meantime; keep that as long as it is about this file.
    if (!engine->info || *header != engine->header) {
        engine->header = *header;
        engine->info = std::make_shared<const ModelInfo>(describe_header(engine->model, **header));
        // What a start would decide: context, slots, template. Where it cannot be told (no engine program, say), the
        // header's facts stand alone, and the start will say why.
        auto input = prepare_input(*loop, *engine);
        auto prepared = co_await asio::co_spawn(loop->files, prepare_there(std::move(input)), asio::use_awaitable);
        if (prepared && engine->header == *header && engine->state.phase == engine::Phase::stopped) {
            engine->info = std::make_shared<const ModelInfo>(std::move(prepared->info));
        }
    }
    co_return engine->info;
}

std::string recent_output(const Engines& engines, std::string_view model) {
    const Engine* engine = find(*engines.loop, model);
    if (engine == nullptr) return {};
    return engine->child ? process::output(*engine->child) : engine->last_output;
}

awaitable<Result<void>> stop(Engines& engines, std::string model) {
    const auto loop = engines.loop;
    Engine* engine = find(*loop, model);
    if (engine == nullptr) co_return tl::unexpected(unknown_model(*loop, model));
    send(*loop, *engine, engine::StopAsked{});
    asio::steady_timer timer(loop->executor);
    while (!loop->closed && engine->state.phase == engine::Phase::stopping) {
        timer.expires_after(10ms);
        const auto [ec] = co_await timer.async_wait(waiting);
        if (ec) co_return fail(Errc::cancelled, "nobody waits any more; the engine is being stopped");
    }
    co_return Result<void>{};
}

awaitable<void> stop_all(Engines& engines, std::chrono::milliseconds grace) {
    const auto loop = engines.loop;
    loop->stopping = true;
    for (const auto& engine : loop->engines) {
        engine->policy.stop_grace = grace;
        send(*loop, *engine, engine::StopAsked{});
    }
    asio::steady_timer timer(loop->executor);
    while (!loop->closed && !settled(*loop)) {
        timer.expires_after(10ms);
        const auto [ec] = co_await timer.async_wait(waiting);
        if (ec) co_return;
    }
}

}  // namespace lc::engines
