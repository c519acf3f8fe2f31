// Fields of a completion request that the engine understands beyond llama-server's.
#pragma once
#include "server-task.h"

/// `return_tokens` in the OpenAI formats too, `speculative.n_max` (0: no drafts), `speculative.type` (name or list of names
/// of kinds that may draft), `batch_key` (only requests with the same key share a batch). Throws std::invalid_argument.
void apply_request_fields(const json& body, task_params& params);
