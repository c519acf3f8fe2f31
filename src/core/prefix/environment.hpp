// Environment last: what of a known client's system text differs from project to project and from day to day (working
// directory, date, git, model, instructions of the project, skills) is rendered behind the tools, at the head of the first
// user message. Everything before it is then the same in every project. Pure.
#pragma once

#include "core/prefix/text.hpp"

namespace lc::prefix {

/// A piece of a system text that changes between sessions, or inside one.
struct Block {
    std::size_t message = 0;
    api::Range range;       ///< raw text, the line ends before it included
    bool metadata = false;  ///< nothing that the model should know (billing)
};

/// By structure: the paragraph with `<env>` (of OpenCode all that follows it, too), sections about a memory folder of the
/// project (Claude Code, Qwen Code), billing lines. In order, not overlapping.
[[nodiscard]] std::vector<Block> volatile_blocks(const Input& in);

/// Splices; empty: there is nothing to move, or no place to put it. To be used only where the model's template renders
/// the tools behind the system text.
[[nodiscard]] std::vector<api::Splice> environment_last(const Input& in);

/// A request for the engine's /apply-template that tells where its template puts the tools, and what the answer means.
[[nodiscard]] std::string probe_body(std::string_view model);
/// Whether a rendered probe has the tools behind the system text and before the first user message.
[[nodiscard]] bool tools_behind_system(std::string_view rendered);

}  // namespace lc::prefix
