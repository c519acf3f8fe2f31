// localcode-engine: llama.cpp's server library as a child process that serves one model on a Unix socket.
#include "engine_features.h"
#include "options.h"
#include "process_guard.h"
#include "routes.h"
#include "server.h"

#include "arg.h"
#include "build-info.h"
#include "common.h"
#include "llama.h"
#include "log.h"

#include <clocale>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {
int complain(const std::string& why) {
    std::fprintf(stderr, "localcode-engine: %s\n", why.c_str());
    return 1;
}

void print_version() {
    std::printf("localcode-engine api %d, llama.cpp %s (%s)\nfeatures:", engine_api_version,
                std::string(engine_llama_version).c_str(), llama_build_info());
    for (const auto name : engine_features) {
        std::printf(" %s", std::string(name).c_str());
    }
    std::printf("\n");
}

int run(const std::vector<std::string>& argv) {
    auto options = parse_engine_options(argv);
    if (!options.error.empty()) {
        return complain(options.error);
    }
    if (options.version) {
        print_version();
        return 0;
    }
    if (options.die_with_parent != 0 && !process_runs(options.die_with_parent)) {
        return complain("the parent process is gone already");
    }

    std::setlocale(LC_NUMERIC, "C");
    block_stop_signals();

    common_init();
    common_params params;
    std::vector<char*> args;
    for (auto& arg : options.llama_args) {
        args.push_back(arg.data());
    }
    args.push_back(nullptr);
    if (!common_params_parse(static_cast<int>(args.size()) - 1, args.data(), params, LLAMA_EXAMPLE_SERVER)) {
        return complain("bad arguments");
    }
    if (const auto why = refuse_model_source({params.model.path, params.model.url, params.model.hf_repo, params.model.docker_repo});
        !why.empty()) {
        return complain(why);
    }

    llama_backend_init();
    llama_numa_init(params.numa);
    const int status = run_server(params, options.die_with_parent, options.kv_dir);
    common_log_flush(common_log_main());
    return status;
}
}  // namespace

int main(int argc, char** argv) {
    try {
        return run({argv, argv + argc});
    } catch (const std::exception& e) {
        return complain(e.what());
    }
}
