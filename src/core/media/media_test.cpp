#include <gtest/gtest.h>

#include "base/base64.hpp"
#include "core/media/find.hpp"
#include "core/media/image.hpp"

namespace lc::media {
namespace {

std::string png(std::string size) { return "\x89PNG\r\n\x1a\n" + std::string("\0\0\0\x0dIHDR", 8) + size + std::string("\x08\x02\0\0\0", 5); }

TEST(Image, HeadersSayKindAndSize) {
    const std::string jpeg("\xff\xd8\xff\xe0\0\x04" "ab" "\xff\xff\xc2\0\x0b\x08\0\x10\0\x20\x03", 19);
    const std::string webp_lossy("RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x20\0\x10\0", 30);
    const std::string webp_extended("RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x1f\0\0\x0f\0\0", 30);
    const struct {
        const char* name;
        std::string bytes;
        bool good;
        Kind kind;
        std::int64_t width, height;
    } cases[] = {
        {"png", png(std::string("\0\0\0\x20\0\0\0\x10", 8)), true, Kind::png, 32, 16},
        {"gif", std::string("GIF89a\x20\0\x10\0", 10), true, Kind::gif, 32, 16},
        {"jpeg", jpeg, true, Kind::jpeg, 32, 16},
        {"webp", webp_lossy, true, Kind::webp, 32, 16},
        {"webp, extended", webp_extended, true, Kind::webp, 32, 16},
        {"wav", "RIFF1234WAVEfmt ", true, Kind::wav, 0, 0},
        {"mp3", "ID3\x04", true, Kind::mp3, 0, 0},
        {"empty png", png(std::string(8, '\0')), false, {}, 0, 0},
        {"cut png", "\x89PNG\r\n\x1a\n", false, {}, 0, 0},
        {"cut jpeg", jpeg.substr(0, 14), false, {}, 0, 0},
        {"cut gif", "GIF89a", false, {}, 0, 0},
        {"cut webp", webp_lossy.substr(0, 20), false, {}, 0, 0},
        {"text", "#EXTM3U\nhttp://127.0.0.1/", false, {}, 0, 0},
        {"svg", "<svg xmlns='...'/>", false, {}, 0, 0},
        {"video", std::string("\0\0\0\x18" "ftypmp42", 12), false, {}, 0, 0},
        {"nothing", "", false, {}, 0, 0},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto info = inspect(c.bytes);
        ASSERT_EQ(info.has_value(), c.good);
        if (!info) continue;
        EXPECT_EQ(info->kind, c.kind);
        EXPECT_EQ(info->width, c.width);
        EXPECT_EQ(info->height, c.height);
    }
    EXPECT_TRUE(inspect(webp_extended)->animated);
}

TEST(Image, BombsAreKnownByTheirSize) {
    EXPECT_TRUE(check_size({Kind::png, 8000, 5000}));
    EXPECT_FALSE(check_size({Kind::png, 8001, 5000}));
    EXPECT_FALSE(check_size({Kind::jpeg, 65535, 1}));
    EXPECT_FALSE(check_size(*inspect(png(std::string("\x7f\xff\xff\xff\x7f\xff\xff\xff", 8)))));
}

TEST(Find, InTheTermsOfEachDialect) {
    const struct {
        const char* name;
        std::string body;
        std::vector<std::string> texts;
    } cases[] = {
        {"chat", R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u1"}}]}]})",
         {"u1"}},
        {"responses", R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"u2"}]}]})", {"u2"}},
        {"messages", R"({"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"u3"}}]}]})", {"u3"}},
        {"in a tool's result",
         R"({"messages":[{"content":[{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","media_type":"m","data":"d"}}]}]}]})",
         {"d"}},
        {"sound", R"({"messages":[{"content":[{"type":"input_audio","input_audio":{"data":"s","format":"wav"}}]}]})", {"s"}},
        {"video", R"({"messages":[{"content":[{"type":"video_url","video_url":{"url":"v"}}]}]})", {"v"}},
        {"a raw prompt", R"({"prompt":{"prompt_string":"x","multimodal_data":["p","q"]}})", {"p", "q"}},
        {"the last of two counts", R"({"a":[{"type":"text","type":"image_url","image_url":{"url":"no"},"image_url":{"url":"x","url":"yes"}}]})",
         {"yes"}},
        {"names and texts with escapes", "{\"a\":[{\"t\\u0079pe\":\"image\\u005furl\",\"image_\\u0075rl\":{\"url\":\"http:\\/\\/x\"}}]}",
         {"http://x"}},
        {"words in a text", R"({"messages":[{"content":"image_url http://x"}]})", {}},
        {"not an object", "[1]", {}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto found = find_media(c.body);
        ASSERT_TRUE(found);
        std::vector<std::string> texts;
        for (const auto& item : *found) texts.push_back(item.text);
        EXPECT_EQ(texts, c.texts);
    }
    std::string many = R"({"a":[)";
    for (std::size_t i = 0; i <= max_items; ++i) many += std::string(i ? "," : "") + R"({"type":"image_url","image_url":"x"})";
    EXPECT_FALSE(find_media(many + "]}"));
}

TEST(Find, OnlyBytesAreTaken) {
    const auto item = [](std::string text) {
        Item out;
        out.text = std::move(text);
        out.where = "here";
        return out;
    };
    EXPECT_EQ(bytes_of(item("data:image/png;base64,YWI=")).value(), "ab");
    EXPECT_EQ(bytes_of(item("YWI=")).value(), "ab");
    for (const auto* bad : {"http://x/y.png", "HTTPS://x", "file:///etc/passwd", "/etc/passwd.png", "../x.png", "ftp://x", "data:image/png,abc",
                            "data:image/png;base64,", "data:image/png;base64,YW I=", "data:image/png", "", "data:image/png;base64,YWI=,YWI="}) {
        EXPECT_FALSE(bytes_of(item(bad))) << bad;
    }
    Item video = item("YWI=");
    video.video = true;
    EXPECT_FALSE(bytes_of(video));
}

}  // namespace
}  // namespace lc::media
