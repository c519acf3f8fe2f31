// States of one engine: looks them up as requests come, restores them as slots start, and remembers what started where.
#pragma once
#include "state/restore.h"

#include "server-http.h"
#include "server-task.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

struct common_params;
struct server_context;
struct server_hooks;

/// What is known of a slot without asking the main loop.
struct SlotEntry {
    int id = 0;
    bool busy = false;
    bool foreign = false;  ///< computed with other LoRA adapters than the engine's own
    std::int32_t n_tokens = 0;
    std::uint64_t generation = 0;  ///< counts what started here or replaced what was here
    std::optional<lc::Digest> name_space;  ///< whose tokens it holds; unknown until a request says so
    std::vector<std::uint32_t> checkpoints;  ///< token counts that its last requests asked for
    std::vector<lc::kv::SnapshotRef> stored; ///< of the state that it was restored from: still right where tokens agree
};

class StateService {
  public:
    /// `dir`: the store's folder, empty: no states. `token`: what the gateway must show; empty: no states.
    StateService(std::string dir, std::string token) : dir_(std::move(dir)), token_(std::move(token)) {}

    /// After the model is loaded, before the loop starts. May change `params` no more.
    void loaded(server_context& context, const common_params& params);
    /// Why no states are kept from now on: something changed that the identity does not tell.
    void turn_off(std::string why);

    bool enabled() const { return enabled_.load(); }
    bool has_token(const json& body) const;
    const std::string& dir() const { return dir_; }
    bool swa_full() const { return swa_full_; }
    void describe(json& out) const;  ///< adds members for GET /localcode/engine
    server_context& context() const { return *context_; }

    /// Adds its work to what the hooks do already.
    void install(server_hooks& hooks);

    /// Wraps a route whose requests use slots: says what happened with the state, in the first line or a header.
    server_http_context::handler_t with_state(server_http_context::handler_t inner);

    std::vector<SlotEntry> slots();  ///< after loaded()
    std::optional<SlotEntry> slot(int id) const;
    void touched(int id);  ///< something else replaced what the slot holds

  private:
    struct Pending {
        StateRequest request;
        Plan plan;
        ExactPrompt prompt;
        bool slot_known = false;  ///< the slot is as the request's history says
        std::optional<StateOutcome> outcome;  ///< guarded by mutex_
        double plan_ms = 0;
    };
    using PendingPtr = std::shared_ptr<Pending>;

    void on_request(const json& body, server_task& task);
    void before_start(const server_slot_view& view, server_task& task);
    void start_with_state(const server_slot_view& view, server_task& task, Pending& pending, std::uint64_t generation);
    void on_finish(const server_slot_view& view);
    SlotEntry& entry(int id);  ///< mutex_ held

    const std::string dir_, token_;
    server_context* context_ = nullptr;
    const llama_vocab* vocab_ = nullptr;
    bool swa_full_ = false;
    PlanNeeds needs_;
    json state_;
    std::atomic<bool> enabled_{false};

    mutable std::mutex mutex_;
    std::string why_ = "no --kv-dir";      // guarded by mutex_
    std::map<int, PendingPtr> pending_;    // by task, guarded by mutex_
    std::map<int, SlotEntry> slots_;       // guarded by mutex_
};

/// Throws std::invalid_argument with what is wrong.
StateRequest parse_state_request(const json& member);
/// 64 lower-case hexadecimal digits; throws std::invalid_argument naming `what`.
lc::Digest parse_name(const json& value, const char* what);
/// Ascending token counts; throws std::invalid_argument.
std::vector<std::uint32_t> parse_counts(const json& value, std::size_t most, const char* what);
