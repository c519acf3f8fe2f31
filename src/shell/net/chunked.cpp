#include "shell/net/chunked.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace lc::net {
namespace {

constexpr std::uint32_t max_extension = 4 << 10, max_trailers = 16 << 10;

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Visible, space, tab, or above ASCII: what an extension or a trailer may hold.
bool is_text(char c) { return c == '\t' || static_cast<unsigned char>(c) >= 0x20; }

/// One byte of framing. False: malformed.
bool step(ChunkState& s, char c) {
    using At = ChunkState::At;
    switch (s.at) {
        case At::size:
            if (const int digit = hex(c); digit >= 0) {
                s.left = s.left << 4 | static_cast<unsigned>(digit);
                return ++s.digits <= 15;
            }
            if (s.digits == 0) return false;
            s.overhead = 0;
            s.at = c == '\r' ? At::size_lf : At::extension;
            return c == '\r' || c == ';' || c == ' ' || c == '\t';
        case At::extension:
            if (c == '\r') {
                s.at = At::size_lf;
                return true;
            }
            return ++s.overhead <= max_extension && is_text(c);
        case At::size_lf:
            s.at = s.left != 0 ? At::data : At::line;
            s.digits = 0;
            s.overhead = 0;
            return c == '\n';
        case At::data_cr: s.at = At::data_lf; return c == '\r';
        case At::data_lf: s.at = At::size; return c == '\n';
        case At::line:  // at the beginning of a trailer, or of the empty line that ends the body
            s.at = c == '\r' ? At::end_lf : At::trailer;
            return c == '\r' || (++s.overhead <= max_trailers && is_text(c));
        case At::trailer:
            if (c == '\r') {
                s.at = At::line_lf;
                return true;
            }
            return ++s.overhead <= max_trailers && is_text(c);
        case At::line_lf: s.at = At::line; return c == '\n';
        case At::end_lf: s.at = At::done; return c == '\n';
        case At::data:
        case At::done: break;
    }
    return false;
}

}  // namespace

ChunkStep decode(ChunkState& state, char* bytes, std::size_t n) {
    char* in = bytes;
    char* const end = bytes + n;
    char* first = bytes;  // decoded bytes: [first, out)
    char* out = bytes;
    while (in != end && state.at != ChunkState::At::done) {
        if (state.at != ChunkState::At::data) {
            if (!step(state, *in++)) return {0, {}, true};
            continue;
        }
        const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(state.left, static_cast<std::uint64_t>(end - in)));
        if (first == out) {
            first = out = in;
        } else if (out != in) {
            std::memmove(out, in, take);
        }
        out += take;
        in += take;
        state.left -= take;
        if (state.left == 0) state.at = ChunkState::At::data_cr;
    }
    return {static_cast<std::size_t>(in - bytes), {first, static_cast<std::size_t>(out - first)}, false};
}

ChunkHeader chunk_header(std::size_t n) {
    ChunkHeader header{};
    char* end = std::to_chars(header.bytes.data(), header.bytes.data() + 16, n, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    header.length = static_cast<std::uint8_t>(end - header.bytes.data());
    return header;
}

}  // namespace lc::net
