// The neutral view of a request: what routing, caching, logging and tool handling look at, whatever the dialect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/api/endpoint.hpp"

namespace lc::api {

enum class Role : std::uint8_t { system, developer, user, assistant, tool, other };
[[nodiscard]] std::string_view name_of(Role role);

/// A byte range of the body.
struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
    [[nodiscard]] bool empty() const { return begin == end; }
    bool operator==(const Range&) const = default;
};

/// One top-level member `"key": value` of the body object.
struct Member {
    std::string key;  ///< unescaped
    Range whole;      ///< from the key's quote to the end of the value
    Range value;
};

struct MessageView {
    Role role = Role::other;
    Range raw;                   ///< the message object in the body
    std::string text_preview;    ///< first 600 bytes of its text, parts joined by '\n', cut at a character
    std::size_t text_bytes = 0;  ///< of all text
    std::size_t media = 0;       ///< image, audio and file parts
    std::string tool_call_id;    ///< role tool: the call that it answers
    std::vector<std::string>
        result_ids;                  ///< role tool: ids of all calls that it answers (messages: one message, several)
    std::vector<std::string> calls;  ///< role assistant: names of the tools called
    std::vector<std::string> call_ids;  ///< their ids, same order
};

struct ToolView {
    std::string name;
    std::string description_preview;  ///< first 150 bytes
    Range raw;                        ///< the tool object in the body
};

/// `"localcode": {...}`: see INTERFACES.md section 2. Unknown keys inside are an error that names the nearest one.
struct Extensions {
    std::string session;
    std::string kind;
    std::string cache = "use";  ///< use | refresh | off
    std::optional<int> priority;
    std::optional<std::int64_t> deadline_ms;
    std::optional<std::vector<std::string>> prefix;  ///< steps that prepare the prompt; empty list: none; absent: as configured
    Range control_vectors, lora, speculative;  ///< raw JSON, empty when absent
};

struct RequestView {
    Dialect dialect = Dialect::plain;
    std::string model;  ///< empty: none given
    bool stream = false;
    bool include_usage = false;  ///< stream_options.include_usage
    bool return_progress = false;
    bool logprobs = false;
    std::string tool_choice;  ///< "auto" | "none" | "required" | "function:NAME" | "" (absent)
    /// A top-level `system` or `instructions` comes first, as role system. Prompts of the dialects without messages
    /// (`prompt`, `input`, `query`, `input_prefix`) are one message of role user. A user message of `messages` that
    /// holds tool results has the role tool; items of `responses` that are calls have the role assistant.
    std::vector<MessageView> messages;
    std::vector<ToolView> tools;
    std::optional<double> temperature, top_p;
    std::optional<std::int64_t> max_tokens;
    std::size_t prompt_bytes = 0;  ///< of all that a template may render: text, reasoning, calls, results, tools
    std::size_t media = 0;
    std::string session_field;  ///< body `session_id` or `prompt_cache_key`
    Extensions extensions;
    std::vector<Member> members;  ///< all top-level members in order, duplicates too
};

/// Parses and validates `body` for `dialect`. Borrows nothing after it returns.
/// Errors (bad_request): not JSON (with byte offset), not an object, deeper than `max_depth`, members of the wrong type
/// (named), `messages` missing. What a dialect does not know is not looked at. Of duplicate keys the last one counts
/// (as in llama.cpp); null reads as absent. Numbers of any size and halves of surrogate pairs are accepted: only
/// splices go out.
[[nodiscard]] Result<RequestView> parse_request(Dialect dialect, std::string_view body, std::size_t max_depth = 256);

/// The last member of that key, or nullptr.
[[nodiscard]] const Member* find(const RequestView& view, std::string_view key);

}  // namespace lc::api
