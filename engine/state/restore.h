// Puts a planned state into a slot. Main loop only.
#pragma once
#include "state/memory.h"
#include "state/outcome.h"
#include "state/plan.h"

#include "server-hooks.h"

#include <string>

/// How many tokens of `task` llama.cpp would reuse of what the slot holds.
std::uint32_t tokens_in_memory(const server_slot_view& view, const server_task& task);

/// Empties the slot: contexts and prompt.
void clear_slot(const server_slot_view& view);

/// Replaces what the slot holds. Anything in doubt: the slot is empty afterwards, and `outcome` says why.
/// `plan` must be for the tokens of `task`.
void restore(const server_slot_view& view, const server_task& task, const ModelMemory& memory, const std::string& dir,
             const lc::kv::Scope& scope, const Plan& plan, StateOutcome& outcome);
