// Whether to count a request's prompt tokens before an engine gets it, so that an overflow is a real status (400) and
// not an error in the middle of a stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lc::stream {

struct CountQuestion {
    std::int64_t body_bytes = 0;
    std::int64_t prompt_bytes = 0;  ///< api::RequestView::prompt_bytes
    std::int64_t context = 0;       ///< tokens per slot; 0: not known
    std::int64_t max_tokens = 0;  ///< asked for; an engine cuts an answer short at its context, so this decides nothing
    bool busy = false;            ///< all slots are taken: the engine would not look at the request for a while
};

/// Pure. True when the prompt could overflow the context (at the most a token a byte, and a template's own text) and
/// the engine itself would not say so before the answer's head has to go out: it is busy, or the prompt is so long that
/// an overflow is likely (3.5 bytes a token are typical) and the doubt should end now.
[[nodiscard]] bool should_count(const CountQuestion& question);

/// The number in an engine's answer to .../input_tokens; empty when it holds none.
[[nodiscard]] std::optional<std::int64_t> counted_tokens(std::string_view answer);

}  // namespace lc::stream
