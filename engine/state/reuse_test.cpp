#include "state/reuse.h"

#include <gtest/gtest.h>

namespace {
const CheckpointBounds window_checkpoint = checkpoint_bounds(600, 64);
const CheckpointBounds recurrent_checkpoint = checkpoint_bounds(600, 0);
}  // namespace

TEST(Reuse, WhatLlamaCppWillReuse) {
    const struct {
        const char* name;
        SlotMemory memory;
        std::int32_t want;
    } cases[] = {
        {"nothing in common", {0, 700, 0, 0, 0, {}}, 0},
        {"attention only", {500, 700, 500, 0, 0, {}}, 500},
        {"attention only, the whole prompt", {700, 700, 700, 0, 0, {}}, 700},
        {"window complete", {650, 700, 650, 500, 64, {}}, 650},
        {"window lost, no checkpoint", {650, 700, 650, 590, 64, {}}, 0},
        {"window lost, checkpoint below", {650, 700, 650, 590, 64, {&window_checkpoint, 1}}, 599},
        {"window lost, exactly at the checkpoint", {600, 700, 600, 590, 64, {&window_checkpoint, 1}}, 599},
        {"window lost, one token before the checkpoint", {599, 700, 599, 590, 64, {&window_checkpoint, 1}}, 599},
        {"the same, and nothing else to compute: a cell would be missing", {599, 599, 599, 590, 64, {&window_checkpoint, 1}}, 0},
        {"window lost, checkpoint beyond", {500, 700, 500, 590, 64, {&window_checkpoint, 1}}, 0},
        {"recurrent, exactly where it is", {600, 700, 600, 599, 0, {}}, 600},
        {"recurrent, the whole prompt: its last token cannot be computed again", {600, 600, 600, 599, 0, {}}, 0},
        {"recurrent, the whole prompt is the checkpoint", {600, 600, 600, 599, 0, {&recurrent_checkpoint, 1}}, 0},
        {"recurrent, went on beyond the prompt", {650, 700, 650, 680, 0, {&recurrent_checkpoint, 1}}, 600},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(reusable(c.memory), c.want);
    }
}

TEST(Reuse, TheLatestCheckpointThatFits) {
    const CheckpointBounds several[] = {checkpoint_bounds(100, 0), checkpoint_bounds(300, 0), checkpoint_bounds(500, 0)};
    EXPECT_EQ(reusable({450, 700, 450, 680, 0, several}), 300);
    EXPECT_EQ(reusable({99, 700, 99, 680, 0, several}), 0);
}

TEST(Reuse, AShortPromptIsWhollyInTheWindow) {
    EXPECT_EQ(checkpoint_bounds(40, 64).pos_min, 0);
    const auto checkpoint = checkpoint_bounds(40, 64);
    EXPECT_EQ(reusable({40, 50, 40, 0, 64, {&checkpoint, 1}}), 39);
}
