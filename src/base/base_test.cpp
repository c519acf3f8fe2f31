#include <gtest/gtest.h>

#include "base/error.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "base/uuid.hpp"

namespace lc {

TEST(Sha256, KnownVectors) {
    EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(Sha256().update("a").update("bc").finish(), sha256("abc"));
}

TEST(Sha256, ConstantTimeComparison) {
    EXPECT_TRUE(equal_constant_time("secret", "secret"));
    EXPECT_FALSE(equal_constant_time("secret", "secreT"));
    EXPECT_FALSE(equal_constant_time("secret", "secret "));
    EXPECT_TRUE(equal_constant_time("", ""));
}

TEST(Uuid, VersionVariantAndOrder) {
    const auto id = uuid_v7(0x0192abcdef01ULL, {0xff, 0xff, 0xff, 0xff, 0, 1, 2, 3, 4, 5});
    EXPECT_EQ(id, "0192abcd-ef01-7fff-bfff-000102030405");
    EXPECT_LT(uuid_v7(1000, {}), uuid_v7(1001, {}));
}

TEST(Text, CutsAtCharacters) {
    const struct {
        const char* name;
        std::string_view in;
        std::size_t max;
        std::string_view want;
    } cases[] = {
        {"short", "abc", 5, "abc"},
        {"ascii", "abcdef", 3, "abc"},
        {"inside a two-byte character", "a\xc3\xa9z", 2, "a"},
        {"after it", "a\xc3\xa9z", 3, "a\xc3\xa9"},
        {"inside a four-byte character", "\xf0\x9f\x98\x80", 3, ""},
        {"not UTF-8: cut where it falls", "\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(cut_utf8(c.in, c.max), c.want);
    }
}

TEST(Text, PreviewIsOneLine) {
    EXPECT_EQ(preview("a\nb\tc", 10), "a b c");
    EXPECT_EQ(preview("\xc3\xa9\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xc3\xa9...");
    EXPECT_EQ(preview("ab", 2), "ab");
}

TEST(Text, NearestWord) {
    constexpr std::string_view words[] = {"host", "port", "header_hold_ms"};
    EXPECT_EQ(nearest("prot", words), "port");
    EXPECT_EQ(nearest("header_hold", words), "header_hold_ms");
    EXPECT_EQ(nearest("completely_else", words), "");
}

TEST(Error, EveryCodeHasItsOwnName) {
    std::string_view last;
    for (int i = 0; i <= static_cast<int>(Errc::internal); ++i) {
        const auto name = name_of(static_cast<Errc>(i));
        EXPECT_FALSE(name.empty());
        EXPECT_NE(name, last);
        last = name;
    }
}

}  // namespace lc
