// Chunked transfer coding (RFC 9112, 7.1), both ways. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lc::net {

/// Decoder state between two pieces of input. How the input is split never changes what comes out.
struct ChunkState {
    enum class At : std::uint8_t { size, extension, size_lf, data, data_cr, data_lf, line, trailer, line_lf, end_lf, done };
    At at = At::size;
    std::uint8_t digits = 0;       ///< of the size read so far
    std::uint32_t overhead = 0;    ///< bytes of the current size line, or of all trailers
    std::uint64_t left = 0;        ///< of the current chunk's data
};

struct ChunkStep {
    std::size_t consumed = 0;      ///< input bytes used; less than given only behind the end (they belong to the next message)
    std::string_view data;         ///< decoded bytes: a part of the input's memory, moved together when they were in pieces
    bool malformed = false;        ///< nothing else is to be trusted then
};

/// Decodes in place: the content of `bytes` is undefined afterwards, but for `data`. Strict: CRLF only, at most 15 digits of
/// size, at most 4 KiB of extension and 16 KiB of trailers (which are dropped).
[[nodiscard]] ChunkStep decode(ChunkState& state, char* bytes, std::size_t n);

/// "1f4\r\n" for a chunk of `n` bytes. `n` must not be 0: that would be the last chunk.
struct ChunkHeader {
    std::array<char, 18> bytes;
    std::uint8_t length;
};
[[nodiscard]] ChunkHeader chunk_header(std::size_t n);
[[nodiscard]] inline std::string_view view(const ChunkHeader& h) { return {h.bytes.data(), h.length}; }

inline constexpr std::string_view chunk_end = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace lc::net
