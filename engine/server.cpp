#include "server.h"

#include "hooks.h"
#include "process_guard.h"
#include "routes.h"
#include "state/service.h"

#include "common.h"
#include "llama.h"
#include "log.h"
#include "server-context.h"
#include "server-http.h"
#include "server-stream.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {
/// The library wants an embedding batch to be one physical batch, and an explicit number of slots.
void complete(common_params& params) {
    if (params.embedding && params.n_batch > params.n_ubatch) {
        params.n_batch = params.n_ubatch;
    }
    if (params.n_parallel < 0) {
        params.n_parallel = 4;
        params.kv_unified = true;
    }
    if (params.kv_unified_per_slot > 0 && params.n_ctx == 0 &&
        static_cast<std::uint32_t>(params.fit_params_min_ctx) != UINT32_MAX) {
        params.n_ctx = params.n_parallel * params.kv_unified_per_slot;
    }
    if (const auto name = params.model.get_name(); params.model_alias.empty() && !name.empty()) {
        params.model_alias.insert(name);
    }
    // llama.cpp's default lets it skip checkpoints that a request asks for; state/service.cpp keeps the spacing of the others.
    params.checkpoint_min_step = std::min(params.checkpoint_min_step, 64);
    params.ui = false;
    params.ui_mcp_proxy = false;
    params.server_tools.clear();
}

/// The gateway's secret; nothing that is started from here shall see it.
std::string take_token() {
    const char* token = std::getenv("LOCALCODE_ENGINE_TOKEN");
    std::string out = token != nullptr ? token : "";
    ::unsetenv("LOCALCODE_ENGINE_TOKEN");
    return out;
}

std::vector<std::string> socket_files(const common_params& params) {
    std::vector<std::string> out;
    for (const auto& host : params.hostnames) {
        if (host.size() > 5 && host.compare(host.size() - 5, 5, ".sock") == 0) {
            out.push_back(host);
        }
    }
    return out;
}

void remove_files(const std::vector<std::string>& files) {
    for (const auto& file : files) {
        std::error_code ignored;  // gone already is as good
        std::filesystem::remove(file, ignored);
    }
}

/// Last line of a failed start: what a supervisor shows to a person.
int fail(const std::string& why) {
    common_log_flush(common_log_main());
    std::fprintf(stderr, "localcode-engine: %s\n", why.c_str());
    return 1;
}

enum class Phase { loading, serving, stopping };
}  // namespace

int run_server(common_params& params, int parent, const std::string& kv_dir) {
    complete(params);
    server_stream_session_manager_start();

    // Static: the guard's threads may still look at them while the process ends.
    static std::atomic<Phase> phase{Phase::loading};
    static std::atomic<server_context*> serving{nullptr};

    const auto stats = std::make_shared<EngineStats>();
    server_context context;
    StateService states(kv_dir, take_token());
    auto hooks = make_hooks(stats);
    states.install(hooks);
    context.set_hooks(std::move(hooks));
    server_routes routes(params, context);
    server_http_context http;
    if (!http.init(params)) {
        return fail("cannot set up the HTTP server");
    }
    register_routes(http, routes, stats, states);

    // Before the model is loaded, so that /health answers "loading".
    if (!http.start()) {
        server_stream_session_manager_stop();
        return fail("cannot listen on " + (params.hostnames.empty() ? std::string() : params.hostnames.front()) +
                    " (in use, path too long, or no such folder)");
    }
    const auto sockets = socket_files(params);

    ProcessGuard guard;
    guard.parent = parent;
    guard.last_words = [sockets] { remove_files(sockets); };
    guard.on_stop = [sockets](StopReason) {
        if (auto expected = Phase::serving; phase.compare_exchange_strong(expected, Phase::stopping)) {
            serving.load()->shut_down("the engine is stopping");
        } else if (expected == Phase::loading) {
            // Nothing runs yet that could lose anything, and loading cannot be interrupted.
            remove_files(sockets);
            _exit(0);
        }
    };
    start_process_guard(guard);

    const auto close_http = [&] {
        server_stream_session_manager_stop();
        http.stop();
        http.join();
        remove_files(sockets);
    };

    if (!context.load_model(params)) {
        context.shut_down("the model could not be loaded");
        close_http();
        llama_backend_free();
        return fail("cannot load the model " + params.model.path);
    }
    routes.update_meta(context);
    states.loaded(context, params);
    http.is_ready.store(true);
    serving.store(&context);
    phase.store(Phase::serving);
    for (const auto& address : http.listening_addresses) {
        LOG_INF("localcode-engine: ready on %s\n", address.c_str());
    }

    context.start_loop();

    phase.store(Phase::stopping);
    close_http();
    return 0;
}
