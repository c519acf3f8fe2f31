// How long a place will take to its first token: learned online, from what its answers took. Pure.
#pragma once

#include <cstdint>
#include <optional>

namespace lc::route {

/// What is known of one place (a model of an engine, or of a backend). A value; memory of the past fades.
struct Speed {
    double prefill_ms = 0;   ///< per prompt token that is not cached; 0: not known yet
    double decode_ms = 0;    ///< per generated token
    double base_ms = 0;      ///< remote: time to the first token beyond prefill (network, their queue)
    double load_ms = 0;      ///< of the model
    double answer_ms = 0;    ///< of a whole answer: how long one ahead in the queue keeps its slot
    std::uint64_t seen = 0;  ///< answers learned from
    bool operator==(const Speed&) const = default;
};

/// One answer that ended well.
struct Observation {
    bool local = false;
    std::int64_t prompt = 0, cached = 0, generated = 0;
    std::optional<double> prefill_ms, decode_ms;  ///< for all its tokens, as the engine says
    std::optional<double> first_token_ms;         ///< from when it was sent there, without waiting for a slot
    std::optional<double> total_ms;
};
[[nodiscard]] Speed learn(Speed speed, const Observation& seen);
[[nodiscard]] Speed learn_load(Speed speed, double ms);

/// What stands between a request and its first token at a place, now.
struct Situation {
    bool local = false;
    bool loaded = true;
    std::int64_t tokens = 0, cached = 0;  ///< of this prompt
    std::int64_t busy = 0, slots = 1;     ///< answers under way or waiting there; how many it serves at a time (remote: 0)
    std::int64_t file_bytes = 0;          ///< of the model, for a load that was never measured
};

struct Prediction {
    double ttft_ms = 0;
    double queue_ms = 0, load_ms = 0, prefill_ms = 0;  ///< its parts
};
/// Where nothing was measured yet, cautious middle values stand in: 5 ms a token locally, 1 s for a remote answer.
[[nodiscard]] Prediction predict(const Speed& speed, const Situation& now);

}  // namespace lc::route
