#include "core/sse/sse.hpp"

#include <cstring>
#include <utility>

namespace lc::sse {

namespace {

std::size_t find(std::string_view text, char c, std::size_t from, std::size_t to) {
    const void* hit = from < to ? std::memchr(text.data() + from, c, to - from) : nullptr;
    return hit == nullptr ? to : static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
}

/// First line break at or after `from`, or the size.
std::size_t find_break(std::string_view text, std::size_t from) {
    const std::size_t lf = find(text, '\n', from, text.size());
    return find(text, '\r', from, lf);
}

void take_line(std::string_view line, Frame& frame) {
    const std::size_t colon = line.find(':');
    if (colon == 0) return;  // a comment
    const std::string_view name = line.substr(0, colon);
    std::string_view value;
    if (colon != std::string_view::npos) value = line.substr(colon + 1);
    if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (name == "data") {
        if (frame.has_data) frame.data.push_back('\n');
        frame.data.append(value);
        frame.has_data = true;
    } else if (name == "event") {
        frame.event = value;
    }
}

Frame make_frame(std::string_view raw) {
    Frame frame;
    frame.raw = raw;
    std::string_view text = raw;
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark; only legal at the stream's start
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = find_break(text, begin);
        if (end > begin) take_line(text.substr(begin, end - begin), frame);
        begin = end + 1;  // the LF of a CRLF reads as one more empty line, which means nothing here
    }
    return frame;
}

Result<void> emit(State& state, std::size_t begin, std::size_t end, std::vector<Frame>& out) {
    if (end - begin > state.max_frame) return fail(Errc::upstream_error, "an event of the stream is too large");
    out.push_back(make_frame(std::string_view(state.pending).substr(begin, end - begin)));
    return {};
}

}  // namespace

Result<void> step(State& state, std::string_view chunk, std::vector<Frame>& out) {
    state.pending.append(chunk);
    const std::string_view text = state.pending;
    std::size_t begin = 0;
    std::size_t at = state.scanned;
    while ((at = find_break(text, at)) < text.size()) {
        const bool first = at == begin;
        const char before = first ? '\0' : text[at - 1];
        if (text[at] == '\n' && before == '\r') {  // the second half of a CRLF
            ++at;
            continue;
        }
        const bool blank_line = first || before == '\n' || before == '\r';
        if (!blank_line) {
            ++at;
            continue;
        }
        std::size_t end = at + 1;
        if (text[at] == '\r') {
            if (end == text.size()) break;  // its LF may be in the next chunk
            if (text[end] == '\n') ++end;
        }
        if (auto sent = emit(state, begin, end, out); !sent) return sent;
        begin = at = end;
    }
    state.scanned = at - begin;
    state.pending.erase(0, begin);
    if (state.pending.size() > state.max_frame) {
        return fail(Errc::upstream_error, "an event of the stream is too large");
    }
    return {};
}

void finish(State& state, std::vector<Frame>& out) {
    if (state.pending.empty() || !at_frame_end(state)) return;
    out.push_back(make_frame(state.pending));
    state.pending.clear();
    state.scanned = 0;
}

bool at_frame_end(const State& state) {
    // A blank line that ended with CR is held back until the next byte shows whether an LF belongs to it.
    return state.pending.empty() || (state.scanned + 1 == state.pending.size() && state.pending.back() == '\r');
}

}  // namespace lc::sse
