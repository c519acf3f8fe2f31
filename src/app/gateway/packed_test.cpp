#include "app/gateway/packed.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lc::gateway {

TEST(Packed, ComesBackAsItWas) {
    std::mt19937 random(7);
    std::string noise(20'000, '\0');
    for (auto& c : noise) c = static_cast<char>(random());
    std::string words;
    while (words.size() < 30'000)
        words += "{\"role\":\"user\",\"content\":\"word " + std::to_string(words.size()) + "\"},";
    for (const auto& text : {std::string(), std::string("{}"), words, noise, std::string(100'000, '\0')}) {
        for (const bool compress : {false, true}) EXPECT_EQ(unpack(pack(text, compress)), text) << text.size();
    }
    EXPECT_LT(pack(words, true).bytes.size(), words.size() / 3);
    EXPECT_FALSE(pack(words, false).compressed);
    EXPECT_FALSE(pack(noise, true).compressed) << "what does not get smaller stays";
    auto damaged = pack(words, true);
    damaged.bytes.resize(damaged.bytes.size() / 2);
    EXPECT_EQ(unpack(damaged), "");
}

}  // namespace lc::gateway
