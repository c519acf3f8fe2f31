// Slots and KV states of the local engines: which request gets which slot, which stored state it starts from, and what
// is saved when. One owner of all of it; everything here runs on the network thread, the store on a thread of its own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/engines/engines.hpp"
#include "base/error.hpp"
#include "core/kv/keys/keys.hpp"
#include "core/states/exchange.hpp"
#include "core/states/history.hpp"
#include "core/states/outcome.hpp"
#include "shell/kv/store.hpp"
#include "shell/net/http_client.hpp"

namespace lc::states {

namespace asio = boost::asio;
template <class T>
using awaitable = asio::awaitable<T>;

enum class Level : std::uint8_t { error, warn, info, debug };

struct Options {
    std::vector<config::Model> models;
    std::string dir;               ///< the store's folder; empty: no states are kept
    std::string db_path;           ///< empty: in `dir`
    std::uint64_t max_bytes = 0;   ///< 0: from the free disk
    std::string policy = "adaptive";   ///< adaptive | lru | hazard | lru2
    std::string policy_path;       ///< policy.db; empty: what is learned is lost at the end
    std::uint64_t writes_per_day = 0;  ///< bytes; 0: no limit
    std::string staging_dir;       ///< for slot files of stock servers; empty: not used
    std::string token;             ///< shared with our engines
    std::function<void(Level level, std::string_view text)> log;
    std::function<void(double seconds)> saved;        ///< after each save; may be empty
    std::function<void(std::string_view)> counted;    ///< an event by name: "quarantined", "slot_lost", ...; may be empty
};

class States;
using StatesPtr = std::shared_ptr<States>;

/// Borrows `pool`, which must outlive all use.
[[nodiscard]] StatesPtr make_states(asio::any_io_executor executor, net::Pool& pool, Options options);

/// Opens the store on its thread. Requests that come before run without it.
awaitable<void> open(StatesPtr states);

/// What a request needs to be given a slot. Borrowed until `take` returns.
struct Want {
    std::string session;           ///< empty: one that nobody comes back to
    bool own_session = false;      ///< the client named it: its requests of all kinds have the same
    std::string kind;
    bool has_parent = false;       ///< the session belongs to another one: a subagent's
    std::string name_space;
    std::string cache = "use";     ///< use | refresh | off
    const kv::MessageKeys* keys = nullptr;  ///< null: the endpoint has no messages
    const api::RequestView* view = nullptr;
    std::string_view body;
    const std::vector<std::optional<Digest>>* answers = nullptr;  ///< kv::answer_keys; null: history as it is rendered
    bool several = false;          ///< takes more than one slot (n > 1, several prompts): the engine chooses
};

/// A slot in use by one request; given back when it is destroyed.
class Seat;
struct SeatDeleter {
    void operator()(Seat* seat) const;
};
using SeatPtr = std::unique_ptr<Seat, SeatDeleter>;

/// Waits for a slot and prepares it. `on_wait` is called about once a second with a text for people. Errors: cancelled
/// (Leave). A store that does not answer is no error: the request runs cold.
awaitable<Result<SeatPtr>> take(StatesPtr states, const engines::Ready& ready, Want want,
                                std::function<void(std::string)> on_wait, engines::Leave* leave);

/// Members to put into the request: name and raw JSON.
struct Member {
    std::string name, json;
};
[[nodiscard]] const std::vector<Member>& members(const Seat& seat);

/// The engine began. `report` is null when it does not report (stock servers, requests without a stream so far).
void started(Seat& seat, const StateReport* report);

/// What is known of the cache before or after `started`; null: nothing yet.
[[nodiscard]] std::optional<CacheOutcome> outcome(const Seat& seat);
[[nodiscard]] const std::optional<StateReport>& report(const Seat& seat);

/// Whether the engine keeps the tokens of a history as they were generated; false: not (stock servers, no store).
[[nodiscard]] bool keeps_history(const Seat& seat);

/// Counts that the answer told on its way: what the outcome is made of when the engine reports nothing.
void counted(Seat& seat, std::uint32_t prompt, std::uint32_t cached);

/// The answer ended; counts as llama.cpp gave them (0: unknown). Then the seat may be destroyed. The state is saved when
/// the slot is idle.
struct Finished {
    bool good = false;  ///< the answer is complete (not cancelled, no error)
    std::uint32_t prompt = 0, cached = 0, generated = 0;
    std::optional<Digest> answer;  ///< kv::answer_key of what was generated, when all of it is known and the model ended it
    std::string finish_reason;  ///< as the answer gave it; empty: none
    bool gone = false;          ///< the client left before the end
    double prompt_ms = 0;       ///< of prefill; 0: unknown
};
void finished(Seat& seat, const Finished& how);

/// Saves what is not stored yet, before the engine stops. Returns when it is stored, or after `patience`.
awaitable<void> settle(StatesPtr states, std::string model, std::chrono::milliseconds patience);
awaitable<void> settle_all(StatesPtr states, std::chrono::milliseconds patience);

/// Ends saves under way and closes the store. To be called before the pool and the executor go.
awaitable<void> close(StatesPtr states);

/// The engine died before the request reached it: nothing is known of what the slot holds.
void abandon(Seat& seat);

/// A request of this session will come soon (its model is being loaded, its tool runs): the files of its state are
/// brought into memory meanwhile. Returns at once.
void expect(const StatesPtr& states, const std::string& name_space, const std::string& session);

// For the admin API.

struct HeldSession {
    std::string session, model;
    int slot = 0;
    std::uint64_t tokens = 0, unsaved = 0;
    bool busy = false;
};
[[nodiscard]] std::vector<HeldSession> held(const States& states);
[[nodiscard]] std::string problem(const States& states);  ///< why no store is there; empty: it is

/// Runs `work` on the store's thread and returns its text (JSON). Errors: overloaded when there is no store.
awaitable<Result<std::string>> with_store(StatesPtr states, std::function<Result<std::string>(kv::Store&)> work);

/// One state whose last chunk was computed again by a running engine.
struct DeepResult {
    std::string session, model, result;
    std::uint32_t tokens = 0;
    bool checked = false, good = false;
};
/// The states used last, at most `most` an engine, of engines that run now and whose states can be cut. Each takes a
/// free slot for the time of two short requests; a bad state goes to quarantine.
awaitable<Result<std::vector<DeepResult>>> verify_deep(StatesPtr states, std::size_t most);

/// Live totals, as of the last change.
[[nodiscard]] kv::StoreStats last_stats(const States& states);

}  // namespace lc::states
