// What cannot be cut: a window's cells, recurrent state. Bytes that llama.cpp wrote. Main loop only.
#pragma once
#include "state/memory.h"

#include <cstdint>
#include <string_view>

/// Reads what cannot be cut (window, recurrent state; for PARTIAL_ONLY) from bytes that llama.cpp wrote. False: it did
/// not fit; the sequence is empty then. Never reads beyond, never aborts.
bool load_partial(llama_context* ctx, llama_seq_id seq, std::string_view bytes);

/// llama.cpp aborts when a checkpoint does not load. Is `bytes` of the same shape as what this sequence, which must hold
/// a good state, would write now? Positions must be below `n_tokens`.
bool same_shape(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::string_view bytes, std::uint32_t n_tokens);

/// The window of `n_tokens` tokens is complete (sliding window), or the recurrent state is at exactly that token.
bool partial_is_complete(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::uint32_t n_tokens);
