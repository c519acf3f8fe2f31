// Frames do not depend on how the bytes are split, and no byte is lost.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "check.hpp"
#include "core/sse/sse.hpp"

using namespace lc;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    sse::State whole_state, split_state;
    std::vector<sse::Frame> whole, split;
    CHECK(sse::step(whole_state, text, whole));
    std::uint32_t random = data[0] + 1u;
    for (std::size_t at = 0; at < text.size();) {
        random = random * 1664525 + 1013904223;
        const std::size_t piece = 1 + (random >> 24) % (data[0] % 16 + 1u);
        CHECK(sse::step(split_state, text.substr(at, piece), split));
        at += piece;
    }
    CHECK(whole == split);
    CHECK(whole_state.pending == split_state.pending);
    CHECK(sse::at_frame_end(whole_state) == sse::at_frame_end(split_state));
    sse::finish(whole_state, whole);
    std::string raw;
    for (const auto& frame : whole) raw += frame.raw;
    CHECK(raw + whole_state.pending == text);
    CHECK(whole_state.pending.empty() == sse::at_frame_end(whole_state));
    return 0;
}
