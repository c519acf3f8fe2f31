// Keeps count of an answer while it streams: preview, tool calls, finish reason, usage.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/api/stream_event.hpp"
#include "core/log/record.hpp"

namespace lc::log {

/// A value of bounded size, however long the answer is.
struct ResponseTally {
    std::string text, reasoning;  ///< beginnings, of the first choice; not redacted yet
    std::size_t text_bytes = 0, reasoning_bytes = 0;
    std::vector<ToolCallSummary> calls;  ///< by index; at most max_logged_calls
    std::size_t calls_seen = 0;
    std::string finish_reason;
    std::optional<UsageSummary> usage;
    std::optional<api::Timings> timings;
    std::optional<Error> error;
};

/// Pure.
void feed(ResponseTally& tally, const api::StreamEvent& event);

/// Writes what is known into the record: previews, calls, finish reason, usage (from the timings when the backend gave
/// no usage), tokens per second (from the timings, else from the record's own times), the error when the record has
/// none.
void conclude(const ResponseTally& tally, RequestRecord& record);

}  // namespace lc::log
