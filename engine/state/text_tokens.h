// The text tokens of a prompt, whatever the model can see: llama.cpp's own accessor aborts for a model with a projector.
#pragma once

#include "server-common.h"

#include <cstddef>

/// The tokens before the first image or sound; all of them when there is none.
[[nodiscard]] inline llama_tokens text_prefix(const server_tokens& tokens) {
    llama_tokens out;
    out.reserve(tokens.size());
    for (std::size_t i = 0; i < tokens.size() && tokens[i] != LLAMA_TOKEN_NULL; ++i) {
        out.push_back(tokens[i]);
    }
    return out;
}
