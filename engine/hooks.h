// What the engine asks of llama.cpp's server through engine/patches/0001-hooks.patch.
#pragma once
#include "server-hooks.h"

#include <atomic>
#include <cstdint>
#include <memory>

/// Counters of the main loop, read by GET /localcode/stats on HTTP threads.
struct EngineStats {
    std::atomic<std::uint64_t> decodes{0};
    std::atomic<std::uint64_t> decodes_aborted{0};
    std::atomic<double> prefill_tokens_per_ms{0};
    std::atomic<std::int32_t> prefill_step{0};  // of the last batch with prompt tokens
};

server_hooks make_hooks(std::shared_ptr<EngineStats> stats);
