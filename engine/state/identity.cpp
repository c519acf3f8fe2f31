#include "state/identity.h"

#include "build-info.h"
#include "common.h"
#include "ggml-backend.h"
#include "ggml.h"
#include "llama-context.h"
#include "llama-kv-cache.h"

#include <charconv>
#include <set>
#include <string>

namespace {
/// The shortest text that reads back as the same number.
std::string number(float value) {
    char out[64];
    const auto [end, error] = std::to_chars(out, out + sizeof out, value);
    return error == std::errc{} ? std::string(out, end) : "0";
}
std::string flag(bool value) { return value ? "true" : "false"; }

std::string rope_name(enum llama_rope_scaling_type type) {
    switch (type) {
        case LLAMA_ROPE_SCALING_TYPE_NONE: return "none";
        case LLAMA_ROPE_SCALING_TYPE_LINEAR: return "linear";
        case LLAMA_ROPE_SCALING_TYPE_YARN: return "yarn";
        case LLAMA_ROPE_SCALING_TYPE_LONGROPE: return "longrope";
        default: return "unspecified";
    }
}

std::string sections_of(const ModelMemory& memory) {
    std::string out;
    switch (memory.kind) {
        case MemoryKind::none: break;
        case MemoryKind::full: out = "kv"; break;
        case MemoryKind::swa: out = "kv,kv_swa"; break;
        case MemoryKind::recurrent: out = "recurrent"; break;
        case MemoryKind::hybrid: out = "kv,recurrent"; break;
    }
    // The opaque sections hold the window as it is in memory.
    if (memory.kind == MemoryKind::swa && memory.transposed) {
        out += ",v_trans";
    }
    return memory.extensions ? out + ",ext" : out;
}

/// Version, patches, and the kinds of devices that compute.
std::string build_name() {
    std::set<std::string> devices;
    for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        auto* device = ggml_backend_dev_get(i);
        devices.insert(ggml_backend_reg_name(ggml_backend_dev_backend_reg(device)));
    }
    std::string out = "localcode-engine " LOCALCODE_LLAMA_VERSION " " LOCALCODE_PATCHES;
    for (const auto& device : devices) {
        out += " " + device;
    }
    return out;
}
}  // namespace

json describe_state(llama_context* ctx, const ModelMemory& memory, const common_params& params) {
    const auto& c = ctx->get_cparams();
    json loras = json::array(), vectors = json::array();
    for (const auto& lora : params.lora_adapters) {
        loras.push_back(lora.path + " " + number(lora.scale));
    }
    for (const auto& vector : params.control_vectors) {
        // As llama.cpp reads them: unset or 0 means all layers.
        const int first = params.control_vector_layer_start <= 0 ? 1 : params.control_vector_layer_start;
        const int last = params.control_vector_layer_end <= 0 ? llama_model_n_layer(llama_get_model(ctx)) : params.control_vector_layer_end;
        vectors.push_back(vector.fname + " " + number(vector.strength) + " " + std::to_string(first) + " " + std::to_string(last));
    }
    const auto type_name = [&](bool is_v) {
        if (memory.rows == nullptr) {
            return std::string("none");
        }
        return std::string(ggml_type_name(is_v ? memory.rows->type_v() : memory.rows->type_k()));
    };
    json identity = {{"k_type", type_name(false)},
                     {"v_type", type_name(true)},
                     {"flash_attention", flag(c.flash_attn)},
                     {"kv_rotation", flag(rotates_rows(memory))},
                     {"swa_full", flag(params.swa_full)},
                     {"n_swa", std::to_string(memory.n_swa)},
                     {"rope_type", rope_name(c.rope_scaling_type)},
                     {"rope_base", number(c.rope_freq_base)},
                     {"rope_scale", number(c.rope_freq_scale)},
                     {"yarn_orig_ctx", std::to_string(c.n_ctx_orig_yarn)},
                     {"yarn_ext", number(c.yarn_ext_factor)},
                     {"yarn_attn", number(c.yarn_attn_factor)},
                     {"yarn_beta_fast", number(c.yarn_beta_fast)},
                     {"yarn_beta_slow", number(c.yarn_beta_slow)},
                     {"loras", loras},
                     {"control_vectors", vectors},
                     {"sections", sections_of(memory)},
                     {"build", build_name()}};
    return {{"kind", std::string(name_of(memory.kind))}, {"cuttable", memory.cuttable()}, {"identity", identity}};
}
