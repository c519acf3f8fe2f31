// What is remembered of one request: the console log prints it, the store keeps it, `localcode requests` shows it.
// Bounded by construction: previews and arguments are cut before they get here (core/log/describe.hpp, tally.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lc::log {

/// Limits that keep one record small.
inline constexpr std::size_t preview_chars = 150;  ///< of a message or an answer, cut at a character, "..." included
inline constexpr std::size_t max_arguments_bytes = 2048;  ///< of one tool call's arguments
inline constexpr std::size_t max_logged_messages = 200;   ///< the last ones of a longer history
inline constexpr std::size_t max_logged_tools = 128;      ///< tool names
inline constexpr std::size_t max_edit_bytes = 4096;       ///< of each side of an edit of the prompt
inline constexpr std::size_t max_logged_edits = 16;
inline constexpr std::size_t max_logged_calls = 64;       ///< tool calls of one answer, names of one message

struct MessageSummary {
    std::string role;                ///< system | developer | user | assistant | tool | other
    std::string preview;             ///< at most preview_chars characters
    std::string tool_call_id;        ///< role tool: the call it answers; empty otherwise
    std::vector<std::string> calls;  ///< role assistant: names of the tools it called
    bool operator==(const MessageSummary&) const = default;
};

struct ToolCallSummary {
    std::string id, name;
    std::string arguments;   ///< the JSON text, at most max_arguments_bytes
    bool truncated = false;  ///< `arguments` is only its beginning
    bool complete = false;   ///< the call's end was seen
    std::string outcome;     ///< "valid", "repaired: closed, quotes", "asked_again", "given_up: why"; empty: nobody looked
    bool operator==(const ToolCallSummary&) const = default;
};

struct UsageSummary {
    std::int64_t prompt = 0, completion = 0, total = 0;
    std::optional<std::int64_t> cached, reasoning;
    bool operator==(const UsageSummary&) const = default;
};

/// Milliseconds; empty: the step did not happen or is not known.
struct TimingSummary {
    std::optional<double> parse;        ///< reading and validating the body
    std::optional<double> wait;         ///< queue and model load
    std::optional<double> connect;      ///< to the backend, TLS included
    std::optional<double> first_byte;   ///< since the request was read: first byte of the backend's answer
    std::optional<double> first_token;  ///< since the request was read: first text, reasoning or tool call
    std::optional<double> total;        ///< since the request was read: until the last byte was written
    bool operator==(const TimingSummary&) const = default;
};

/// One place of the prompt that was put into another form (core/prefix).
struct PromptEdit {
    std::string step;           ///< environment | pinned | tools | compaction
    std::string where;          ///< "message 0 (system)", "tool bash"
    std::string before, after;  ///< at most max_edit_bytes of each, redacted
    bool operator==(const PromptEdit&) const = default;
};

struct RequestRecord {
    std::string id;            ///< UUIDv7, as in x-localcode-request-id
    std::int64_t unix_ms = 0;  ///< when the request was read
    std::string key;           ///< name of the API key that was used; empty: none
    std::string client;        ///< opencode | claude | ... | other
    std::string session;       ///< empty: none
    std::string parent;        ///< empty: not a subagent
    std::string kind;          ///< main | subagent | title | compaction | ...
    std::string dialect;       ///< chat | completions | messages | ... (name_of(api::Dialect))
    std::string endpoint;      ///< the path asked for, without query
    std::string model_asked;   ///< empty: none was named
    std::string model_used;    ///< empty: refused before one was chosen
    std::string backend;       ///< name of the backend or engine; empty: none
    bool stream = false;

    std::int64_t n_messages = 0;           ///< of the request, also when `messages` holds fewer
    std::int64_t n_tools = 0;              ///< of the request, also when `tools` holds fewer
    std::vector<MessageSummary> messages;  ///< at most max_logged_messages, the last ones
    std::vector<std::string> tools;        ///< names, at most max_logged_tools

    std::string response_preview;        ///< at most preview_chars characters of the answer's text
    std::string reasoning_preview;       ///< the same of its reasoning
    std::vector<ToolCallSummary> calls;  ///< at most max_logged_calls
    std::string finish_reason;           ///< empty: none was seen
    std::optional<UsageSummary> usage;   ///< empty: the backend gave none

    int status = 0;            ///< HTTP status of the answer; 0: none was sent
    std::string error_code;    ///< name_of(Errc); empty: no error
    std::string error_detail;  ///< redacted
    TimingSummary ms;
    std::optional<double> tokens_per_second;  ///< generation speed
    std::int64_t bytes_in = 0, bytes_out = 0;
    std::string route;         ///< JSON: the places that could answer, with predictions and why; empty: none was chosen
    std::string route_reason;   ///< as in x-localcode-route
    std::string cache_outcome;  ///< as in x-localcode-cache
    std::string prefix;  ///< message keys of a local request, "key:bytes" each (core/log/prefix.hpp); empty: none
    std::vector<PromptEdit> prompt;  ///< at most max_logged_edits; empty: the prompt went as it came
    bool cancelled = false;     ///< the client left or asked to stop
    std::string request_body, response_body;  ///< as they came and went; empty unless log.bodies is on
    bool operator==(const RequestRecord&) const = default;
};

}  // namespace lc::log
