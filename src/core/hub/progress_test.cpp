#include "core/hub/progress.hpp"

#include <gtest/gtest.h>

namespace lc::hub {
namespace {

TEST(Progress, Bytes) {
    const struct {
        std::int64_t bytes;
        const char* want;
    } cases[] = {{0, "0 B"},          {999, "999 B"},           {1000, "1.0 kB"}, {999'949, "999.9 kB"},
                 {999'950, "1.0 MB"}, {4'700'000'000, "4.7 GB"}};
    for (const auto& c : cases) EXPECT_EQ(human_bytes(c.bytes), c.want);
    EXPECT_EQ(human_seconds(7.2), "8 s");
    EXPECT_EQ(human_seconds(59.5), "1 min 0 s");
    EXPECT_EQ(human_seconds(3599), "59 min 59 s");
    EXPECT_EQ(human_seconds(7800), "2 h 10 min");
}

TEST(Progress, SpeedIsOfTheLastSeconds) {
    Speed speed;
    EXPECT_EQ(bytes_per_second(speed), 0);
    note_bytes(speed, 0, 1000);
    EXPECT_EQ(bytes_per_second(speed), 0);
    for (int i = 1; i <= 20; ++i) note_bytes(speed, i, 1000 + i * 100);
    EXPECT_DOUBLE_EQ(bytes_per_second(speed), 100);
    for (int i = 21; i <= 40; ++i) note_bytes(speed, i, 3000);
    EXPECT_EQ(bytes_per_second(speed), 0) << "a stall shows";
    EXPECT_LT(speed.samples.size(), 10U) << "bounded";
    note_bytes(speed, 41, 0);
    note_bytes(speed, 42, 50);
    EXPECT_DOUBLE_EQ(bytes_per_second(speed), 50) << "a file that starts over";
}

TEST(Progress, Lines) {
    Progress p{.stage = Stage::downloading,
               .file = "Q4/model-Q4_K_M.gguf",
               .index = 1,
               .count = 1,
               .bytes = 429'999'999,
               .total = 1'000'000'000,
               .bytes_per_s = 35e6,
               .eta_s = 72};
    EXPECT_EQ(plain_line(p), "model-Q4_K_M.gguf  42%  430.0 MB of 1.0 GB  35.0 MB/s  1 min 12 s left");
    EXPECT_EQ(terminal_line(p, 100),
              "model-Q4_K_M.gguf  [==========                ] 42%  430.0 MB of 1.0 GB  35.0 MB/s  1 min 12 s left");
    for (int width = 1; width < 200; ++width) {
        const auto line = terminal_line(p, width);
        EXPECT_LE(line.size(), static_cast<std::size_t>(std::max(width, 20))) << width;
        if (width >= 52) {
            EXPECT_NE(line.find("42%  430.0 MB of 1.0 GB  35.0 MB/s  1 min 12 s left"), std::string::npos) << width;
        }
    }
    p.count = 3;
    p.index = 2;
    p.bytes = p.total - 1;
    p.eta_s = -1;
    p.bytes_per_s = 0;
    EXPECT_EQ(plain_line(p), "2/3 model-Q4_K_M.gguf  99%  1.0 GB of 1.0 GB") << "100% is all of it";
    EXPECT_EQ(plain_line({.stage = Stage::checking, .file = "m.gguf", .file_bytes = 5, .file_total = 10}),
              "checking m.gguf  50%  5 B of 10 B");
    EXPECT_EQ(plain_line({.stage = Stage::retrying, .note = "again in 2 s"}), "again in 2 s");
    EXPECT_EQ(plain_line({.stage = Stage::done, .total = 10}), "complete: 10 B");
}

}  // namespace
}  // namespace lc::hub
