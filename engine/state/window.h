// The window of a model with a sliding one: its cells, from a snapshot's bytes straight into memory. Main loop only.
#pragma once
#include "state/files.h"
#include "state/memory.h"

#include <cstdint>
#include <optional>

struct WindowLoad {
    std::optional<BlobFault> fault;  ///< the window is empty then
    /// Two cells below the window exist that no token looks at. So llama.cpp, which wants to see one more than it
    /// needs, goes on from the last token without a checkpoint.
    bool has_margin = false;
};

/// Replaces the window of `seq` with what `in` holds, which must be that of exactly `n_tokens` tokens.
WindowLoad load_window(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, SectionReader& in, std::uint32_t n_tokens);
