#include "core/hub/quant.hpp"

#include <gtest/gtest.h>

namespace lc::hub {
namespace {

TEST(Quant, OfNames) {
    const struct {
        const char* path;
        const char* want;
    } cases[] = {
        {"SmolLM2-135M-Instruct-Q4_K_M.gguf", "Q4_K_M"},
        {"qwen2.5-coder-7b-instruct-q4_k_m.gguf", "Q4_K_M"},
        {"mistral-7b.Q5_0.gguf", "Q5_0"},
        {"Model.i1-IQ2_XXS.gguf", "IQ2_XXS"},
        {"Model-TQ1_0.gguf", "TQ1_0"},
        {"Qwen3-4B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"},
        {"phi-3_q8_0.gguf", "Q8_0"},
        {"model-f16.gguf", "F16"},
        {"model.BF16.gguf", "BF16"},
        {"gpt-oss-20b-mxfp4.gguf", "MXFP4"},
        {"gpt-oss-20b-MXFP4_MOE.gguf", "MXFP4_MOE"},
        {"Model-Q4_0_4_4.gguf", "Q4_0_4_4"},
        {"model-Q6_K-00002-of-00003.gguf", "Q6_K"},
        {"Q8_0/model-00001-of-00002.gguf", "Q8_0"},
        {"Q8_0/model-Q4_0.gguf", "Q4_0"},
        {"deep/IQ4_XS/model.gguf", "IQ4_XS"},
        {"Qwen3-Q-model.gguf", ""},
        {"quality.gguf", ""},
        {"model.gguf", ""},
        {"seq2seq.gguf", ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.path);
        EXPECT_EQ(quant_of(c.path), c.want);
    }
}

TEST(Quant, Splits) {
    const struct {
        const char* path;
        std::optional<Split> want;
    } cases[] = {
        {"m-00001-of-00003.gguf", Split{"m", 1, 3}},
        {"a/m-Q4_0-00012-of-00012.GGUF", Split{"a/m-Q4_0", 12, 12}},
        {"m.gguf", std::nullopt},
        {"m-00000-of-00003.gguf", std::nullopt},
        {"m-00004-of-00003.gguf", std::nullopt},
        {"m-0001-of-0003.gguf", std::nullopt},
        {"m-0000a-of-00003.gguf", std::nullopt},
        {"m-00001-of-00003", std::nullopt},
        {"-00001-of-00003.gguf", std::nullopt},
        {"", std::nullopt},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.path);
        EXPECT_EQ(split_of(c.path), c.want);
    }
}

TEST(Quant, NoModels) {
    EXPECT_TRUE(is_projector("mmproj-model-f16.gguf"));
    EXPECT_TRUE(is_projector("sub/Model.mmproj-Q8_0.gguf"));
    EXPECT_FALSE(is_projector("mmproj/model.gguf"));
    EXPECT_TRUE(is_calibration("imatrix.gguf"));
    EXPECT_TRUE(is_calibration("Qwen3-imatrix.gguf"));
    EXPECT_FALSE(is_calibration("Model-Q4_K_M-imat.gguf"));
}

TEST(Quant, DefaultsAreQuants) {
    EXPECT_EQ(default_quants().front(), "Q4_K_M");
    for (const auto quant : default_quants()) EXPECT_EQ(quant_of("m-" + std::string(quant) + ".gguf"), quant);
}

}  // namespace
}  // namespace lc::hub
