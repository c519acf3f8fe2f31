#include "core/log/prefix.hpp"

#include <charconv>

namespace lc::log {

std::string prefix_text(const std::vector<PrefixPiece>& pieces) {
    std::string out;
    const std::size_t from = pieces.size() > max_prefix_pieces ? pieces.size() - max_prefix_pieces : 0;
    std::uint64_t before = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        before += pieces[i].second;
        if (i < from) continue;
        char text[40];
        auto end = std::to_chars(text, text + 20, pieces[i].first, 16).ptr;
        *end++ = ':';
        end = std::to_chars(end, text + sizeof text, clamp_bytes(before), 16).ptr;
        before = 0;
        if (!out.empty()) out += ' ';
        out.append(text, end);
    }
    return out;
}

std::vector<PrefixPiece> prefix_of(std::string_view text) {
    std::vector<PrefixPiece> out;
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end && out.size() < max_prefix_pieces) {
        PrefixPiece piece{};
        const auto key = std::from_chars(at, end, piece.first, 16);
        if (key.ec != std::errc() || key.ptr == end || *key.ptr != ':') break;
        const auto bytes = std::from_chars(key.ptr + 1, end, piece.second, 16);
        if (bytes.ec != std::errc()) break;
        out.push_back(piece);
        at = bytes.ptr;
        if (at == end || *at != ' ') break;
        ++at;
    }
    return out;
}

}  // namespace lc::log
