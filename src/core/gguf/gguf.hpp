// What LocalCode needs to know of a GGUF file, from its header only. Format: ggml docs/gguf.md, version 2 and 3.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.hpp"

namespace lc::gguf {

struct Info {
    std::uint32_t version = 0;
    std::string architecture, name, quantisation;  ///< "llama", "SmolLM2 135M Instruct", "Q4_1"
    std::int64_t context_train = 0;
    std::int64_t layers = 0, embedding = 0, heads = 0, heads_kv = 0, key_length = 0, value_length = 0;
    std::int64_t sliding_window = 0;   ///< 0: none
    bool recurrent = false;            ///< has state-space or linear-attention layers (hybrid too)
    std::string pooling;               ///< "", "mean", "cls", "last", "rank"
    std::string chat_template;         ///< tokenizer.chat_template
    bool fim = false;                  ///< has FIM tokens
    std::int64_t split_count = 1;
    std::string rope_scaling;          ///< "", "linear", "yarn"
    double rope_scaling_factor = 0;
    std::int64_t parameters = 0;       ///< from tensor shapes
};

/// Pure: reads the header from the first bytes of a file. `header` may be cut anywhere; then Errc::too_large says that
/// more bytes are needed. bad_request: not a GGUF, damaged, or over sane limits (the text says what).
[[nodiscard]] Result<Info> parse(std::string_view header);

/// KV cache bytes for one token at f16 over all layers that keep every token (0 when unknown).
[[nodiscard]] std::int64_t kv_bytes_per_token(const Info& info);

}  // namespace lc::gguf
