// Traces from outside: lines of JSON (Mooncake's format and ours, which has more members), and records of the request
// log. Bounded: what is refused is named by its line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "core/policy/trace.hpp"

namespace lc::policy {

inline constexpr std::size_t max_trace_line = 16u << 20;
inline constexpr std::size_t max_trace_requests = 20'000'000;
inline constexpr std::size_t max_trace_blocks = 400'000'000;

/// Adds one line: an object with `timestamp` (ms), `input_length`, `output_length`, `hash_ids` (a block's number stands
/// for the prefix up to its end), and optionally `session`, `parent` (text or number), `kind`, `finish_reason`,
/// `cancelled`, `prefill_ms`. Empty lines are nothing. Errors (bad_request) say what is wrong, and in line `number`.
[[nodiscard]] Result<void> read_line(Trace& trace, std::string_view line, std::size_t number);

/// To be called when all is read: puts requests in order of time and finds out how long a block is (16 to 8192 tokens,
/// what most requests' lengths agree with).
void finish(Trace& trace);

/// A request as the request log remembers it: pieces of its prompt with chained keys.
struct LoggedRequest {
    std::int64_t at_ms = 0;
    std::uint32_t prompt = 0, output = 0;                         ///< tokens
    std::vector<std::pair<std::uint64_t, std::uint32_t>> prefix;  ///< key of all up to the piece's end, its bytes
    std::string_view model, name_space, session, parent, kind, finish_reason;
    bool cancelled = false;
    double prefill_ms = 0;  ///< 0: unknown
    std::uint32_t prefilled = 0;
};

/// How many bytes a token has is taken from all requests together, so that a piece is as long in each of them.
[[nodiscard]] Trace trace_of(const std::vector<LoggedRequest>& log, std::uint32_t block_tokens = 256);

/// "main", "subagent", ...; anything else is `other`.
[[nodiscard]] Kind kind_named(std::string_view name);
/// As finish reasons are called in any dialect; anything else is `unknown`.
[[nodiscard]] Finish finish_named(std::string_view name, bool cancelled);

}  // namespace lc::policy
