// What a slot holds, as far as it can be saved. Main loop only.
#pragma once
#include "state/memory.h"
#include "state/rows.h"
#include "state/save_item.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct server_slot_view;

/// A snapshot's sections: name and bytes.
using Sections = std::vector<std::pair<std::string, std::string>>;

struct SlotContents {
    ModelMemory memory;
    std::optional<SlotRows> rows;            ///< where there are rows
    std::vector<lc::kv::Token> tokens;       ///< before the first image or sound
    std::vector<std::uint32_t> checkpoints;  ///< tokens of those that llama.cpp keeps; ascending
    Sections final;                          ///< what cannot be cut, at the end of `tokens`; empty: not there
};

/// Nothing is copied but `final`. On an error `out` is of no use.
std::optional<SaveError> look_into(const server_slot_view& view, bool swa_full, SlotContents& out);

/// The checkpoint after `n_tokens` tokens; empty: it is gone.
Sections checkpoint_sections(const server_slot_view& view, std::uint32_t n_tokens);
