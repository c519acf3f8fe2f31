// What cannot be cut: a window's cells, recurrent state. Bytes that llama.cpp wrote. Main loop only.
#pragma once
#include "state/memory.h"

#include <cstdint>
#include <string_view>

/// What llama_context::state_seq_get_data begins with: this, and the number of the sequence.
inline constexpr std::uint32_t state_magic = 0xaf143cd8;  // io_magic

/// Reads recurrent state, or the whole memory of a draft, from bytes that llama.cpp wrote. False: it did not fit; the
/// sequence is empty then. Never reads beyond, never aborts.
bool load_partial(llama_context* ctx, llama_seq_id seq, std::string_view bytes);

/// The window of `n_tokens` tokens is complete (sliding window), or the recurrent state is at exactly that token.
bool partial_is_complete(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::uint32_t n_tokens);
