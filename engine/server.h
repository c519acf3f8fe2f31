// Runs llama.cpp's server library for one model until it is told to stop.
#pragma once

struct common_params;

/// Loads the model, serves, and returns the process's exit status: 0 after a stop, 1 when it could not serve (the last
/// line on stderr says why). Starts the process guard; `parent` as in ProcessGuard.
int run_server(common_params& params, int parent);
