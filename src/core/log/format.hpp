// The console's request log. Pure: text in, text out; nothing of a prompt reaches a terminal as a control character.
#pragma once

#include <cstddef>
#include <string>

#include "core/api/stream_event.hpp"
#include "core/log/record.hpp"
#include "core/log/tally.hpp"

namespace lc::log {

struct Style {
    bool color = false;
    bool json_lines = false;
    std::size_t max_messages = 20;  ///< of a longer history: the first two and the last ones
};

/// When a request was read and routed. Several lines, without the last line's end: who, model, stream, number of
/// messages, each message's role and preview, and `[Tool Request]` with the names of the tools when there are any.
[[nodiscard]] std::string format_request(const RequestRecord& record, const Style& style);

/// When its answer has ended: status, preview, tool calls, finish reason, tokens, times.
[[nodiscard]] std::string format_response(const RequestRecord& record, const Style& style);

struct Line {
    std::string text;    ///< empty: nothing to say
    bool debug = false;  ///< a chunk: for the debug level only
};

/// For each event of an answer, after it was fed to `tally`: `[Tool Call]` as a call begins (id, name), `[Tool Call
/// Complete]` with its arguments when it is whole, and pieces of text and arguments at debug level.
[[nodiscard]] Line format_event(const RequestRecord& record, const ResponseTally& tally, const api::StreamEvent& event,
                                const Style& style);

}  // namespace lc::log
