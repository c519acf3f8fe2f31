#include "core/sse/sse.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lc::sse {
namespace {

std::vector<Frame> all(std::string_view text, State& state) {
    std::vector<Frame> out;
    EXPECT_TRUE(step(state, text, out));
    return out;
}

Frame frame(std::string raw, std::string event, std::string data, bool has_data = true) {
    return {std::move(raw), std::move(event), std::move(data), has_data};
}

TEST(Sse, Frames) {
    const struct {
        const char* name;
        std::string in;
        std::vector<Frame> want;
        std::string pending;
    } cases[] = {
        {"one", "data: x\n\n", {frame("data: x\n\n", "", "x")}, ""},
        {"no space", "data:x\n\n", {frame("data:x\n\n", "", "x")}, ""},
        {"only one space is dropped", "data:  x\n\n", {frame("data:  x\n\n", "", " x")}, ""},
        {"event", "event: ping\ndata: {}\n\n", {frame("event: ping\ndata: {}\n\n", "ping", "{}")}, ""},
        {"two data lines", "data: a\ndata: b\n\n", {frame("data: a\ndata: b\n\n", "", "a\nb")}, ""},
        {"data without colon", "data\n\n", {frame("data\n\n", "", "")}, ""},
        {"colon in the value", "data: a:b\n\n", {frame("data: a:b\n\n", "", "a:b")}, ""},
        {"comment", ": hi\n\n", {frame(": hi\n\n", "", "", false)}, ""},
        {"bare comment", ":\n\n", {frame(":\n\n", "", "", false)}, ""},
        {"comment beside data", ": hi\ndata: x\n\n", {frame(": hi\ndata: x\n\n", "", "x")}, ""},
        {"crlf", "data: x\r\n\r\n", {frame("data: x\r\n\r\n", "", "x")}, ""},
        {"crlf, two",
         "data: x\r\n\r\ndata: y\r\n\r\n",
         {frame("data: x\r\n\r\n", "", "x"), frame("data: y\r\n\r\n", "", "y")},
         ""},
        {"cr", "data: x\r\rdata: y\r\rd", {frame("data: x\r\r", "", "x"), frame("data: y\r\r", "", "y")}, "d"},
        {"cr, the last one waits", "data: x\r\r", {}, "data: x\r\r"},
        {"mixed", "data: x\r\ndata: y\n\r\n", {frame("data: x\r\ndata: y\n\r\n", "", "x\ny")}, ""},
        {"blank lines between",
         "data: x\n\n\ndata: y\n\n",
         {frame("data: x\n\n", "", "x"), frame("\n", "", "", false), frame("data: y\n\n", "", "y")},
         ""},
        {"byte order mark",
         "\xef\xbb\xbf"
         "data: x\n\n",
         {frame("\xef\xbb\xbf"
                "data: x\n\n",
                "", "x")},
         ""},
        {"unfinished", "data: x\n", {}, "data: x\n"},
        {"other fields", "id: 7\nretry: 10\n\n", {frame("id: 7\nretry: 10\n\n", "", "", false)}, ""},
        {"NUL and UTF-8",
         std::string("data: \0\xc3\xa9\n\n", 11),
         {frame(std::string("data: \0\xc3\xa9\n\n", 11), "", std::string("\0\xc3\xa9", 3))},
         ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        State state;
        EXPECT_EQ(all(c.in, state), c.want);
        EXPECT_EQ(state.pending, c.pending);
    }
}

TEST(Sse, CommentOnly) {
    State state;
    const auto frames = all(": a\n\ndata\n\nevent: x\n\n", state);
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_TRUE(frames[0].comment_only());
    EXPECT_FALSE(frames[1].comment_only());
    EXPECT_FALSE(frames[2].comment_only());
}

TEST(Sse, EndOfBytes) {
    const struct {
        const char* name;
        const char* in;
        bool at_end;
        std::size_t held;  ///< frames that `finish` still gives
    } cases[] = {
        {"nothing", "", true, 0},
        {"between frames", "data: x\n\n", true, 0},
        {"inside a line", "data: x", false, 0},
        {"after a line", "data: x\n", false, 0},
        {"after a line with CR", "data: x\r", false, 0},
        {"after a line with CRLF", "data: x\r\n", false, 0},
        {"bare CR ends a frame", "data: x\r\r", true, 1},
        {"CRLF then CR", "data: x\r\n\r", true, 1},
        {"crlf", "data: x\r\n\r\n", true, 0},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        State state;
        all(c.in, state);
        EXPECT_EQ(at_frame_end(state), c.at_end);
        std::vector<Frame> rest;
        finish(state, rest);
        EXPECT_EQ(rest.size(), c.held);
        EXPECT_EQ(state.pending.empty(), c.at_end);
    }
}

TEST(Sse, SplitNeverMatters) {
    std::mt19937 random(7);
    const std::string_view pieces[] = {"data: x", "data:", "event: e", ": c", "\n",    "\r",
                                       "\r\n",    "\n\n",  "\r\r",     "é",   "id: 1", " "};
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        for (int i = 0; i < 12; ++i) text += pieces[random() % std::size(pieces)];
        State whole_state, split_state;
        const auto whole = all(text, whole_state);
        std::vector<Frame> split;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t n = 1 + random() % 4;
            ASSERT_TRUE(step(split_state, std::string_view(text).substr(at, n), split));
            at += n;
        }
        ASSERT_EQ(split, whole) << text;
        ASSERT_EQ(split_state.pending, whole_state.pending) << text;
        ASSERT_EQ(at_frame_end(split_state), at_frame_end(whole_state)) << text;
        std::string raw;
        for (const auto& f : whole) raw += f.raw;
        ASSERT_EQ(raw + whole_state.pending, text);
    }
}

TEST(Sse, TooLarge) {
    const std::string text = "data: 1\n\ndata: " + std::string(100, 'x') + "\n\n";
    for (const std::size_t piece : {std::size_t{1}, std::size_t{30}, text.size()}) {
        State state{.max_frame = 50};
        std::vector<Frame> out;
        Result<void> result;
        for (std::size_t at = 0; at < text.size() && result; at += piece) {
            result = step(state, std::string_view(text).substr(at, piece), out);
        }
        ASSERT_FALSE(result) << piece;
        EXPECT_EQ(result.error().code, Errc::upstream_error);
        EXPECT_EQ(out.size(), 1u);
    }
}

}  // namespace
}  // namespace lc::sse
