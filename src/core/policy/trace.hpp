// A trace: what was asked for when, as blocks of prompt that can be kept. Read from files, made from the request log,
// or generated; replayed by simulate.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lc::policy {

/// What sort of request it is, as far as it tells whether somebody comes back.
enum class Kind : std::uint8_t { main, subagent, title, compaction, other };

/// How its answer ended. `unknown`: the trace does not say.
enum class Finish : std::uint8_t { unknown, stop, tool_calls, length, gone };  ///< gone: the client left

/// One request. Its blocks stand in the trace's pool.
struct TraceRequest {
    std::int64_t at_ms = 0;
    std::uint64_t first_block = 0;
    std::uint32_t n_blocks = 0;
    std::uint32_t input = 0, output = 0;    ///< tokens
    std::uint64_t session = 0, parent = 0;  ///< hashes of ids; 0: unknown or none
    Kind kind = Kind::main;
    Finish finish = Finish::unknown;
    float prefill_ms_per_block = 0;  ///< measured; 0: unknown
};

/// Requests in order of time. A block's name stands for all tokens up to its end: equal names, equal prefixes.
struct Trace {
    std::uint32_t block_tokens = 512;
    std::vector<TraceRequest> requests;
    std::vector<std::uint64_t> blocks;

    [[nodiscard]] std::span<const std::uint64_t> path(const TraceRequest& r) const {
        return std::span(blocks).subspan(r.first_block, r.n_blocks);
    }
    bool operator==(const Trace&) const = default;
};

inline bool operator==(const TraceRequest& a, const TraceRequest& b) {
    return a.at_ms == b.at_ms && a.first_block == b.first_block && a.n_blocks == b.n_blocks && a.input == b.input &&
           a.output == b.output && a.session == b.session && a.parent == b.parent && a.kind == b.kind &&
           a.finish == b.finish && a.prefill_ms_per_block == b.prefill_ms_per_block;
}

}  // namespace lc::policy
