// The state behind states.hpp. Internal to app/states.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <atomic>
#include <list>
#include <map>
#include <set>
#include <unordered_set>

#include "app/states/states.hpp"
#include "core/slots/slots.hpp"
#include "shell/kv/hash_file.hpp"
#include "shell/sys/state_lock.hpp"

namespace lc::states {

using Clock = std::chrono::steady_clock;

/// How to find out where system prompt and tools end: the same request twice, with different user texts.
struct HeadProbe {
    Digest key{};
    std::string path;           ///< of the engine's route that renders
    std::string first, second;  ///< bodies for it; empty: the request has no head worth it
};

/// What a slot holds, as far as its state can be found again.
struct Held {
    std::string session, name_space;
    std::vector<kv::StateKey> keys;  ///< ascending by tokens
    std::uint64_t generation = 0;    ///< of the slot, as the engine counts; 0: not known
    std::vector<Digest> chain;       ///< of the last request: head, then messages
    HeadProbe head;
    std::uint64_t serial = 0;        ///< of the request that left it
    bool worth_saving = false;
    kv::Use use;             ///< of the last request
    double prefill_ms = 0;   ///< spent on what it holds, since it came into the slot
};

/// A save under way. Those who wait for the slot wait for `copied`.
struct Saving {
    explicit Saving(const asio::any_io_executor& executor) : changed(executor, Clock::time_point::max()) {}
    asio::steady_timer changed;
    net::CallPtr call;
    bool copied = false, over = false;
};

struct Waiter {
    Waiter(const asio::any_io_executor& executor, std::string s) : session(std::move(s)), timer(executor) {}
    std::string session;
    bool background = false;
    std::uint64_t order = 0;
    Clock::time_point since = Clock::now();
    asio::steady_timer timer;
    std::optional<slots::Choice> choice;
};

/// One incarnation of one engine.
struct EngineSlots {
    std::string model;
    std::uint64_t incarnation = 0;
    net::Target target;
    bool ours = false;
    EngineState about;
    bool exact_history = false;  ///< it keeps the tokens of a history as they were generated
    bool identity_asked = false;
    std::optional<Digest> identity;
    std::string why_not = "starting";  ///< no identity: one word for the cache header
    Digest rendering{};

    std::vector<slots::Slot> slots;
    std::vector<Held> held;
    std::vector<std::shared_ptr<Saving>> saving;
    std::list<std::shared_ptr<Waiter>> waiters;
    std::map<Digest, std::uint32_t> heads;  ///< where the head of this key ends, in tokens; 0: nowhere
    std::set<Digest> heads_stored;
    std::shared_ptr<const engines::ModelInfo> info;
    std::shared_ptr<const engines::Meta> meta;
    std::shared_ptr<asio::steady_timer> lock;  ///< stock servers: held from a restore until the request has begun
    bool gone = false;                      ///< another incarnation has taken its place
};
using EnginePtr = std::shared_ptr<EngineSlots>;

class States {
  public:
    States(asio::any_io_executor e, net::Pool& p, Options o) : executor(std::move(e)), pool(p), options(std::move(o)) {}

    asio::any_io_executor executor;
    net::Pool& pool;
    Options options;
    asio::thread_pool disk{1};     ///< all of the store
    asio::thread_pool hashing{1};  ///< reading models of many gigabytes keeps nobody else waiting
    std::optional<sys::StateLock> store_lock;  ///< nobody else writes to the store's folder; touched on `disk` only
    kv::StorePtr store;            ///< touched on `disk` only
    bool is_open = false;          ///< the store is there
    bool closing = false;
    std::shared_ptr<std::atomic<bool>> stop_hashing = std::make_shared<std::atomic<bool>>(false);
    std::string problem = "not open yet";
    kv::StoreStats last_stats;
    std::map<std::string, EnginePtr> engines;
    std::list<std::string> seen;   ///< sessions whose main request came, the last at the end
    std::unordered_set<std::string> seen_set;
    std::uint64_t order = 0;
    int tasks = 0;                 ///< coroutines of ours under way
};

class Seat {
  public:
    StatesPtr states;
    EnginePtr engine;
    std::size_t slot = 0;
    bool chosen = false;  ///< false: the engine picks slots itself
    bool background = false, keeps = false;  ///< keeps: what it leaves is worth saving
    std::string name_space, kind;
    bool has_parent = false;
    std::vector<Member> members;
    std::vector<Digest> pinned;
    std::vector<Digest> chain;  ///< keys of the request: head, then messages; empty: none
    std::vector<std::optional<Digest>> answers;  ///< of the history, as kv::answer_keys
    bool exact = false;                          ///< token-exact history was asked for
    std::vector<kv::StateKey> known_keys;        ///< of the state that was named to the engine
    HeadProbe head;
    Expected expected;
    std::optional<StateReport> report;
    std::optional<CacheOutcome> outcome;
    kv::Scope scope;
    bool in_memory = false;  ///< the slot held this session's state already
    bool ended = false;
    std::shared_ptr<asio::steady_timer> lock;
};

/// Runs blocking work on a pool; the caller goes on where it was.
template <class T>
awaitable<T> call_there(std::function<T()> work) {
    co_return work();
}
template <class T>
awaitable<T> on_thread(asio::thread_pool& pool, std::function<T()> work) {
    auto there = call_there<T>(std::move(work));
    co_return co_await asio::co_spawn(pool.get_executor(), std::move(there), asio::use_awaitable);
}

/// A coroutine of ours that nobody waits for. Counted, so that `close` can wait.
void run_beside(const StatesPtr& states, awaitable<void> work);

inline void say(const States& states, Level level, std::string_view text) {
    if (states.options.log) states.options.log(level, text);
}
inline void count(const States& states, std::string_view what) {
    if (states.options.counted) states.options.counted(what);
}

// slots.cpp
/// The table of this engine, made anew when the engine is another process than last time.
[[nodiscard]] EnginePtr engine_of(const StatesPtr& states, const engines::Ready& ready);
/// Gives free slots to those who wait.
void deal(const StatesPtr& states, EngineSlots& engine);

/// A free slot for work of our own; nothing when none gets free soon. What was in it is saved before.
awaitable<std::optional<std::size_t>> borrow_slot(StatesPtr states, EnginePtr engine);
void give_back(const StatesPtr& states, EngineSlots& engine, std::size_t slot);

// identity.cpp
/// Fills in `identity`, at once when the model's hash is remembered, else in the background.
awaitable<void> find_identity(StatesPtr states, EnginePtr engine);

// head.cpp
/// Stock servers (`ours` is false) render only chats.
[[nodiscard]] HeadProbe head_probe(const kv::MessageKeys& keys, const api::RequestView& view, std::string_view body,
                                   bool ours);
/// Tokens of the head, 0 when it cannot be told; remembered in `engine.heads`.
awaitable<std::uint32_t> find_head(StatesPtr states, EnginePtr engine, const HeadProbe& probe);

// use.cpp
/// Looks up and pins what the request may start from, and writes the members for the engine.
awaitable<void> prepare_use(StatesPtr states, Seat& seat, const Want& want);
/// The same for a request that must not start from anything.
void prepare_fresh(const States& states, Seat& seat, const Want& want);
void unpin(Seat& seat);

// save.cpp
/// Saves what the slot holds; returns when all is stored, or nothing is to be done.
/// `last`: the engine stops after it; what is not written now is lost.
awaitable<void> save_slot(StatesPtr states, EnginePtr engine, std::size_t slot, bool last = false);
/// Waits until the slot's contents are no longer needed in memory, at most `patience`.
awaitable<void> wait_copied(std::shared_ptr<Saving> saving, std::chrono::milliseconds patience);

// stock.cpp
/// A stock llama-server's slot, restored from a slot file. Takes the engine's lock, which `started` gives back.
awaitable<void> restore_stock(StatesPtr states, Seat& seat, Digest manifest, std::uint32_t n_tokens);
awaitable<bool> save_stock(StatesPtr states, EnginePtr engine, std::size_t slot, Held held, bool last);

}  // namespace lc::states
