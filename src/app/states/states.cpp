// Opening, closing, and what the admin API asks.
#include "app/states/states.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "app/states/loop.hpp"

namespace lc::states {

namespace {

constexpr auto tuple_awaitable = asio::as_tuple(asio::use_awaitable);

struct Opened {
    std::string problem;
    kv::StoreStats stats;
};

Opened open_there(const StatesPtr& states) {
    kv::StoreOptions options;
    options.dir = states->options.dir;
    options.db_path = states->options.db_path;
    options.max_bytes = states->options.max_bytes;
    options.policy = states->options.policy;
    options.policy_path = states->options.policy_path;
    options.writes_per_day = states->options.writes_per_day;
    // Called on the store's thread.
    const std::weak_ptr<States> weak = states;
    const auto executor = states->executor;
    options.report = [weak, executor](std::string_view line) {
        asio::post(executor, [weak, text = std::string(line)] {
            if (const auto held = weak.lock()) say(*held, Level::warn, text);
        });
    };
    options.news = [weak, executor](std::string_view line) {
        asio::post(executor, [weak, text = std::string(line)] {
            if (const auto held = weak.lock()) say(*held, Level::info, text);
        });
    };
    Opened out;
    if (auto made = options.files.make_dir(options.dir); !made) {
        out.problem = made.error().detail;
        return out;
    }
    // A state folder is one gateway's already; this folder may be set to another's.
    auto lock = sys::lock_dir(options.dir, "the folder of KV states", "give this one its own [kv] dir");
    if (!lock) {
        out.problem = lock.error().detail;
        return out;
    }
    auto store = kv::open_store(std::move(options));
    if (!store) {
        out.problem = store.error().detail;
        return out;
    }
    states->store = std::move(*store);
    states->store_lock = std::move(*lock);
    if (const auto stats = kv::stats(*states->store)) out.stats = *stats;
    return out;
}

awaitable<void> guarded(StatesPtr states, awaitable<void> work) {
    ++states->tasks;
    try {
        co_await std::move(work);
    } catch (const std::exception& e) {
        say(*states, Level::error, std::string("kv: ") + e.what());
    }
    --states->tasks;
}

bool anything_unsaved(const States& states, std::string_view model) {
    for (const auto& [name, engine] : states.engines) {
        if (!engine || engine->gone || (!model.empty() && name != model)) continue;
        for (std::size_t i = 0; i < engine->slots.size(); ++i) {
            if (engine->saving[i] || (engine->slots[i].unsaved > 0 && engine->held[i].worth_saving)) return true;
        }
    }
    return false;
}

}  // namespace

void run_beside(const StatesPtr& states, awaitable<void> work) {
    auto task = guarded(states, std::move(work));
    asio::co_spawn(states->executor, std::move(task), asio::detached);
}

StatesPtr make_states(asio::any_io_executor executor, net::Pool& pool, Options options) {
    return std::make_shared<States>(std::move(executor), pool, std::move(options));
}

awaitable<void> open(StatesPtr states) {
    if (states->options.dir.empty()) {
        states->problem = "switched off";
        co_return;
    }
    const std::function<Opened()> work = [states] { return open_there(states); };
    const auto opened = co_await on_thread<Opened>(states->disk, work);
    states->problem = opened.problem;
    states->is_open = opened.problem.empty();
    states->last_stats = opened.stats;
    if (!states->is_open) {
        say(*states, Level::warn, "KV states are not kept: " + opened.problem);
    }
}

awaitable<void> settle(StatesPtr states, std::string model, std::chrono::milliseconds patience) {
    const auto until = Clock::now() + patience;
    for (const auto& [name, engine] : states->engines) {
        if (!engine || engine->gone || (!model.empty() && name != model)) continue;
        for (std::size_t i = 0; i < engine->slots.size(); ++i) {
            const bool idle = !engine->slots[i].busy && !engine->saving[i];
            if (idle && engine->slots[i].unsaved > 0) run_beside(states, save_slot(states, engine, i, true));
        }
    }
    while (anything_unsaved(*states, model) && Clock::now() < until) {
        asio::steady_timer tick(states->executor, std::chrono::milliseconds(10));
        co_await tick.async_wait(tuple_awaitable);
        bool under_way = false;
        for (const auto& [name, engine] : states->engines) {
            for (const auto& saving : engine->saving) under_way = under_way || saving;
        }
        if (!under_way && states->tasks == 0) break;  // what is still unsaved cannot be saved
    }
}

awaitable<void> settle_all(StatesPtr states, std::chrono::milliseconds patience) {
    co_await settle(states, "", patience);
}

awaitable<void> close(StatesPtr states) {
    states->closing = true;
    *states->stop_hashing = true;
    for (const auto& [name, engine] : states->engines) {
        for (const auto& saving : engine->saving) {
            if (saving && saving->call) net::cancel(*saving->call);
        }
        for (const auto& waiter : engine->waiters) waiter->timer.cancel();
    }
    while (states->tasks > 0) {
        asio::steady_timer tick(states->executor, std::chrono::milliseconds(5));
        co_await tick.async_wait(tuple_awaitable);
    }
    if (!states->is_open) co_return;
    states->is_open = false;
    const std::function<bool()> work = [states] {
        states->store.reset();
        states->store_lock.reset();
        return true;
    };
    co_await on_thread<bool>(states->disk, work);
    states->disk.join();
}

void expect(const StatesPtr& states, const std::string& name_space, const std::string& session) {
    if (!states->is_open || session.empty()) return;
    const auto tenant = kv::namespace_digest(name_space);
    asio::post(states->disk, [states, tenant, session] { (void)kv::stage_session(*states->store, tenant, session); });
}

std::vector<HeldSession> held(const States& states) {
    std::vector<HeldSession> out;
    for (const auto& [name, engine] : states.engines) {
        if (!engine || engine->gone) continue;
        for (std::size_t i = 0; i < engine->slots.size(); ++i) {
            const auto& slot = engine->slots[i];
            const auto& content = engine->held[i];
            if (content.session.empty() || slot.session.empty()) continue;
            HeldSession one;
            one.session = content.session;
            one.model = name;
            one.slot = static_cast<int>(i);
            one.tokens = content.keys.empty() ? 0 : content.keys.back().n_tokens;
            one.unsaved = slot.unsaved;
            one.busy = slot.busy;
            out.push_back(std::move(one));
        }
    }
    return out;
}

std::string problem(const States& states) { return states.problem; }

awaitable<Result<std::string>> with_store(StatesPtr states, std::function<Result<std::string>(kv::Store&)> work) {
    if (!states->is_open) co_return fail(Errc::overloaded, "no KV states are kept: " + states->problem, 5);
    using Answer = Result<std::string>;
    const std::function<Answer()> there = [states, work] { return work(*states->store); };
    auto answer = co_await on_thread<Answer>(states->disk, there);
    co_return answer;
}

kv::StoreStats last_stats(const States& states) { return states.last_stats; }

}  // namespace lc::states
