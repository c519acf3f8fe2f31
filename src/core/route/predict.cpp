#include "core/route/predict.hpp"

#include <algorithm>
#include <cmath>

namespace lc::route {

namespace {

/// The first values count for themselves, later ones for a quarter: a place that changes is known after some answers.
void fade_in(double& value, double fresh) {
    if (!std::isfinite(fresh) || fresh < 0) return;
    constexpr double share = 0.25;
    value = value > 0 ? value + share * (fresh - value) : fresh;
}

constexpr double usual_prefill_ms = 5, usual_remote_ms = 1'000, usual_answer_ms = 10'000;
constexpr double load_ms_per_gib = 1'000, load_ms_at_least = 500;

}  // namespace

Speed learn(Speed speed, const Observation& seen) {
    const auto fresh = seen.prompt - seen.cached;
    // A handful of tokens measures the overhead of a batch, not the speed.
    if (seen.prefill_ms && fresh >= 16) fade_in(speed.prefill_ms, *seen.prefill_ms / static_cast<double>(fresh));
    if (seen.decode_ms && seen.generated >= 4) fade_in(speed.decode_ms, *seen.decode_ms / static_cast<double>(seen.generated));
    if (!seen.local && seen.first_token_ms) fade_in(speed.base_ms, *seen.first_token_ms);
    if (seen.total_ms) fade_in(speed.answer_ms, *seen.total_ms);
    ++speed.seen;
    return speed;
}

Speed learn_load(Speed speed, double ms) {
    fade_in(speed.load_ms, ms);
    return speed;
}

Prediction predict(const Speed& speed, const Situation& now) {
    Prediction out;
    const auto fresh = static_cast<double>(std::max<std::int64_t>(0, now.tokens - std::max<std::int64_t>(0, now.cached)));
    if (!now.local) {
        out.prefill_ms = speed.base_ms > 0 ? speed.base_ms : usual_remote_ms;
        out.ttft_ms = out.prefill_ms;
        return out;
    }
    out.prefill_ms = fresh * (speed.prefill_ms > 0 ? speed.prefill_ms : usual_prefill_ms);
    if (!now.loaded) {
        const double size = static_cast<double>(now.file_bytes) / (1u << 30);
        out.load_ms = speed.load_ms > 0 ? speed.load_ms : load_ms_at_least + size * load_ms_per_gib;
    }
    if (now.slots > 0 && now.busy >= now.slots) {
        // Those ahead are in the middle of their answers, on average; slots free up one after another.
        const double answer = speed.answer_ms > 0 ? speed.answer_ms : usual_answer_ms;
        const auto ahead = static_cast<double>(now.busy - now.slots + 1);
        out.queue_ms = answer * (ahead - 0.5) / static_cast<double>(now.slots);
    }
    out.ttft_ms = out.queue_ms + out.load_ms + out.prefill_ms;
    return out;
}

}  // namespace lc::route
