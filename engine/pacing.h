// How long a decode may last: decisions about prefill steps and about aborting, from the measured speed.
#pragma once
#include <cstdint>

/// Prompt tokens per millisecond, as seen lately; 0: not known yet.
struct PrefillSpeed { double tokens_per_ms = 0; };

/// Pure. The speed after one more decode of `n_prompt` prompt tokens in `us`; decodes with few of them say nothing.
PrefillSpeed observe(PrefillSpeed before, std::int32_t n_prompt, std::int64_t us);

struct StepView {
    std::int32_t n_batch;
    std::int32_t n_generating;  // slots whose next token waits for this batch
};

/// Pure. Prompt tokens for this batch: as many as fit, but while others generate no more than keep their next token
/// within `target_ms`. A multiple of 32, at least 32 (less costs more throughput than it gains).
std::int32_t prefill_step(const StepView& view, PrefillSpeed speed, double target_ms);

struct CancelView {
    std::int32_t n_tokens;   // in the running decode
    std::int64_t us;         // since it began
};

/// Pure. Whether to abort the running decode for a cancel: not when it is about to end anyway, because the others in it
/// would be decoded again.
bool worth_abort(const CancelView& view, PrefillSpeed speed);
