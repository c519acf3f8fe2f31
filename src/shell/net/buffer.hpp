// A byte buffer that is filled at the end and consumed from the front; it allocates on first use and can be released.
// While it is pinned (a read into the room behind its end is under way), consuming leaves the end where it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace lc::net {

struct Buffer {
    std::unique_ptr<char[]> bytes;
    std::size_t capacity = 0, begin = 0, end = 0;
    bool pinned = false;
};

[[nodiscard]] inline std::size_t size(const Buffer& b) { return b.end - b.begin; }
[[nodiscard]] inline char* data(Buffer& b) { return b.bytes.get() + b.begin; }
[[nodiscard]] inline std::string_view view(const Buffer& b) { return {b.bytes.get() + b.begin, b.end - b.begin}; }

inline void consume(Buffer& b, std::size_t n) {
    b.begin += n;
    if (b.begin == b.end && !b.pinned) b.begin = b.end = 0;
}

/// Makes room for at least `n` bytes behind the content and returns how many fit. Moves the content; views die. Not while
/// pinned.
inline std::size_t make_room(Buffer& b, std::size_t n) {
    if (b.capacity - b.end >= n) return b.capacity - b.end;
    const std::size_t used = size(b);
    if (b.capacity - used >= n) {
        std::memmove(b.bytes.get(), b.bytes.get() + b.begin, used);
    } else {
        const std::size_t wanted = std::max(used + n, 2 * b.capacity);
        std::unique_ptr<char[]> larger(new char[wanted]);
        if (used != 0) std::memcpy(larger.get(), b.bytes.get() + b.begin, used);
        b.bytes = std::move(larger);
        b.capacity = wanted;
    }
    b.begin = 0;
    b.end = used;
    return b.capacity - b.end;
}

/// Gives the memory back when it is empty and larger than `keep`.
inline void shrink(Buffer& b, std::size_t keep) {
    if (size(b) == 0 && b.capacity > keep && !b.pinned) b = {};
}

}  // namespace lc::net
