#include "shell/net/chunked.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lc::net {
namespace {

struct Decoded {
    std::string data;
    std::size_t consumed = 0;
    bool done = false, malformed = false;
    bool operator==(const Decoded&) const = default;
};

/// Decodes `text` in pieces of `step` bytes, as a reader would.
Decoded decode_in_steps(std::string text, std::size_t step) {
    ChunkState state;
    Decoded out;
    for (std::size_t at = 0; at < text.size() && state.at != ChunkState::At::done; at += step) {
        const std::size_t n = std::min(step, text.size() - at);
        const ChunkStep got = decode(state, text.data() + at, n);
        if (got.malformed) return {out.data, out.consumed, false, true};
        out.data += got.data;
        out.consumed += got.consumed;
        EXPECT_TRUE(got.consumed == n || state.at == ChunkState::At::done);
    }
    out.done = state.at == ChunkState::At::done;
    return out;
}

TEST(Chunked, DecodesHoweverTheInputIsSplit) {
    const std::string data(300, 'd');
    const struct { const char* name; std::string text; std::string want; std::size_t behind = 0; bool done = true; } cases[] = {
        {"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"},
        {"several", "5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\r\n", "hello, world"},
        {"none", "0\r\n\r\n", ""},
        {"many zeros", "000\r\n\r\n", ""},
        {"capital and small", "12C\r\n" + data + "\r\n12c\r\n" + data + "\r\n0\r\n\r\n", data + data},
        {"leading zeros", "0005\r\nhello\r\n0\r\n\r\n", "hello"},
        {"extensions", "5;a=b;c=\"d e\"\r\nhello\r\n0 ;x\r\n\r\n", "hello"},
        {"trailers", "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", "hello"},
        {"the next message stays", "5\r\nhello\r\n0\r\n\r\nGET /", "hello", 5},
        {"line ends within the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"},
        {"not finished: data", "5\r\nhel", "hel", 0, false},
        {"not finished: last line feed", "5\r\nhello\r\n0\r\n\r", "hello", 0, false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        for (std::size_t step = 1; step <= c.text.size(); ++step) {
            const Decoded got = decode_in_steps(c.text, step);
            EXPECT_EQ(got, (Decoded{c.want, c.text.size() - c.behind, c.done, false})) << "in steps of " << step;
        }
    }
}

TEST(Chunked, RefusesHoweverTheInputIsSplit) {
    const struct { const char* name; std::string text; } cases[] = {
        {"not hexadecimal", "g\r\n"},
        {"no size", "\r\n"},
        {"extension without size", ";a\r\n"},
        {"sixteen digits", "0000000000000001\r\n"},
        {"bare line feed behind the size", "5\nhello"},
        {"carriage return without line feed", "5\rhello"},
        {"no line end behind the data", "5\r\nhelloX"},
        {"bare line feed behind the data", "5\r\nhello\n0\r\n\r\n"},
        {"control in an extension", "5;\x01\r\nhello\r\n"},
        {"line feed in a trailer", "0\r\nA: b\n\r\n"},
        {"bare line feed at the end", "0\r\n\n"},
        {"space before the size", " 5\r\nhello"},
        {"sign", "+5\r\nhello"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        for (std::size_t step = 1; step <= c.text.size(); ++step) EXPECT_TRUE(decode_in_steps(c.text, step).malformed) << step;
    }
}

TEST(Chunked, BoundsWhatIsNotData) {
    EXPECT_FALSE(decode_in_steps("1;" + std::string(4000, 'x') + "\r\na\r\n0\r\n\r\n", 100).malformed);
    EXPECT_TRUE(decode_in_steps("1;" + std::string(4200, 'x') + "\r\na\r\n0\r\n\r\n", 100).malformed);
    std::string trailers;
    for (int i = 0; i < 1000; ++i) trailers += "X: aaaaaaaaaa\r\n";
    EXPECT_FALSE(decode_in_steps("0\r\nX: y\r\n\r\n", 3).malformed);
    EXPECT_FALSE(decode_in_steps("0\r\n" + trailers + "\r\n", 100).malformed);
    EXPECT_TRUE(decode_in_steps("0\r\n" + trailers + trailers + "\r\n", 100).malformed);
}

TEST(Chunked, Header) {
    const struct { std::size_t n; std::string_view want; } cases[] = {
        {1, "1\r\n"}, {10, "a\r\n"}, {255, "ff\r\n"}, {4096, "1000\r\n"}, {~std::size_t{0}, "ffffffffffffffff\r\n"}};
    for (const auto& c : cases) EXPECT_EQ(view(chunk_header(c.n)), c.want);
}

}  // namespace
}  // namespace lc::net
