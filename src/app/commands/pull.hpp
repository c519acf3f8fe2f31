// `pull`: a model from a Hugging Face hub into the cache.
#pragma once

#include <string>

#include "app/hub/fetch.hpp"
#include "base/error.hpp"

namespace CLI {
class App;
}

namespace lc::commands {

struct PullOptions {
    std::string spec;      ///< org/repo, org/repo:quant, org/repo:file.gguf
    bool refresh = false;  ///< ask the hub even when everything is here
    bool quiet = false;    ///< no progress
    bool json = false;
};

/// Exit status: 0 complete, 1 failed, 2 not a model's name, 130 or 143 interrupted (what has come is kept).
/// Standard output: the path of the GGUF file, or one JSON object; progress goes to standard error.
int pull(const PullOptions& options);

void add_pull(CLI::App& app, int& status);

/// For `serve`, before its loop runs: the model from the cache, else downloaded with progress on standard error.
/// Endpoint and token are the environment's (HF_ENDPOINT, HF_TOKEN). `*signal` (may be null): SIGINT or SIGTERM when
/// one of them ended it.
[[nodiscard]] Result<hub::LocalModel> obtain_model(const std::string& spec, const std::string& cache_dir,
                                                   int* signal = nullptr);

}  // namespace lc::commands
