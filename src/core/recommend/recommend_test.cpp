#include "core/recommend/recommend.hpp"

#include <gtest/gtest.h>

#include <set>

namespace lc::recommend {
namespace {

constexpr std::int64_t gb = 1'000'000'000;

std::string coder(const Machine& machine) {
    const auto all = recommend(machine);
    return all.empty() || all[0].entry.role != Role::coder
               ? "none"
               : std::string(all[0].entry.name) + (all[0].on_gpu ? " gpu" : " cpu");
}

TEST(Recommend, TheTableIsSane) {
    std::set<std::string_view> hf;
    for (const auto& e : table()) {
        SCOPED_TRACE(e.name);
        EXPECT_TRUE(hf.insert(e.hf).second);
        EXPECT_NE(e.hf.find('/'), std::string_view::npos);
        EXPECT_LE(e.active, e.parameters);
        EXPECT_GT(e.gigabytes / e.parameters, 0.4);
        EXPECT_LT(e.gigabytes / e.parameters, 1.3);
    }
}

TEST(Recommend, Coder) {
    const struct {
        const char* name;
        Machine machine;
        const char* want;
    } cases[] = {
        {"nothing fits", {gb / 2, 0, 2, 10e9}, "none"},
        {"two slow cores, much memory", {24 * gb, 0, 2, 10e9}, "Qwen2.5 Coder 1.5B cpu"},
        {"a laptop", {12 * gb, 0, 8, 40e9}, "Qwen2.5 Coder 3B cpu"},
        {"a workstation without a card", {60 * gb, 0, 32, 200e9}, "Qwen3 Coder 30B-A3B cpu"},
        {"a card of 8 GB", {24 * gb, 8 * gb, 8, 40e9, 300e9}, "Qwen2.5 Coder 7B gpu"},
        {"a card of 24 GB", {60 * gb, 24 * gb, 16, 60e9, 1000e9}, "Qwen3 Coder 30B-A3B gpu"},
        {"a card of 80 GB", {200 * gb, 80 * gb, 16, 60e9, 3000e9}, "gpt-oss 120B gpu"},
        {"no disk", {60 * gb, 24 * gb, 16, 60e9, 1000e9, 6 * gb}, "Qwen2.5 Coder 7B gpu"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(coder(c.machine), c.want);
    }
}

TEST(Recommend, AllOfItFitsTogether) {
    for (const std::int64_t memory : {4, 8, 16, 24, 64, 256}) {
        for (const std::int64_t card : {0, 8, 24, 80}) {
            SCOPED_TRACE(std::to_string(memory) + " GB, card " + std::to_string(card) + " GB");
            const Machine machine{memory * gb, card * gb, 8, 50e9, card > 0 ? 800e9 : 0};
            double ram = 0, vram = 0;
            std::set<Role> roles;
            for (const auto& c : recommend(machine)) {
                EXPECT_TRUE(roles.insert(c.entry.role).second);
                EXPECT_GT(c.context, 0);
                EXPECT_LE(c.context, c.entry.context);
                (c.on_gpu ? vram : ram) +=
                    c.entry.gigabytes * 1e9 + static_cast<double>(c.context * c.slots * c.entry.kv_bytes);
            }
            EXPECT_LE(ram, static_cast<double>(machine.memory));
            EXPECT_LE(vram, static_cast<double>(machine.gpu_memory));
        }
    }
}

TEST(Recommend, WhatIsSlowIsSaid) {
    const auto all = recommend({24 * gb, 0, 1, 3e9});
    ASSERT_FALSE(all.empty());
    EXPECT_TRUE(all[0].too_slow);
    EXPECT_GT(all[0].first_prompt_seconds, 300);
}

TEST(Recommend, Config) {
    const auto text = config_of(recommend({12 * gb, 0, 8, 40e9}));
    EXPECT_NE(text.find("[[model]]\nname = \"coder\"\nhf = \"Qwen/Qwen2.5-Coder-3B-Instruct-GGUF:Q4_K_M\"\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("aliases = [\"small\"]"), std::string::npos);
}

TEST(Recommend, Cards) {
    EXPECT_EQ(bandwidth_of_card("NVIDIA GeForce RTX 4090"), 1008e9);
    EXPECT_EQ(bandwidth_of_card("Something"), 0);
}

}  // namespace
}  // namespace lc::recommend
