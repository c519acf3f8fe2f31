#include "state/save_plan.h"

#include <gtest/gtest.h>

#include <numeric>

namespace kv = lc::kv;

namespace {
const kv::Scope scope{kv::namespace_digest("someone"), lc::sha256("identity")};

std::vector<kv::Token> tokens(std::size_t n) {
    std::vector<kv::Token> out(n);
    std::iota(out.begin(), out.end(), 7);
    return out;
}
}  // namespace

TEST(SavePlan, WholeChunksAndATail) {
    const auto all = tokens(600);
    const auto pieces = chunk_pieces(scope, all, {});
    const auto names = kv::chunk_names(scope, all);
    ASSERT_EQ(pieces.size(), 3U);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        EXPECT_EQ(pieces[i].start, i * 256);
        EXPECT_EQ(pieces[i].name, names[i]);
        EXPECT_EQ(pieces[i].parent, i == 0 ? lc::Digest{} : names[i - 1]);
    }
    EXPECT_EQ(pieces.back().n, 88U);
}

TEST(SavePlan, ATailForEachCut) {
    const auto all = tokens(600);
    const std::uint32_t cuts[] = {100, 256, 300, 300, 600, 700};
    const auto pieces = chunk_pieces(scope, all, cuts);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> got;
    for (const auto& piece : pieces) {
        got.emplace_back(piece.start, piece.n);
        const auto ending_here = std::span(all).first(piece.start + piece.n);
        EXPECT_EQ(piece.name, kv::chunk_names(scope, ending_here).back()) << piece.start;
    }
    const std::vector<std::pair<std::uint32_t, std::uint32_t>> want{{0, 100}, {0, 256}, {256, 44}, {256, 256}, {512, 88}};
    EXPECT_EQ(got, want);
}

TEST(SavePlan, ShortAndEmpty) {
    EXPECT_TRUE(chunk_pieces(scope, {}, {}).empty());
    ASSERT_EQ(chunk_pieces(scope, tokens(256), {}).size(), 1U);
    EXPECT_EQ(chunk_pieces(scope, tokens(1), {}).front().n, 1U);
}

TEST(SavePlan, CheckpointsThatAreWorthwhile) {
    const std::uint32_t have[] = {40, 300, 900, 1500, 2600, 2900, 3000};
    const std::uint32_t wanted[] = {900, 901};
    EXPECT_EQ(checkpoints_to_keep(have, wanted), (std::vector<std::uint32_t>{900, 2600, 3000}));
    EXPECT_EQ(checkpoints_to_keep(have, {}), (std::vector<std::uint32_t>{1500, 2600, 3000}));
    EXPECT_TRUE(checkpoints_to_keep({}, wanted).empty());
}
