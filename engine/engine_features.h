// What this engine can do beyond llama-server; reported by GET /localcode/engine and --version. Only what works is listed.
#pragma once
#include <array>
#include <string_view>

inline constexpr std::array<std::string_view, 9> engine_features = {
    "fast_cancel",       // a lost client is seen within 20 ms; the running decode is aborted (CPU), its other slots go on
    "adaptive_prefill",  // prefill steps become short while other slots generate
    "return_tokens",     // `return_tokens` gives `tokens` in (the last chunk's) choices of chat and completions too
    "request_draft",     // `speculative.n_max` (0: off) and `speculative.type` per request
    "batch_key",         // only requests with the same `batch_key` are decoded together
    "die_with_parent",   // --die-with-parent PID
    "state",             // --kv-dir: `localcode_state` of a request, /localcode/save, /localcode/slots
    "exact_history",     // `history` in `localcode_state`: what the model generated stays as it was
    "stop_gracefully",   // SIGTERM: running requests get an error, then exit 0
};
