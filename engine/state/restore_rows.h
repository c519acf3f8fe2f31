// Rows of chunks into a slot: read into place, their checksums computed over what arrived. Main loop only.
#pragma once
#include "state/memory.h"
#include "state/outcome.h"
#include "state/plan.h"

#include <cstdint>
#include <string>

/// Fills the empty sequence with the first `n_tokens` tokens of the planned chunks. False: `outcome` says why, and the
/// sequence must be emptied.
bool restore_rows(const ModelMemory& memory, llama_seq_id seq, const std::string& dir, const Plan& plan, std::uint32_t n_tokens,
                  StateOutcome& outcome);
