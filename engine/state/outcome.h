// What became of a request's state.
#pragma once
#include "state/exact.h"
#include "state/plan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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
    std::uint64_t generation = 0;        ///< of the slot from now on
    std::optional<ExactPrompt> history;  ///< nothing: not asked for
};
std::string to_line(const StateOutcome& outcome);  ///< JSON, one line

/// Why something stored was not used; a damaged file is told to the gateway.
void note_fault(StateOutcome& outcome, const BlobFault& fault, lc::kv::BlobKind kind, const lc::Digest& name);
