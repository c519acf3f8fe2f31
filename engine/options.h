// The engine's own command line options; everything else is llama-server's and passed on unchanged.
#pragma once
#include <string>
#include <vector>

struct EngineOptions {
    bool version = false;
    int die_with_parent = 0;               // pid; 0: not watched
    std::string kv_dir;                    // the store that states are read from and saved to; empty: none
    std::vector<std::string> llama_args;   // argv[0] first
    std::string error;                     // not empty: refuse to start
};

/// Pure. Takes --version, --die-with-parent PID and --kv-dir DIR (also with =) out of argv.
EngineOptions parse_engine_options(const std::vector<std::string>& argv);

/// Pure. Why these arguments cannot be served, or empty: the engine has one model from one local file.
struct ModelSource { std::string path, url, hf_repo, docker_repo; };
std::string refuse_model_source(const ModelSource& source);
