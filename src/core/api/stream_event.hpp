// The neutral stream of events of an answer. Logging, tool repair and caching see only these.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "core/api/endpoint.hpp"
#include "core/sse/sse.hpp"

namespace lc::api {

struct TextDelta {
    std::string text;
    int choice = 0;
};
struct ReasoningDelta {
    std::string text;
    int choice = 0;
};
/// `index` numbers the calls of the whole answer from 0, whatever numbers the backend uses. `id` may be empty.
struct ToolBegin {
    int index = 0;
    std::string id, name;
    int choice = 0;
};
struct ToolArguments {
    int index = 0;
    std::string text;
};  ///< a piece of the arguments' JSON text
/// The call is whole: its block was closed, the next call of the choice began, or the choice finished. (No backend is
/// known that interleaves calls; one that did would yield arguments after the end, and a second end.)
struct ToolEnd {
    int index = 0;
};
struct Usage {
    std::int64_t prompt = 0, completion = 0, total = 0;
    std::optional<std::int64_t> cached, reasoning;
};
/// llama.cpp's `timings` of the last chunk.
struct Timings {
    std::int64_t cache_n = 0, prompt_n = 0, predicted_n = 0;
    double prompt_ms = 0, predicted_ms = 0;
};
/// llama.cpp's `prompt_progress` (asked for with return_progress). `time_ms` since the prompt was begun.
struct Progress {
    std::int64_t total = 0, cached = 0, processed = 0;
    double time_ms = 0;
};
/// `reason` in chat's terms (stop, length, tool_calls, content_filter); what has no such term stays as it came.
struct Finish {
    std::string reason;
    int choice = 0;
};
struct StreamFailure {
    Error error;
    std::string raw;
};               ///< an error object in mid-stream
struct Done {};  ///< `[DONE]`, message_stop, response.completed

using StreamEvent = std::variant<TextDelta, ReasoningDelta, ToolBegin, ToolArguments, ToolEnd, Usage, Timings, Progress,
                                 Finish, StreamFailure, Done>;

/// Reads one dialect's frames. A value: copyable, no I/O.
struct StreamReader {
    /// A call that was seen; its place in `tools` is its index.
    struct Tool {
        int choice = 0;
        std::int64_t wire = -1;  ///< the backend's own number: `index` in chat, the content block in messages
        std::string key;         ///< its id; responses: the item id
        bool ended = false;
        bool arguments_seen = false;
    };
    Dialect dialect = Dialect::chat;
    std::vector<Tool> tools;  ///< at most max_tools
    Usage usage;              ///< messages: gathered from its first and last event
    bool finished = false;    ///< a finish reason was seen
    bool done = false;        ///< the dialect's last event was seen: only then is an end of bytes clean

    static constexpr std::size_t max_tools = 1024;  ///< calls beyond it are not followed
};

/// What a frame means. Unknown or malformed JSON yields no events (the frame is still relayed); an error object yields
/// StreamFailure with the code that it stands for (an overflow in any of its wordings is context_length_exceeded).
[[nodiscard]] std::vector<StreamEvent> read(StreamReader& reader, const sse::Frame& frame);

/// The events of a whole, not streamed answer body; the last one is Done. Not JSON: none.
[[nodiscard]] std::vector<StreamEvent> read_whole(Dialect dialect, std::string_view body);

/// True for a chunk that only reports prefill progress (no content, no finish) and that a client that did not ask for
/// return_progress must not see.
[[nodiscard]] bool is_progress_only(const sse::Frame& frame);

/// Recognises an upstream error body (OpenAI, Anthropic, llama.cpp shapes; or plain text) by status and content. Total:
/// an engine's 500 "Context size has been exceeded." and the other wordings of an overflow become
/// context_length_exceeded; 429 rate_limited; 503 overloaded; 404 not_found; 400 bad_request; else upstream_error.
[[nodiscard]] Error classify_upstream_error(int status, std::string_view body, int retry_after_s);

}  // namespace lc::api
