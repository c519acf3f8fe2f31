#include "core/gguf/types.hpp"

namespace lc::gguf {

TensorType tensor_type(std::uint32_t id) {
    switch (id) {
        case 0: return {"F32", 1, 4};
        case 1: return {"F16", 1, 2};
        case 2: return {"Q4_0", 32, 18};
        case 3: return {"Q4_1", 32, 20};
        case 6: return {"Q5_0", 32, 22};
        case 7: return {"Q5_1", 32, 24};
        case 8: return {"Q8_0", 32, 34};
        case 9: return {"Q8_1", 32, 36};
        case 10: return {"Q2_K", 256, 84};
        case 11: return {"Q3_K", 256, 110};
        case 12: return {"Q4_K", 256, 144};
        case 13: return {"Q5_K", 256, 176};
        case 14: return {"Q6_K", 256, 210};
        case 15: return {"Q8_K", 256, 292};
        case 16: return {"IQ2_XXS", 256, 66};
        case 17: return {"IQ2_XS", 256, 74};
        case 18: return {"IQ3_XXS", 256, 98};
        case 19: return {"IQ1_S", 256, 50};
        case 20: return {"IQ4_NL", 32, 18};
        case 21: return {"IQ3_S", 256, 110};
        case 22: return {"IQ2_S", 256, 82};
        case 23: return {"IQ4_XS", 256, 136};
        case 24: return {"I8", 1, 1};
        case 25: return {"I16", 1, 2};
        case 26: return {"I32", 1, 4};
        case 27: return {"I64", 1, 8};
        case 28: return {"F64", 1, 8};
        case 29: return {"IQ1_M", 256, 56};
        case 30: return {"BF16", 1, 2};
        case 34: return {"TQ1_0", 256, 54};
        case 35: return {"TQ2_0", 256, 66};
        case 39: return {"MXFP4", 32, 17};
        case 40: return {"NVFP4", 64, 36};
        case 41: return {"Q1_0", 128, 18};
        case 42: return {"Q2_0", 64, 18};
        default: return {};
    }
}

std::string_view file_type(std::int64_t id) {
    switch (id) {
        case 0: return "F32";
        case 1: return "F16";
        case 2: return "Q4_0";
        case 3: return "Q4_1";
        case 7: return "Q8_0";
        case 8: return "Q5_0";
        case 9: return "Q5_1";
        case 10: return "Q2_K";
        case 11: return "Q3_K_S";
        case 12: return "Q3_K_M";
        case 13: return "Q3_K_L";
        case 14: return "Q4_K_S";
        case 15: return "Q4_K_M";
        case 16: return "Q5_K_S";
        case 17: return "Q5_K_M";
        case 18: return "Q6_K";
        case 19: return "IQ2_XXS";
        case 20: return "IQ2_XS";
        case 21: return "Q2_K_S";
        case 22: return "IQ3_XS";
        case 23: return "IQ3_XXS";
        case 24: return "IQ1_S";
        case 25: return "IQ4_NL";
        case 26: return "IQ3_S";
        case 27: return "IQ3_M";
        case 28: return "IQ2_S";
        case 29: return "IQ2_M";
        case 30: return "IQ4_XS";
        case 31: return "IQ1_M";
        case 32: return "BF16";
        case 36: return "TQ1_0";
        case 37: return "TQ2_0";
        case 38: return "MXFP4";
        case 39: return "NVFP4";
        case 40: return "Q1_0";
        case 41: return "Q2_0";
        default: return {};
    }
}

WindowPattern window_pattern(std::string_view architecture, std::int64_t layers) {
    // As llama.cpp v0.5.0 loads them; an architecture that is missing here only costs a too careful memory estimate.
    static constexpr struct {
        std::string_view architecture;
        WindowPattern pattern;
    } table[] = {
        {"gemma2", {2, false, 4096}},       {"gemma3", {6, false, 0}},     {"gemma3n", {5, false, 0}},
        {"gemma-embedding", {6, false, 0}}, {"gpt-oss", {2, false, 0}},    {"cohere2", {4, false, 0}},
        {"llama4", {4, false, 8192}},       {"olmo2", {4, false, 0}},      {"smallthinker", {4, true, 4096}},
        {"modern-bert", {3, true, 0}},      {"exaone-moe", {4, false, 0}}, {"plamo3", {8, false, 0}},
    };
    for (const auto& row : table) {
        if (row.architecture == architecture) return row.pattern;
    }
    if (architecture == "exaone4" && layers == 64) return {4, false, 4096};
    return {};
}

bool uses_rope(std::string_view architecture) {
    static constexpr std::string_view without[] = {"clip",       "gpt2",           "gptj",        "mpt",
                                                   "refact",     "bloom",          "starcoder",   "mamba",
                                                   "mamba2",     "jamba",          "bert",        "jina-bert-v2",
                                                   "t5",         "t5encoder",      "jais",        "rwkv6",
                                                   "rwkv6qwen2", "rwkv7",          "arwkv7",      "wavtokenizer-dec",
                                                   "nemotron_h", "nemotron_h_moe", "kimi-linear", "kimi-k3"};
    for (const auto name : without) {
        if (name == architecture) return false;
    }
    return true;
}

}  // namespace lc::gguf
