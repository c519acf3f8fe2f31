// Token-exact history of one request: its prompt as rendered, and as it is put together from what is known.
#pragma once
#include "state/plan.h"

#include "server-hooks.h"

#include <string>
#include <vector>

struct llama_vocab;

/// A prompt that may be put together anew as more becomes known. Empty `rendered`: it is left alone (media, no wish).
struct ExactPrompt {
    std::vector<lc::kv::Token> rendered;
    common_chat_msg_spans spans;  ///< of the rendered prompt
    std::uint32_t kept = 0, turns = 0;  ///< known tokens in the place of others; answers written differently
    /// Leading tokens of the prompt that the slot held, and that the named states have (0: not looked at).
    std::uint32_t slot_known = 0, state_known = 0;

    bool on() const { return !rendered.empty(); }
};

/// What the request wants: `task` has its rendered prompt and the places of its checkpoints.
ExactPrompt exact_prompt_of(const StateRequest& request, const server_task& task);

/// Replaces the task's prompt by the best that the named states' tokens give. On the thread of the request.
void take_from_states(ExactPrompt& prompt, const StateRequest& request, const std::string& dir, const llama_vocab* vocab, server_task& task);

/// The same from the tokens in a slot, when llama.cpp can reuse more of them then, and restoring `plan` would not be better
/// still. A plan that no longer fits the prompt is dropped. On the main loop. `known`: the slot is as the request thinks.
void take_from_slot(ExactPrompt& prompt, const StateRequest& request, bool known, const server_slot_view& view, server_task& task, Plan& plan);
