// What LocalCode needs to know of a GGUF file, from its header only. Format: ggml docs/gguf.md, version 2 and 3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace lc::gguf {

struct Info {
    std::uint32_t version = 0;
    std::string architecture, name, quantisation;  ///< "llama", "SmolLM2 135M Instruct", "Q4_1"; UTF-8
    std::int64_t context_train = 0;
    std::int64_t layers = 0, embedding = 0, heads = 0, heads_kv = 0, key_length = 0, value_length = 0;
    std::int64_t sliding_window = 0;           ///< 0: none
    std::vector<std::int64_t> layer_heads_kv;  ///< per layer; 0: that layer keeps no rows (recurrent)
    std::vector<bool> layer_window;            ///< per layer: keeps only `sliding_window` tokens
    bool recurrent = false;                    ///< has state-space or linear-attention layers (hybrid too)
    std::string pooling;                       ///< "", "mean", "cls", "last", "rank"
    bool causal = true;                        ///< false: an encoder (BERT and the like), for embeddings only
    std::string chat_template;                 ///< tokenizer.chat_template
    std::string chat_template_tools;  ///< tokenizer.chat_template.tool_use: llama.cpp takes it for requests with tools
    bool fim = false;                 ///< has FIM tokens
    std::int64_t split_count = 1;
    std::string rope_scaling;  ///< "", "linear", "yarn"
    double rope_scaling_factor = 0;
    std::int64_t context_original = 0;  ///< rope.scaling.original_context_length; 0: not given
    bool rope = true;                   ///< false: positions are learned or absent, the context cannot be stretched
    bool projects_images = false, projects_audio = false;  ///< of a projector
    std::int64_t projection = 0;        ///< of a projector (architecture clip): width of what it gives to its model
    std::int64_t vocabulary = 0;        ///< tokens
    std::int64_t parameters = 0;        ///< from tensor shapes
    std::int64_t file_bytes = 0;        ///< least size of a whole file; a smaller one was truncated
};

/// Pure: reads the header from the first bytes of a file. `header` may be cut anywhere; then Errc::too_large says that
/// more bytes are needed. bad_request: not a GGUF, damaged, or over sane limits (the text says what).
[[nodiscard]] Result<Info> parse(std::string_view header);

/// KV cache bytes for one token at f16 over all layers that keep every token (0 when unknown).
[[nodiscard]] std::int64_t kv_bytes_per_token(const Info& info);

/// KV cache bytes for one token at f16 over the layers with a sliding window; they keep at most the window and a batch.
[[nodiscard]] std::int64_t window_bytes_per_token(const Info& info);

}  // namespace lc::gguf
