// Prompts in a form that the cache can keep: what core/prefix decides, applied to a turn's request. Internal to app/gateway.
#pragma once

#include <map>

#include "app/gateway/packed.hpp"
#include "app/gateway/parts.hpp"
#include "core/prefix/compaction.hpp"
#include "core/prefix/memory.hpp"
#include "core/prefix/steps.hpp"

namespace lc::gateway {

/// A session's last prompt, small.
struct KeptPrompt {
    Packed messages, tools;
    prefix::LastPrompt rest;  ///< without messages and tools
};

/// What became of one turn's prompt.
struct PromptTurn {
    prefix::Steps steps;
    std::string place;          ///< for which it was prepared
    std::string session;        ///< key of its session's memory; empty: the client named none
    bool as_session = false;    ///< a compaction that goes as its session's next turn
    std::optional<KeptPrompt> kept;  ///< to be remembered when the answer is good
};

/// What outlives a turn. Owned by the network thread; every part is bounded.
struct PromptMemory {
    struct Template {
        std::uint64_t incarnation = 0;  ///< of the engine that was asked
        bool tools_behind_system = false;
    };
    std::map<std::string, Template> templates;  ///< by model
    prefix::Recent<prefix::SessionMemory> sessions;
    prefix::Recent<prefix::KnownTools> tools;   ///< of clients and of their projects
    prefix::Recent<std::string> forms;          ///< of tool definitions, by namespace and canonical hash: as first seen
    prefix::Recent<KeptPrompt> last;
    std::shared_ptr<struct LearnedStore> store;  ///< used on the thread for files only
    std::shared_ptr<asio::steady_timer> loading;  ///< while what was learned before is being read
};

/// Reads what was learned before; requests that come meanwhile wait for it.
awaitable<void> load_prompts(Gateway& gateway);
/// Returns when all that is to be kept is on disk.
awaitable<void> settle_prompts(Gateway& gateway);

/// Once a turn, when its place is known: body and view change, and the record says how. `ready`: its engine; null: a
/// remote backend. What a step does not understand stays byte for byte.
awaitable<void> prepare_prompt(Gateway& gateway, Turn& turn, const engines::Ready* ready);

/// The turn ended well: its prompt is its session's last one.
void remember_prompt(Gateway& gateway, Turn& turn);

// prompt_memory.cpp
[[nodiscard]] std::string memory_key(std::initializer_list<std::string_view> parts);
void keep_session(Gateway& gateway, const std::string& key, prefix::SessionMemory memory);
void keep_tools(Gateway& gateway, const std::string& key, prefix::KnownTools known);
void keep_form(Gateway& gateway, const std::string& key, std::string form);
void keep_last(Gateway& gateway, const std::string& key, KeptPrompt kept);

}  // namespace lc::gateway
