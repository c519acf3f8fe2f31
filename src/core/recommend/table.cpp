// Sizes are those of the files; contexts and KV bytes follow from the models' published shapes.
#include "core/recommend/recommend.hpp"

namespace lc::recommend {

namespace {

constexpr Entry entries[] = {
    {Role::coder, "gpt-oss 120B", "ggml-org/gpt-oss-120b-GGUF:MXFP4", 63.4, 116.8, 5.1, 131072, 73728},
    {Role::coder, "Qwen3 Coder 30B-A3B", "unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF:Q4_K_M", 18.6, 30.5, 3.3, 262144,
     98304},
    {Role::coder, "gpt-oss 20B", "ggml-org/gpt-oss-20b-GGUF:MXFP4", 12.1, 20.9, 3.6, 131072, 49152},
    {Role::coder, "Qwen2.5 Coder 14B", "Qwen/Qwen2.5-Coder-14B-Instruct-GGUF:Q4_K_M", 9.0, 14.8, 14.8, 32768, 196608},
    {Role::coder, "Qwen2.5 Coder 7B", "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF:Q4_K_M", 4.7, 7.6, 7.6, 32768, 57344},
    {Role::coder, "Qwen2.5 Coder 3B", "Qwen/Qwen2.5-Coder-3B-Instruct-GGUF:Q4_K_M", 2.1, 3.1, 3.1, 32768, 36864},
    {Role::coder, "Qwen2.5 Coder 1.5B", "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF:Q4_K_M", 1.1, 1.5, 1.5, 32768, 28672},
    {Role::small, "Qwen3 1.7B", "ggml-org/Qwen3-1.7B-GGUF:Q4_K_M", 1.3, 2.0, 2.0, 40960, 114688},
    {Role::small, "Qwen3 0.6B", "ggml-org/Qwen3-0.6B-GGUF:Q4_0", 0.43, 0.6, 0.6, 40960, 114688},
    {Role::embedding, "Qwen3 Embedding 0.6B", "Qwen/Qwen3-Embedding-0.6B-GGUF:Q8_0", 0.64, 0.6, 0.6, 32768, 114688},
    {Role::embedding, "nomic-embed-text 1.5", "nomic-ai/nomic-embed-text-v1.5-GGUF:Q8_0", 0.15, 0.14, 0.14, 2048, 0},
    {Role::rerank, "bge-reranker-v2-m3", "gpustack/bge-reranker-v2-m3-GGUF:Q8_0", 0.64, 0.57, 0.57, 8192, 0},
};

struct Card {
    std::string_view mark;
    double gigabytes_a_second;
};
// The first mark that the name holds counts, so longer ones come first.
constexpr Card cards[] = {
    {"H200", 4800},    {"H100", 3350},    {"A100", 1900},     {"L40", 864},      {"RTX 5090", 1792}, {"RTX 4090", 1008},
    {"RTX 3090", 936}, {"RTX 5080", 960}, {"RTX 4080", 716},  {"RTX 5070", 672}, {"RTX 4070", 504},  {"RTX 3080", 760},
    {"RTX 4060", 272}, {"RTX 3060", 360}, {"RTX A6000", 768}, {"7900 XTX", 960}, {"7900 XT", 800},   {"MI300", 5300},
};

}  // namespace

std::span<const Entry> table() {
    return entries;
}

std::string_view table_date() {
    return "2025-09";
}

double bandwidth_of_card(std::string_view name) {
    for (const auto& card : cards) {
        if (name.find(card.mark) != std::string_view::npos) return card.gigabytes_a_second * 1e9;
    }
    return 0;
}

}  // namespace lc::recommend
