#include "core/kv/keys/media.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace lc::kv {

namespace {

constexpr auto values = [] {
    std::array<std::int8_t, 256> out{};
    out.fill(-1);
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        out[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    return out;
}();

std::optional<std::string> from_base64(std::string_view text) {
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    std::string out;
    out.reserve(text.size() / 4 * 3 + 3);
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : text) {
        const int value = values[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        if ((have += 6) >= 8) out.push_back(static_cast<char>(bits >> (have -= 8)));
    }
    return out;
}

}  // namespace

Digest media_bytes_digest(std::string_view text, bool bare_base64) {
    std::string_view data = text;
    if (data.starts_with("data:")) {
        const std::size_t comma = data.find(',');
        if (comma == std::string_view::npos || !data.substr(0, comma).ends_with(";base64")) return sha256(text);
        data.remove_prefix(comma + 1);
    } else if (!bare_base64) {
        return sha256(text);
    }
    const auto bytes = from_base64(data);
    return bytes ? sha256(*bytes) : sha256(text);
}

}  // namespace lc::kv
