// Tool calls of one turn: the history mended, forced calls put to the engine, answers watched. Internal to app/gateway.
#pragma once

#include <optional>

#include "app/gateway/packed.hpp"
#include "app/gateway/parts.hpp"
#include "core/tools/force.hpp"
#include "core/tools/guard.hpp"

namespace lc::gateway {

/// What a turn whose request has tools carries.
struct ToolTurn {
    std::shared_ptr<const tools::ToolSet> offered;
    tools::Guard guard;
    bool guarding = false;
    std::optional<tools::ForcedStream> forced;
    Upstream again;     ///< the request as it was put to the place, for asking again, without its body
    Packed again_body;  ///< empty when that is not done
};

/// Mends the history of a chat request and reads its tools. The body and the view of the turn change with it.
void begin_tools(Gateway& gateway, Turn& turn);

/// Before the request goes: puts what the request insists on to an engine in the way that works there (`up` changes),
/// and gets ready to watch the answer. Error: what the client asked for cannot be.
awaitable<Result<void>> prepare_tools(Gateway& gateway, Turn& turn, Upstream& up);

/// Frames of a forced call become frames of a chat stream; others stay.
void translate_tools(Turn& turn, std::vector<sse::Frame>& frames);

/// What of a frame goes on; `events` are the frame's. Turns without tools: the frame itself.
[[nodiscard]] tools::GuardOut watch_tools(Turn& turn, const sse::Frame& frame, std::vector<api::StreamEvent> events);

/// Whether a call should be asked for again before the answer can end.
[[nodiscard]] bool tools_ask(const Turn& turn);

/// Asks once; what goes on after that. The turn's own call stays as it is.
awaitable<tools::GuardOut> ask_again(Gateway& gateway, Turn& turn);

/// What is still held, when the stream broke off.
[[nodiscard]] tools::GuardOut release_tools(Turn& turn);

/// Whether a call that stays invalid ends the answer with an error (tools.on_invalid), and which.
[[nodiscard]] std::optional<Error> tools_failure(const Turn& turn);

/// A whole answer with its calls mended.
awaitable<std::string> mend_whole(Gateway& gateway, Turn& turn, std::string body,
                                  std::vector<api::StreamEvent>& events);

}  // namespace lc::gateway
