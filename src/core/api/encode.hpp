// What the gateway itself writes in each dialect: errors, heartbeats, comments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/api/endpoint.hpp"

namespace lc::api {

/// Total map (a switch without default).
[[nodiscard]] int http_status(Errc code);

/// The body of an error answer in the dialect's own shape (OpenAI for chat and the rest, Anthropic for messages).
[[nodiscard]] std::string error_body(Dialect dialect, const Error& error);

/// The frames that end a stream with an error after the commit: the dialect's error event. For an overflow in chat it
/// is the form that makes OpenCode compact (reference: opencode-and-clients.md), never one that makes it retry for
/// ever. No `[DONE]` and no clean end follows.
[[nodiscard]] std::string error_frames(Dialect dialect, const Error& error);

/// `: text` comment frame. Line breaks in `text` become spaces.
[[nodiscard]] std::string comment_frame(std::string_view text);

/// The dialect's own heartbeat, sent every 5 s while nothing else is: chat: a chunk with
/// `delta:{"role":"assistant","content":""}`; messages: `event: ping`; responses: `response.in_progress`; others: a
/// comment. `id` is the request id, `created` unix seconds.
[[nodiscard]] std::string heartbeat_frame(Dialect dialect, std::string_view id, std::string_view model,
                                          std::int64_t created);

}  // namespace lc::api
