// Runs llama.cpp's server library for one model until it is told to stop.
#pragma once
#include <string>

struct common_params;

/// Loads the model, serves, and returns the process's exit status: 0 after a stop, 1 when it could not serve (the last
/// line on stderr says why). Starts the process guard; `parent` as in ProcessGuard. `kv_dir`:
/// the store for states, or empty.
int run_server(common_params& params, int parent, const std::string& kv_dir);
