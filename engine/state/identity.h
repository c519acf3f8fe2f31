// What the engine tells of its states: kind, and the fields of the identity that it knows better than anyone.
#pragma once
#include "state/memory.h"

#include "server-common.h"

struct common_params;

/// `state` of GET /localcode/engine. The fields are those of src/core/kv/identity.hpp, as strings; adapters carry the
/// path of their file instead of its hash. The loaded context decides, not what was asked for on the command line.
json describe_state(llama_context* ctx, const ModelMemory& memory, const common_params& params);
