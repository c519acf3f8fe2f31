// Puts a planned state into a slot. Main loop only.
#pragma once
#include "state/memory.h"
#include "state/plan.h"

#include "server-hooks.h"

#include <string>

/// What happened with a request's state: the comment and the header `x-localcode-state`.
struct StateOutcome {
    int slot = 0;
    std::uint32_t prompt = 0, had = 0, used = 0;
    std::string from = "none";
    std::string state, tail;  ///< names, or empty
    std::uint64_t bytes = 0;
    double ms = 0;
    std::string reason;
    std::vector<BadFile> bad;
};
std::string to_line(const StateOutcome& outcome);  ///< JSON, one line

/// How many tokens of `task` llama.cpp would reuse of what the slot holds.
std::uint32_t tokens_in_memory(const server_slot_view& view, const server_task& task);

/// Empties the slot: contexts and prompt.
void clear_slot(const server_slot_view& view);

/// Replaces what the slot holds. Anything in doubt: the slot is empty afterwards, and `outcome` says why.
/// `plan` must be for the tokens of `task`.
void restore(const server_slot_view& view, const server_task& task, const ModelMemory& memory, const std::string& dir,
             const lc::kv::Scope& scope, const Plan& plan, StateOutcome& outcome);
