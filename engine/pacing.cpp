#include "pacing.h"

#include <algorithm>

namespace {
constexpr std::int32_t granule = 32;
constexpr std::int32_t first_step = 128;     // until a speed is known
constexpr double abort_saves_ms = 30;
constexpr double weight_of_new = 0.3;
}  // namespace

PrefillSpeed observe(PrefillSpeed before, std::int32_t n_prompt, std::int64_t us) {
    if (n_prompt < granule || us <= 0) {
        return before;
    }
    const double seen = static_cast<double>(n_prompt) * 1000.0 / static_cast<double>(us);
    if (before.tokens_per_ms <= 0) {
        return {seen};
    }
    return {before.tokens_per_ms + weight_of_new * (seen - before.tokens_per_ms)};
}

std::int32_t prefill_step(const StepView& view, PrefillSpeed speed, double target_ms) {
    if (view.n_generating == 0) {
        return view.n_batch;
    }
    std::int32_t step = first_step;
    if (speed.tokens_per_ms > 0) {
        const double fits = std::min(speed.tokens_per_ms * target_ms, static_cast<double>(view.n_batch));
        step = static_cast<std::int32_t>(fits) / granule * granule;
    }
    return std::min(std::max(step, granule), view.n_batch);
}

bool worth_abort(const CancelView& view, PrefillSpeed speed) {
    if (speed.tokens_per_ms <= 0) {
        return true;
    }
    const double expected_ms = static_cast<double>(view.n_tokens) / speed.tokens_per_ms;
    const double passed_ms = static_cast<double>(view.us) / 1000.0;
    // Beyond the expectation nothing is known about the end: then do not wait for it.
    return passed_ms > expected_ms || expected_ms - passed_ms > abort_saves_ms;
}
