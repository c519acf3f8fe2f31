// Which request gets which slot, and when.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>

#include "app/states/loop.hpp"

namespace lc::states {

using namespace std::chrono_literals;

namespace {

constexpr auto tuple_awaitable = asio::as_tuple(asio::use_awaitable);
constexpr auto hold_for_main = 3s;
constexpr auto patience_for_copy = 2s;
constexpr std::size_t max_seen = 4096;

std::string waiting_text(const EngineSlots& engine, const Waiter& waiter) {
    std::size_t before = 0;
    for (const auto& other : engine.waiters) before += other->order < waiter.order ? 1 : 0;
    return "waiting for a slot of model " + engine.model +
           (before > 0 ? " (" + std::to_string(before) + " before)" : std::string());
}

/// Sessions of different tenants are different sessions.
std::string scoped(const Want& want) {
    if (want.session.empty() || want.name_space.empty()) return want.session;
    return want.name_space + '\n' + want.session;
}

void mark_seen(States& states, const std::string& session) {
    if (session.empty() || !states.seen_set.insert(session).second) return;
    states.seen.push_back(session);
    if (states.seen.size() > max_seen) {
        states.seen_set.erase(states.seen.front());
        states.seen.pop_front();
    }
}

/// A title is asked for before the request that it is the title of: that one goes first.
awaitable<void> wait_for_main(StatesPtr states, std::string session, engines::Leave* leave,
                              const std::function<void(std::string)>& on_wait) {
    const auto until = Clock::now() + hold_for_main;
    while (!states->seen_set.contains(session) && Clock::now() < until && !(leave && leave->left) && !states->closing) {
        if (on_wait) on_wait("waiting for the main request of this session");
        asio::steady_timer tick(states->executor, std::min(until, Clock::now() + 100ms));
        co_await tick.async_wait(tuple_awaitable);
    }
}

/// In the queue for as long as it lives.
struct Queued {
    EngineSlots& engine;
    std::shared_ptr<Waiter> waiter;
    engines::Leave* leave;
    Queued(EngineSlots& e, std::shared_ptr<Waiter> w, engines::Leave* l) : engine(e), waiter(std::move(w)), leave(l) {
        engine.waiters.push_back(waiter);
        if (leave) leave->wake = [held = waiter] { held->timer.cancel(); };
    }
    ~Queued() {
        engine.waiters.remove(waiter);
        if (leave) leave->wake = nullptr;
    }
    Queued(const Queued&) = delete;
    Queued& operator=(const Queued&) = delete;
};

std::string session_name(std::string_view scoped_session) {
    const auto at = scoped_session.find('\n');
    return std::string(at == std::string_view::npos ? scoped_session : scoped_session.substr(at + 1));
}

}  // namespace

EnginePtr engine_of(const StatesPtr& states, const engines::Ready& ready) {
    EnginePtr& known = states->engines[ready.model];
    if (known && known->incarnation == ready.incarnation) return known;
    // Who was told of an engine that is gone by now finds nobody there, and asks again.
    const bool late = known && known->incarnation > ready.incarnation;
    EnginePtr engine = late ? nullptr : known;
    if (engine) {
        engine->gone = true;
        std::size_t lost = 0;
        for (const auto& slot : engine->slots) lost += slot.session.empty() ? 0 : 1;
        if (lost > 0) {
            count(*states, "slot_lost");
            say(*states, Level::info, "model " + ready.model + ": the engine is another process now, " +
                                          std::to_string(lost) + " sessions start from the store again");
        }
    }
    engine = std::make_shared<EngineSlots>();
    if (!late) known = engine;
    engine->gone = late;
    engine->model = ready.model;
    engine->incarnation = ready.incarnation;
    engine->target = ready.target;
    engine->ours = ready.ours;
    engine->info = ready.info;
    engine->meta = ready.meta;
    if (ready.meta) {
        engine->about = parse_engine_state(ready.meta->about);
        engine->exact_history = engine->ours && engine->about.supported && engines::has_feature(ready, "exact_history");
        engine->rendering = sha256(ready.meta->chat_template);
    }
    const auto n = static_cast<std::size_t>(std::max<std::int64_t>(ready.slots, 1));
    engine->slots.resize(n);
    engine->held.resize(n);
    engine->saving.resize(n);
    return engine;
}

void deal(const StatesPtr& states, EngineSlots& engine) {
    while (!engine.waiters.empty()) {
        std::vector<slots::Ask> asks;
        std::vector<Waiter*> who;
        for (const auto& waiter : engine.waiters) {
            if (waiter->choice) continue;
            const double waited = std::chrono::duration<double>(Clock::now() - waiter->since).count();
            asks.push_back({waiter->session, waiter->background, waiter->order, waited});
            who.push_back(waiter.get());
        }
        const auto next = slots::next(engine.slots, asks);
        if (!next) return;
        Waiter& waiter = *who[*next];
        waiter.choice = slots::choose(engine.slots, asks[*next]);
        auto& slot = engine.slots[waiter.choice->slot];
        slot.busy = true;
        slot.used = ++states->order;
        waiter.timer.cancel();
    }
}

awaitable<Result<SeatPtr>> take(StatesPtr states, const engines::Ready& ready, Want want,
                                std::function<void(std::string)> on_wait, engines::Leave* leave) {
    const auto engine = engine_of(states, ready);
    SeatPtr seat(new Seat);
    seat->states = states;
    seat->engine = engine;
    seat->name_space = want.name_space;
    seat->kind = want.kind;
    seat->has_parent = want.has_parent;
    if (want.several) {
        // What it leaves in which slot is not known: those that are idle now may all be used.
        for (std::size_t i = 0; i < engine->slots.size(); ++i) {
            if (engine->slots[i].busy) continue;
            engine->slots[i].session.clear();
            engine->slots[i].unsaved = 0;
            engine->held[i].worth_saving = false;
        }
        co_return seat;
    }
    const std::string session = scoped(want);
    seat->background = slots::is_background(want.kind);
    if (!seat->background) mark_seen(*states, session);
    if (seat->background && want.own_session && !states->seen_set.contains(session)) {
        co_await wait_for_main(states, session, leave, on_wait);
    }
    {
        const Queued queued(*engine, std::make_shared<Waiter>(states->executor, session), leave);
        Waiter& waiter = *queued.waiter;
        waiter.background = seat->background;
        waiter.order = ++states->order;
        deal(states, *engine);
        while (!waiter.choice) {
            if (leave && leave->left) co_return fail(Errc::cancelled, "the client left");
            if (states->closing) co_return fail(Errc::overloaded, "LocalCode is shutting down", 5);
            if (on_wait) on_wait(waiting_text(*engine, waiter));
            waiter.timer.expires_after(100ms);
            co_await waiter.timer.async_wait(tuple_awaitable);
            if (!waiter.choice) deal(states, *engine);  // patience may have run out
        }
        seat->slot = waiter.choice->slot;
        seat->chosen = true;
        const bool displaces = waiter.choice->displaces;
        if (waiter.choice->save_first && !engine->saving[seat->slot]) {
            run_beside(states, save_slot(states, engine, seat->slot));
        }
        if (const auto saving = engine->saving[seat->slot]; saving && (displaces || waiter.choice->save_first)) {
            co_await wait_copied(saving, patience_for_copy);
        }
        if (leave && leave->left) co_return fail(Errc::cancelled, "the client left");
    }
    auto& slot = engine->slots[seat->slot];
    auto& held = engine->held[seat->slot];
    seat->in_memory = !session.empty() && slot.session == session;
    const bool other_tenant = held.serial != 0 && held.name_space != want.name_space;
    if (!seat->in_memory) {
        const auto name_space = held.name_space;
        // Its tool runs: it comes back within seconds, to whatever slot is free then.
        if (held.use.finish == policy::Finish::tool_calls) expect(states, name_space, held.session);
        held = Held{};
        held.name_space = name_space;
    }
    slot.session = seat->background ? std::string() : session;
    slot.unsaved = 0;
    seat->members.push_back({"id_slot", std::to_string(seat->slot)});
    if (want.keys) {
        seat->chain.push_back(want.keys->head);
        seat->chain.insert(seat->chain.end(), want.keys->messages.begin(), want.keys->messages.end());
    }
    seat->keeps = !seat->background && want.cache != "off" && !session.empty();
    co_await find_identity(states, engine);
    // Our engines keep tenants apart themselves, once they are told whose tokens come.
    const bool told = engine->ours && engine->identity && states->is_open;
    if (want.cache != "use") {
        seat->members.push_back({"cache_prompt", "false"});
        prepare_fresh(*states, *seat, want);
        seat->expected.reason = "cache_" + want.cache;
    } else {
        co_await prepare_use(states, *seat, want);
        if (other_tenant && !told && !seat->report) {
            seat->members.push_back({"cache_prompt", "false"});
            seat->expected.reason = "tenant";
        }
    }
    held.name_space = want.name_space;
    held.session = session_name(session);
    held.chain = seat->chain;
    held.head = seat->head;
    held.serial = ++states->order;
    held.worth_saving = seat->keeps;
    held.generation = 0;  // until the engine tells
    co_return seat;
}

awaitable<std::optional<std::size_t>> borrow_slot(StatesPtr states, EnginePtr engine) {
    const auto until = Clock::now() + 10s;
    while (Clock::now() < until && !states->closing && !engine->gone) {
        if (engine->waiters.empty()) {
            slots::Ask ask;
            ask.background = true;
            if (const auto choice = slots::choose(engine->slots, ask)) {
                auto& slot = engine->slots[choice->slot];
                slot.busy = true;
                if (choice->save_first && !engine->saving[choice->slot]) {
                    run_beside(states, save_slot(states, engine, choice->slot));
                }
                if (const auto saving = engine->saving[choice->slot]) co_await wait_copied(saving, patience_for_copy);
                slot.session.clear();
                slot.unsaved = 0;
                engine->held[choice->slot] = Held{};
                co_return choice->slot;
            }
        }
        asio::steady_timer tick(states->executor, 100ms);
        co_await tick.async_wait(tuple_awaitable);
    }
    co_return std::nullopt;
}

void give_back(const StatesPtr& states, EngineSlots& engine, std::size_t slot) {
    engine.slots[slot].busy = false;
    engine.slots[slot].used = 0;
    deal(states, engine);
}

}  // namespace lc::states
