#include "core/gguf/gguf.hpp"

#include <gtest/gtest.h>

#include <random>

#include "core/gguf/testing.hpp"
#include "core/gguf/types.hpp"

namespace lc::gguf {
namespace {

using testing::Builder;
using testing::le;
using testing::small_llama;
using testing::str;

TEST(Gguf, ReadsAModel) {
    const auto file = small_llama().bytes();
    const auto info = parse(file);
    ASSERT_TRUE(info) << info.error().detail;
    EXPECT_EQ(info->version, 3U);
    EXPECT_EQ(info->architecture, "llama");
    EXPECT_EQ(info->name, "Small");
    EXPECT_EQ(info->quantisation, "Q4_1");
    EXPECT_EQ(info->context_train, 8192);
    EXPECT_EQ(info->layers, 30);
    EXPECT_EQ(info->heads, 9);
    EXPECT_EQ(info->heads_kv, 3);
    EXPECT_EQ(info->key_length, 64);
    EXPECT_EQ(info->value_length, 64);
    EXPECT_EQ(info->vocabulary, 3);
    EXPECT_EQ(info->parameters, 576 * 3);
    EXPECT_EQ(info->chat_template, "{{ messages }}");
    EXPECT_TRUE(info->rope);
    EXPECT_TRUE(info->causal);
    EXPECT_FALSE(info->fim);
    EXPECT_FALSE(info->recurrent);
    EXPECT_EQ(info->sliding_window, 0);
    EXPECT_EQ(info->file_bytes, static_cast<std::int64_t>(file.size()) - 8)
        << "the last tensor's padding is not needed";
    EXPECT_EQ(kv_bytes_per_token(*info), 30 * 3 * (64 + 64) * 2);
    EXPECT_EQ(window_bytes_per_token(*info), 0);
}

TEST(Gguf, EveryCutAsksForMore) {
    const auto header = small_llama().header();
    for (std::size_t n = 0; n < header.size(); ++n) {
        const auto info = parse(std::string_view(header).substr(0, n));
        ASSERT_FALSE(info) << n;
        EXPECT_EQ(info.error().code, Errc::too_large) << n << ": " << info.error().detail;
    }
    EXPECT_TRUE(parse(header));
}

TEST(Gguf, RefusesTable) {
    const auto meta = [](const std::string& value) {
        return "GGUF" + le<std::uint32_t>(3) + le<std::uint64_t>(0) + le<std::uint64_t>(1) + value;
    };
    const auto tensor = [](const std::string& value) {
        return "GGUF" + le<std::uint32_t>(3) + le<std::uint64_t>(1) + le<std::uint64_t>(0) + value;
    };
    auto twice = small_llama();
    twice.u32("llama.block_count", 1);
    auto alignment = small_llama();
    alignment.u32("general.alignment", 0);
    auto huge_layers = small_llama();
    huge_layers.metadata.clear();
    huge_layers.text("general.architecture", "x").u32("x.block_count", 0xffffffff);
    auto negative = small_llama();
    negative.raw("llama.expert_count", 5, le<std::int32_t>(-1))
        .raw("llama.attention.key_length", 5, le<std::int32_t>(-1));
    const struct {
        const char* name;
        std::string bytes;
        const char* says;
    } cases[] = {
        {"text file", "hello world, this is no model", "not a GGUF"},
        {"other magic, short", "GGML", "not a GGUF"},
        {"version 1", "GGUF" + le<std::uint32_t>(1) + std::string(64, '\0'), "version 1"},
        {"version 4", "GGUF" + le<std::uint32_t>(4) + std::string(64, '\0'), "version 4"},
        {"big-endian", std::string("GGUF\0\0\0\3", 8) + std::string(64, '\0'), "big-endian"},
        {"too many tensors", "GGUF" + le<std::uint32_t>(3) + le<std::uint64_t>(~0ULL) + le<std::uint64_t>(0),
         "tensors"},
        {"too many values", "GGUF" + le<std::uint32_t>(3) + le<std::uint64_t>(0) + le<std::uint64_t>(1ULL << 40),
         "metadata"},
        {"key too long", meta(le<std::uint64_t>(1ULL << 63)), "a key is"},
        {"text too long", meta(str("k") + le<std::uint32_t>(8) + le<std::uint64_t>(~0ULL)), "a text is"},
        {"unknown value type", meta(str("k") + le<std::uint32_t>(13)), "unknown type 13"},
        {"array of arrays", meta(str("k") + le<std::uint32_t>(9) + le<std::uint32_t>(9) + le<std::uint64_t>(1)),
         "array of unknown type"},
        {"array whose size overflows",
         meta(str("k") + le<std::uint32_t>(9) + le<std::uint32_t>(12) + le<std::uint64_t>(~0ULL)), "array of 1844"},
        {"tensor with 5 dimensions", tensor(str("t") + le<std::uint32_t>(5)), "5 dimensions"},
        {"tensor without elements", tensor(str("t") + le<std::uint32_t>(1) + le<std::uint64_t>(0)), "impossible shape"},
        {"tensor whose size overflows",
         tensor(str("t") + le<std::uint32_t>(2) + le<std::uint64_t>(1ULL << 40) + le<std::uint64_t>(1ULL << 40)),
         "impossible shape"},
        {"tensor of partial blocks",
         tensor(str("t") + le<std::uint32_t>(1) + le<std::uint64_t>(33) + le<std::uint32_t>(2) + le<std::uint64_t>(0)),
         "whole blocks"},
        {"tensor far outside",
         tensor(str("t") + le<std::uint32_t>(1) + le<std::uint64_t>(32) + le<std::uint32_t>(2) +
                le<std::uint64_t>(~0ULL)),
         "outside"},
        {"no architecture", "GGUF" + le<std::uint32_t>(3) + le<std::uint64_t>(0) + le<std::uint64_t>(0),
         "general.architecture"},
        {"a key twice", twice.bytes(), "twice"},
        {"alignment 0", alignment.bytes(), "alignment"},
        {"absurd number of layers", huge_layers.bytes(), "block_count"},
        {"negative size", negative.bytes(), "key_length is -1"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto info = parse(c.bytes);
        ASSERT_FALSE(info);
        EXPECT_EQ(info.error().code, Errc::bad_request);
        EXPECT_NE(info.error().detail.find(c.says), std::string::npos) << info.error().detail;
    }
}

TEST(Gguf, HugeCountsEndWhereTheBytesEnd) {
    // 2^60 texts, but no bytes: must come back at once and ask for more.
    const std::string bytes = "GGUF" + le<std::uint32_t>(3) + le<std::uint64_t>(0) + le<std::uint64_t>(1) +
                              str("tokenizer.ggml.tokens") + le<std::uint32_t>(9) + le<std::uint32_t>(8) +
                              le<std::uint64_t>(1ULL << 60);
    EXPECT_EQ(parse(bytes).error().code, Errc::too_large);
}

TEST(Gguf, LayersTable) {
    const auto base = [](const char* arch, std::uint32_t layers) {
        Builder b;
        const std::string a = arch;
        b.text("general.architecture", a).u32(a + ".block_count", layers).u32(a + ".context_length", 32768);
        b.u32(a + ".embedding_length", 64).u32(a + ".attention.head_count", 4).u32(a + ".attention.head_count_kv", 1);
        b.u32(a + ".attention.key_length", 10).u32(a + ".attention.value_length", 10);
        return b;  // one layer keeps 40 bytes a token
    };
    const struct {
        const char* name;
        Builder builder;
        std::int64_t window, full_bytes, window_bytes;
        bool recurrent;
    } cases[] = {
        {"plain", base("llama", 6), 0, 240, 0, false},
        {"window key that the architecture ignores", base("llama", 6).u32("llama.attention.sliding_window", 512), 0,
         240, 0, false},
        {"gemma 3: five of six", base("gemma3", 18).u32("gemma3.attention.sliding_window", 512), 512, 3 * 40, 15 * 40,
         false},
        {"gemma 3 without window", base("gemma3", 18), 0, 18 * 40, 0, false},
        {"gemma 2: window by default", base("gemma2", 4), 4096, 80, 80, false},
        {"flags in the file",
         base("gemma4", 4)
             .u32("gemma4.attention.sliding_window", 8)
             .u32s("gemma4.attention.sliding_window_pattern", {1, 1, 1, 0}),
         8, 40, 120, false},
        {"period in the file",
         base("gemma3", 4).u32("gemma3.attention.sliding_window", 8).u32("gemma3.attention.sliding_window_pattern", 2),
         8, 80, 80, false},
        {"first layer full", base("smallthinker", 4).u32("smallthinker.attention.sliding_window", 8), 8, 40, 120,
         false},
        {"phi 3: window switched off", base("phi3", 4).u32("phi3.attention.sliding_window", 8), 0, 160, 0, false},
        {"hybrid by interval",
         base("qwen35", 8).u32("qwen35.ssm.conv_kernel", 4).u32("qwen35.full_attention_interval", 4), 0, 80, 0, true},
        {"state space", base("mamba", 8).u32("mamba.ssm.conv_kernel", 4), 0, 320, 0, true},
        {"latent attention has no V",
         base("deepseek2", 2).u32("deepseek2.attention.kv_lora_rank", 8).u32("deepseek2.attention.key_length_mla", 9),
         0, 40, 0, false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto info = parse(c.builder.bytes());
        ASSERT_TRUE(info) << info.error().detail;
        EXPECT_EQ(info->sliding_window, c.window);
        EXPECT_EQ(kv_bytes_per_token(*info), c.full_bytes);
        EXPECT_EQ(window_bytes_per_token(*info), c.window_bytes);
        EXPECT_EQ(info->recurrent, c.recurrent);
    }
    // Heads per layer: only those with rows count.
    Builder b;
    b.text("general.architecture", "lfm2").u32("lfm2.block_count", 3).u32("lfm2.embedding_length", 40);
    b.u32("lfm2.attention.head_count", 4)
        .u32("lfm2.shortconv.l_cache", 3)
        .u32s("lfm2.attention.head_count_kv", {0, 2, 0});
    const auto info = parse(b.bytes());
    ASSERT_TRUE(info);
    EXPECT_EQ(kv_bytes_per_token(*info), 2 * (10 + 10) * 2);
    EXPECT_EQ(info->heads_kv, 2);
}

TEST(Gguf, OtherFacts) {
    auto b = small_llama();
    b.text("llama.rope.scaling.type", "yarn")
        .f32("llama.rope.scaling.factor", 4)
        .u32("llama.rope.scaling.original_context_length", 2048);
    b.u32("tokenizer.ggml.fim_pre_token_id", 1)
        .u32("split.count", 2)
        .u32("llama.pooling_type", 4)
        .boolean("llama.attention.causal", false);
    b.text("tokenizer.chat_template.tool_use", "T");
    const auto info = parse(b.bytes());
    ASSERT_TRUE(info);
    EXPECT_EQ(info->rope_scaling, "yarn");
    EXPECT_EQ(info->rope_scaling_factor, 4);
    EXPECT_EQ(info->context_original, 2048);
    EXPECT_TRUE(info->fim);
    EXPECT_EQ(info->split_count, 2);
    EXPECT_EQ(info->pooling, "rank");
    EXPECT_FALSE(info->causal);
    EXPECT_EQ(info->chat_template_tools, "T");

    Builder fim;
    fim.text("general.architecture", "qwen2").texts("tokenizer.ggml.tokens", {"a", "<|fim_prefix|>"});
    fim.tensor("w", {32, 2}, 8, 68).tensor("x", {8}, 0, 32);
    const auto found = parse(fim.bytes());
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->fim);
    EXPECT_EQ(found->quantisation, "Q8_0") << "from the tensors when the file type is not given";

    Builder bert;
    bert.text("general.architecture", "bert");
    EXPECT_FALSE(parse(bert.bytes())->rope);
    Builder future;
    future.text("general.architecture", "llama").tensor("w", {32}, 99, 0);
    EXPECT_TRUE(parse(future.bytes())) << "a newer tensor type is the engine's business";
}

TEST(Gguf, DamagedBytesNeverCrash) {
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): a fixed seed on purpose
    const auto good = small_llama().bytes();
    int parsed = 0;
    for (int i = 0; i < 20000; ++i) {
        std::string bytes = good;
        for (int k = 0; k < 1 + i % 4; ++k) bytes[random() % bytes.size()] = static_cast<char>(random());
        parsed += parse(bytes).has_value() ? 1 : 0;
    }
    EXPECT_GT(parsed, 0);
    EXPECT_LT(parsed, 20000);
}

}  // namespace
TEST(Gguf, TextsOfAFileAreNotTrusted) {
    const struct {
        const char* name;
        std::string given, want;
    } cases[] = {
        {"plain", "SmolLM2 135M", "SmolLM2 135M"},
        {"UTF-8", "Mod\xc3\xa8le \xf0\x9f\xa6\x99", "Mod\xc3\xa8le \xf0\x9f\xa6\x99"},
        {"Latin-1", "Mod\xe8le", "Mod?le"},
        {"cut in a character", "a\xf0\x9f", "a??"},
        {"overlong, surrogate, beyond", "\xc0\xaf\xed\xa0\x80\xf5", "??????"},
        {"a terminal's commands", "a\x1b[31m\nb\x7f", "a [31m b "},
        {"long", std::string(5000, 'x'), std::string(300, 'x')},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        testing::Builder b;
        b.text("general.architecture", "llama").text("general.name", c.given);
        const auto info = parse(b.header());
        ASSERT_TRUE(info) << info.error().detail;
        EXPECT_EQ(info->name, c.want);
    }
    testing::Builder b;
    b.text("general.architecture", "ll\xff");
    EXPECT_FALSE(parse(b.header()));
}

TEST(Gguf, Projectors) {
    testing::Builder b;
    b.text("general.architecture", "clip").u32("clip.vision.projection_dim", 576);
    const auto info = parse(b.header());
    ASSERT_TRUE(info) << info.error().detail;
    EXPECT_EQ(info->projection, 576);
    EXPECT_EQ(parse(testing::small_llama().header())->projection, 0);
}

}  // namespace lc::gguf
