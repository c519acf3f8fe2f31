#include "hooks.h"

#include "pacing.h"
#include "request_fields.h"

#include "ggml-backend.h"

#include <utility>

namespace {
// A lost client is noticed this soon: one poll(2) per waiting request.
constexpr int poll_ms = 20;
// How long a generating slot may wait for another's prefill step.
constexpr double step_target_ms = 250;

/// Times of decodes mean something without a synchronisation only when nothing runs on a device.
bool all_on_cpu() {
    for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        const auto type = ggml_backend_dev_type(ggml_backend_dev_get(i));
        if (type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU) {
            return false;
        }
    }
    return true;
}
}  // namespace

server_hooks make_hooks(std::shared_ptr<EngineStats> stats) {
    server_hooks hooks;
    hooks.poll_ms = poll_ms;
    hooks.abort_on_cancel = true;
    hooks.on_request = [](const json& body, server_task& task) { apply_request_fields(body, task.params); };
    hooks.prefill_step = [stats](const server_step_info& info) {
        const auto step = prefill_step({info.n_batch, info.n_generating}, {stats->prefill_tokens_per_ms.load()}, step_target_ms);
        stats->prefill_step.store(step);
        return step;
    };
    hooks.on_decode = [stats, cpu = all_on_cpu()](const server_decode_info& info) {
        stats->decodes.fetch_add(1);
        if (info.aborted) {
            stats->decodes_aborted.fetch_add(1);
        } else if (info.synced || cpu) {
            const auto speed = observe({stats->prefill_tokens_per_ms.load()}, info.n_prompt_tokens, info.t_us);
            stats->prefill_tokens_per_ms.store(speed.tokens_per_ms);
        }
    };
    hooks.should_abort = [stats](const server_cancel_info& info) {
        return worth_abort({info.n_tokens, info.t_us}, {stats->prefill_tokens_per_ms.load()});
    };
    return hooks;
}
