#include "state/service.h"

#include "state/identity.h"
#include "state/reuse.h"
#include "state/text_tokens.h"

#include "common.h"
#include "server-context.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <future>
#include <stdexcept>
#include <utility>

namespace kv = lc::kv;

namespace {
constexpr const char* member_name = "localcode_state";
// llama.cpp keeps a checkpoint at each user message only when they are this far apart.
constexpr std::size_t llama_checkpoint_step = 8192;

constexpr std::chrono::milliseconds slots_wait{20};

/// The request whose handler runs on this thread, and the tasks that came of it.
struct Running {
    const std::string* body = nullptr;  ///< as it came, when the route rewrites it
    std::vector<int> tasks;
};
thread_local Running* running = nullptr;

double ms_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

/// Checkpoints exactly there; without a wish, where llama.cpp itself would.
void place_checkpoints(common_chat_msg_spans& spans, const std::vector<std::uint32_t>& wanted) {
    if (!wanted.empty()) {
        spans.spans.clear();
        for (const auto at : wanted) {
            spans.add(COMMON_CHAT_ROLE_USER, at, 1);
        }
        return;
    }
    const auto last = spans.last_user_message_pos();
    std::size_t kept = 0;
    bool any = false;
    std::erase_if(spans.spans, [&](const common_chat_msg_span& span) {
        if (span.role != COMMON_CHAT_ROLE_USER || static_cast<std::int32_t>(span.pos) == last) {
            return false;
        }
        const bool drop = any && span.pos <= kept + llama_checkpoint_step;
        if (!drop) {
            kept = span.pos;
            any = true;
        }
        return drop;
    });
}
}  // namespace

void StateService::loaded(server_context& context, const common_params& params) {
    context_ = &context;
    swa_full_ = params.swa_full;
    auto* ctx = context.get_llama_context();
    vocab_ = llama_model_get_vocab(llama_get_model(ctx));
    const auto memory = memory_of(ctx, swa_full_);
    std::string why = memory.why;
    if (dir_.empty() || token_.empty()) {
        why = dir_.empty() ? "no --kv-dir" : "no LOCALCODE_ENGINE_TOKEN";
    } else if (params.embedding) {
        why = "an engine for embeddings";
    }
    const std::lock_guard lock(mutex_);
    for (int id = 0; id < params.n_parallel; ++id) {
        entry(id);
    }
    why_ = why;
    if (why.empty()) {
        needs_ = {memory.cuttable(), memory.rows != nullptr, memory.needs_a_new_token()};
        state_ = describe_state(ctx, memory, params);
        enabled_ = true;
    }
}

void StateService::turn_off(std::string why) {
    const std::lock_guard lock(mutex_);
    if (enabled_.exchange(false)) {
        why_ = std::move(why);
    }
}

bool StateService::has_token(const json& body) const {
    const auto shown = body.value("token", json());
    return !token_.empty() && shown.is_string() && lc::equal_constant_time(shown.get<std::string>(), token_);
}

void StateService::describe(json& out) const {
    const std::lock_guard lock(mutex_);
    if (enabled_) {
        out["state"] = state_;
    } else {
        out["state_why"] = why_;
    }
}

void StateService::install(server_hooks& hooks) {
    hooks.on_request = [this, before = std::move(hooks.on_request)](const json& body, server_task& task) {
        if (before) {
            before(body, task);
        }
        on_request(body, task);
    };
    hooks.before_start = [this](const server_slot_view& view, server_task& task) { before_start(view, task); };
    hooks.on_finish = [this](const server_slot_view& view) { on_finish(view); };
}

server_http_context::handler_t StateService::with_state(server_http_context::handler_t inner) {
    return [this, inner = std::move(inner)](const server_http_req& req) -> server_http_res_ptr {
        Running here{&req.body, {}};
        running = &here;
        server_http_res_ptr res;
        const auto take = [&] {
            running = nullptr;
            std::optional<StateOutcome> outcome;
            const std::lock_guard lock(mutex_);
            for (const int task : here.tasks) {
                if (const auto it = pending_.find(task); it != pending_.end()) {
                    if (it->second->outcome && !outcome) {
                        outcome = it->second->outcome;
                    }
                    pending_.erase(it);
                }
            }
            return outcome;
        };
        try {
            res = inner(req);
        } catch (...) {
            take();
            throw;
        }
        if (const auto outcome = take(); outcome && res) {
            const auto line = to_line(*outcome);
            if (res->is_stream()) {
                res->data = ": localcode-state " + line + "\n\n" + res->data;
            } else {
                res->headers["x-localcode-state"] = line;
            }
        }
        return res;
    };
}

void StateService::on_request(const json& body, server_task& task) {
    json member;
    if (body.contains(member_name)) {
        member = body.at(member_name);
    } else if (running != nullptr && running->body->find(member_name) != std::string::npos) {
        // Routes that translate the body into another dialect drop what they do not know.
        const auto raw = json::parse(*running->body);
        member = raw.is_object() ? raw.value(member_name, json()) : json();
    }
    auto pending = std::make_shared<Pending>();
    if (!member.is_null()) {
        if (!member.is_object() || !has_token(member)) {
            throw std::invalid_argument("'localcode_state' is for the gateway of this engine");
        }
        pending->request = parse_state_request(member);
    }
    if (!enabled()) {
        return;
    }
    if (!needs_.cuttable) {
        place_checkpoints(task.params.message_spans, pending->request.checkpoints);
    }
    if (member.is_null() || running == nullptr) {
        return;
    }
    const auto begin = std::chrono::steady_clock::now();
    if (task.params.cache_prompt && task.params.lora.empty()) {
        pending->prompt = exact_prompt_of(pending->request, task);
        take_from_states(pending->prompt, pending->request, dir_, vocab_, task);
        const auto text = text_prefix(task.tokens);
        pending->plan = plan_restore(dir_, pending->request, needs_, text, task.tokens.size());
    }
    pending->plan_ms = ms_since(begin);
    running->tasks.push_back(task.id);
    const std::lock_guard lock(mutex_);
    pending_[task.id] = std::move(pending);
}

SlotEntry& StateService::entry(int id) {
    auto& out = slots_[id];
    out.id = id;
    return out;
}

void StateService::before_start(const server_slot_view& view, server_task& task) {
    PendingPtr pending;
    bool clear = false;
    std::uint64_t generation = 0;
    {
        const std::lock_guard lock(mutex_);
        // A further choice of a request copies the memory of the first one.
        if (const auto it = pending_.find(task.is_child() ? task.id_parent : task.id); it != pending_.end()) {
            pending = it->second;
        }
        auto& slot = entry(view.id);
        slot.busy = true;
        if (pending && pending->request.history) {
            pending->slot_known = slot.generation == pending->request.history->generation;
        }
        ++slot.generation;
        generation = slot.generation;
        const bool foreign = !task.params.lora.empty();
        // llama.cpp would go on with tokens that other adapters have computed.
        clear = slot.foreign && !foreign;
        slot.foreign = foreign;
        if (pending) {
            const auto& name_space = pending->request.scope.name_space;
            clear |= slot.name_space && *slot.name_space != name_space;
            slot.name_space = name_space;
            slot.checkpoints.insert(slot.checkpoints.end(), pending->request.checkpoints.begin(), pending->request.checkpoints.end());
            if (slot.checkpoints.size() > 64) {
                slot.checkpoints.erase(slot.checkpoints.begin(), slot.checkpoints.end() - 64);
            }
        }
    }
    if (clear) {
        clear_slot(view);
    }
    if (pending && enabled() && !task.is_child()) {
        start_with_state(view, task, *pending, generation);
    }
}

void StateService::start_with_state(const server_slot_view& view, server_task& task, Pending& pending, std::uint64_t generation) {
    const auto begin = std::chrono::steady_clock::now();
    take_from_slot(pending.prompt, pending.request, pending.slot_known, view, task, pending.plan);
    const auto& plan = pending.plan;
    StateOutcome out;
    out.slot = view.id;
    out.generation = generation;
    if (pending.request.history) {
        out.history = std::move(pending.prompt);
    }
    out.prompt = static_cast<std::uint32_t>(task.tokens.size());
    out.reason = plan.reason;
    out.bad = plan.bad;
    const auto& limit = pending.request.limit;
    out.had = tokens_in_memory(view, task);
    if (limit && out.had > *limit) {
        if (needs_.cuttable) {
            view.prompt->tokens.keep_first(*limit);
        } else {
            clear_slot(view);
        }
        out.had = needs_.cuttable ? *limit : 0;
    }
    out.used = out.had;
    out.from = out.had > 0 ? "memory" : "none";
    if (!task.params.lora.empty()) {
        out.reason = "wrong_identity";
    } else if (static_cast<std::int64_t>(task.tokens.size()) >= view.n_ctx) {
        out.reason = "too_long";
    } else if (plan.n_tokens >= out.had + static_cast<std::uint32_t>(worthwhile_tokens)) {
        out.used = 0;
        out.from = "none";
        restore(view, task, memory_of(view.ctx_tgt, swa_full_), dir_, pending.request.scope, plan, out);
    }
    if (out.used + 1 >= out.prompt && out.bad.empty()) {
        out.reason.clear();
    }
    out.ms = pending.plan_ms + ms_since(begin);
    const std::lock_guard lock(mutex_);
    if (out.from == "state") {
        entry(view.id).stored = plan.snapshots;
    }
    pending.outcome = std::move(out);
}

void StateService::on_finish(const server_slot_view& view) {
    const std::lock_guard lock(mutex_);
    auto& slot = entry(view.id);
    slot.busy = false;
    slot.n_tokens = view.prompt->n_tokens();
}

std::vector<SlotEntry> StateService::slots() {
    // What starting and ending requests told; the main loop knows better when it has time.
    struct Look { int id; bool busy; std::int32_t n_tokens; };
    const auto looks = std::make_shared<std::vector<Look>>();
    auto looked = context_->run_on_loop([looks](server_loop_view& view) {
        for (const auto& slot : view.slots) {
            looks->push_back({slot.id, slot.phase != SERVER_SLOT_IDLE, slot.prompt->n_tokens()});
        }
    });
    const bool fresh = looked.wait_for(slots_wait) == std::future_status::ready;
    std::vector<SlotEntry> out;
    const std::lock_guard lock(mutex_);
    if (fresh) {
        for (const auto& look : *looks) {
            entry(look.id).busy = look.busy;
            entry(look.id).n_tokens = look.n_tokens;
        }
    }
    for (const auto& [id, slot] : slots_) {
        out.push_back(slot);
    }
    return out;
}

std::optional<SlotEntry> StateService::slot(int id) const {
    const std::lock_guard lock(mutex_);
    const auto it = slots_.find(id);
    return it != slots_.end() ? std::optional(it->second) : std::nullopt;
}

void StateService::touched(int id) {
    const std::lock_guard lock(mutex_);
    ++entry(id).generation;
}
