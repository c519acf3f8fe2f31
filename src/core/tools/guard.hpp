// Watches the tool calls of a chat answer on their way to the client: holds what must be held, lets everything else
// pass as it came, and says what becomes of calls that are not valid.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/stream_event.hpp"
#include "core/sse/sse.hpp"
#include "core/tools/repair.hpp"
#include "core/tools/text_call.hpp"

namespace lc::tools {

/// What a call that cannot be made valid becomes.
enum class OnInvalid : std::uint8_t {
    pass,     ///< what the model wrote, so that the client can tell it
    content,  ///< text that says what was wrong
    error,    ///< the answer ends with an error
};

struct GuardOptions {
    bool repair = true;  ///< false: calls are only judged
    int reask = 2;       ///< how often a call may be asked for again
    OnInvalid on_invalid = OnInvalid::pass;
    bool hold_calls = true;  ///< false: a grammar guarantees them, so they pass as they come
    bool scan_text = true;   ///< look for calls in the text
    bool bare = true;        ///< whole texts that are JSON may be calls
};

/// How a call ended, for log and metrics.
struct Judged {
    std::string tool;
    std::string outcome;  ///< valid | repaired | asked_again | given_up | cut | unchecked
    std::vector<Fix> fixes;
    std::string why;
    bool operator==(const Judged&) const = default;
};

/// An answer under way. A value: copyable, no I/O. One choice: answers with several pass unguarded.
struct Guard {
    struct HeldFrame {
        std::string raw, data;
        std::vector<api::StreamEvent> events;
        std::size_t text_end = 0;  ///< bytes of text up to its end
        bool tool = false;
    };
    struct HeldCall {
        int index = 0;
        std::string id;
        Call call;
        Outcome outcome;
        bool judged = false, from_text = false, again = false;
        bool new_id = false;  ///< it came without one, or with one that another call has
    };
    GuardOptions options;
    TextScan scan;
    std::deque<HeldFrame> frames;
    std::vector<HeldCall> calls;  ///< not yet passed on
    std::string text_before;      ///< of the calls in the text: what they were read from
    std::size_t text_seen = 0, text_passed = 0;
    int calls_seen = 0;
    std::vector<std::string> ids;
    bool changed = false;  ///< something else than what came was passed on
    int asked = 0;
    bool off = false;      ///< several choices, or an error: everything passes
    bool settled = false;  ///< the finish was handled
    bool asking = false;   ///< waits for answered()
    bool failed = false;   ///< on_invalid = error: the answer must end with `failure`
    std::string failure;
    std::vector<Judged> judged;
    std::string id_seed;  ///< of ids that we make up: the request's id
};

/// `seed`: of ids that must be made up, unique for each answer.
[[nodiscard]] Guard make_guard(const GuardOptions& options, std::string seed);

/// What goes on to the client, in order.
struct GuardOut {
    std::string bytes;
    std::vector<api::StreamEvent> events;  ///< what they mean
};

/// One frame of the answer and the events that it means.
[[nodiscard]] GuardOut step(const ToolSet& tools, Guard& guard, const sse::Frame& frame,
                            const std::vector<api::StreamEvent>& events);

/// The call that should be asked for again: set while `guard.asking`.
struct Question {
    std::string tool;  ///< empty: the model named none that exists
    std::string name, arguments, why;
    int attempt = 1;
};
[[nodiscard]] Question question(const ToolSet& tools, const Guard& guard);

/// The answer to the question; an empty name: there was none (no more is asked then).
[[nodiscard]] GuardOut answered(const ToolSet& tools, Guard& guard, const Call& call);

/// The stream is over, whether it ended well or not: what is still held passes as it came.
[[nodiscard]] GuardOut flush(Guard& guard);

/// A whole answer (not streamed): the body with its calls mended, or the body itself when nothing is to be changed.
/// While `guard.asking` afterwards, the result of `answered` goes to whole_body too.
[[nodiscard]] GuardOut open_whole(const ToolSet& tools, Guard& guard, std::string_view body);
[[nodiscard]] std::string close_whole(const Guard& guard, std::string_view body,
                                      const std::vector<api::StreamEvent>& events);

}  // namespace lc::tools
