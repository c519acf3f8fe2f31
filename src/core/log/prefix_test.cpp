#include "core/log/prefix.hpp"

#include <gtest/gtest.h>

namespace lc::log {
namespace {

TEST(Prefix, ReadsBackWhatItWrote) {
    const std::vector<PrefixPiece> pieces{{0xdeadbeefcafe0001, 9000}, {1, 0}, {~0ull, 0x7fffffff}};
    EXPECT_EQ(prefix_text(pieces), "deadbeefcafe0001:2328 1:0 ffffffffffffffff:7fffffff");
    EXPECT_EQ(prefix_of(prefix_text(pieces)), pieces);
    EXPECT_EQ(prefix_text({}), "");
    EXPECT_TRUE(prefix_of("").empty());
}

TEST(Prefix, EarlyPiecesOfALongHistoryAreTakenTogether) {
    std::vector<PrefixPiece> pieces;
    for (std::uint64_t i = 0; i < max_prefix_pieces + 10; ++i) pieces.push_back({i + 1, 100});
    const auto back = prefix_of(prefix_text(pieces));
    ASSERT_EQ(back.size(), max_prefix_pieces);
    EXPECT_EQ(back.front(), (PrefixPiece{11, 1100}));
    EXPECT_EQ(back.back(), pieces.back());
}

TEST(Prefix, MalformedTextEndsIt) {
    const struct {
        const char* text;
        std::size_t pieces;
    } cases[] = {{"1:2 3:4", 2},     {"1:2 3", 1}, {"1:2 x:4", 1}, {"1:2,3:4", 1}, {"12345678901234567:1", 0},
                 {"1:123456789", 0}, {" 1:2", 0},  {":", 0},       {"1:2 ", 1}};
    for (const auto& c : cases) EXPECT_EQ(prefix_of(c.text).size(), c.pieces) << c.text;
}

}  // namespace
}  // namespace lc::log
