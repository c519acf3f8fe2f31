// Server-sent events: cuts a byte stream into frames without losing a byte, so that frames nobody changes can be
// relayed exactly as they came. Format: WHATWG HTML, "Server-sent events".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace lc::sse {

struct Frame {
    std::string raw;    ///< the bytes as they came, blank line included
    std::string event;  ///< `event:` field, empty when absent
    std::string data;   ///< `data:` lines joined with '\n'
    bool has_data = false;
    /// True for frames that hold nothing but comment lines.
    [[nodiscard]] bool comment_only() const { return !has_data && event.empty(); }
    bool operator==(const Frame&) const = default;
};

/// How the bytes are split never changes the frames. Holds at most `max_frame` bytes.
struct State {
    std::string pending;      ///< bytes of the frame that is not complete yet
    std::size_t scanned = 0;  ///< how much of `pending` was looked at
    std::size_t max_frame = 32u << 20;
};

/// Appends the frames that `chunk` completes to `out`. Error: a frame over `max_frame` (upstream_error); the frames
/// before it are in `out`, the state is then of no further use. The raw texts of all frames plus `pending` are all
/// bytes given.
[[nodiscard]] Result<void> step(State& state, std::string_view chunk, std::vector<Frame>& out);

/// To be called at the end of bytes: a stream with bare CR line ends has its last frame still held back, since an LF
/// could have followed. Never makes a frame of an incomplete one.
void finish(State& state, std::vector<Frame>& out);

/// True when the stream ended between two frames.
[[nodiscard]] bool at_frame_end(const State& state);

}  // namespace lc::sse
