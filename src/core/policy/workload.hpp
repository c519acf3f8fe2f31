// Workloads made up by rules, for judging cache policies: the same name and seed give the same trace on every machine.
//
// These rules and the seeds that the documentation quotes are frozen: policies change, this file does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/policy/trace.hpp"

namespace lc::policy {

enum class Workload : std::uint8_t {
    agents,     ///< coding agents: tool loops, subagents, titles, compaction, think time, sessions given up
    chat,       ///< many people, few turns each, long pauses
    documents,  ///< questions about documents of very different popularity, popularity drifting
    batch,      ///< one-off jobs over many files, with a few interactive sessions between them
};

[[nodiscard]] std::optional<Workload> workload_named(std::string_view name);

/// Pure. About ten thousand requests of one working day (agents, chat, documents) or night (batch). Blocks of 256
/// tokens.
[[nodiscard]] Trace make_workload(Workload workload, std::uint64_t seed);

}  // namespace lc::policy
