#include <gtest/gtest.h>
#include <webp/encode.h>
#include <zlib.h>

#include "shell/media/pixels.hpp"

namespace lc::media {
namespace {

std::string webp(int width, int height) {
    const std::string rgb(static_cast<std::size_t>(width * height * 3), '\x40');
    std::uint8_t* out = nullptr;
    const std::size_t size = WebPEncodeLosslessRGB(reinterpret_cast<const std::uint8_t*>(rgb.data()), width, height, width * 3, &out);
    std::string bytes(reinterpret_cast<const char*>(out), size);
    WebPFree(out);
    return bytes;
}

/// A PNG whose header says so, and whose data is `raw`.
std::string png(std::uint32_t side, const std::string& raw) {
    const auto chunk = [](std::string type, const std::string& data) {
        std::string out;
        for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(data.size() >> shift & 0xff));
        return out + type + data + std::string(4, '\0');
    };
    uLongf size = compressBound(raw.size());
    std::string packed(size, '\0');
    compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw.data()), raw.size());
    packed.resize(size);
    std::string number;
    for (int shift = 24; shift >= 0; shift -= 8) number.push_back(static_cast<char>(side >> shift & 0xff));
    return "\x89PNG\r\n\x1a\n" + chunk("IHDR", number + number + std::string("\x08\x02\0\0\0", 5)) + chunk("IDAT", packed) + chunk("IEND", "");
}

TEST(Pixels, WebpBecomesPng) {
    const auto bytes = webp(20, 10);
    ASSERT_EQ(inspect(bytes)->kind, Kind::webp);
    EXPECT_EQ(inspect(bytes)->width, 20);
    EXPECT_EQ(inspect(bytes)->height, 10);
    const auto made = webp_to_png(bytes);
    ASSERT_TRUE(made) << made.error().detail;
    const auto info = inspect(*made);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->kind, Kind::png);
    EXPECT_EQ(info->width, 20);
    EXPECT_TRUE(check_png(*made, *info));
    EXPECT_FALSE(webp_to_png(bytes.substr(0, bytes.size() / 2)));
    EXPECT_FALSE(webp_to_png("RIFF"));
}

TEST(Pixels, APngThatHoldsMoreThanItSays) {
    const auto honest = png(100, std::string(100 * 301, '\0'));
    EXPECT_TRUE(check_png(honest, *inspect(honest)));
    const auto bomb = png(100, std::string(20'000'000, '\0'));
    EXPECT_LT(bomb.size(), 100'000u);
    EXPECT_FALSE(check_png(bomb, *inspect(bomb)));
    EXPECT_TRUE(check_png(honest.substr(0, 40), *inspect(honest))) << "cut off before any data: the decoder says so";
}

}  // namespace
}  // namespace lc::media
