#include "state/memory.h"

#include "ggml.h"
#include "llama-context.h"
#include "llama-kv-cache-iswa.h"
#include "llama-kv-cache.h"
#include "llama-kv-cells.h"
#include "llama-memory-hybrid.h"
#include "llama-memory-recurrent.h"

#include <typeinfo>

std::string_view name_of(MemoryKind kind) {
    switch (kind) {
        case MemoryKind::none: return "none";
        case MemoryKind::full: return "full";
        case MemoryKind::swa: return "swa";
        case MemoryKind::recurrent: return "recurrent";
        case MemoryKind::hybrid: return "hybrid";
    }
    return "none";
}

ModelMemory memory_of(llama_context* ctx, bool swa_full) {
    ModelMemory out;
    auto* memory = llama_get_memory(ctx);
    out.n_swa = static_cast<std::uint32_t>(llama_model_n_swa(llama_get_model(ctx)));
    // typeid, not dynamic_cast alone: a class derived from these may write more than they do.
    if (memory == nullptr) {
        out.why = "the model has no memory";
    } else if (typeid(*memory) == typeid(llama_kv_cache)) {
        out.rows = dynamic_cast<llama_kv_cache*>(memory);
        out.kind = MemoryKind::full;
    } else if (typeid(*memory) == typeid(llama_kv_cache_iswa)) {
        out.rows = dynamic_cast<llama_kv_cache_iswa*>(memory)->get_base();
        out.kind = MemoryKind::swa;
    } else if (typeid(*memory) == typeid(llama_memory_hybrid)) {
        out.rows = dynamic_cast<llama_memory_hybrid*>(memory)->get_mem_attn();
        out.kind = MemoryKind::hybrid;
    } else if (typeid(*memory) == typeid(llama_memory_recurrent)) {
        out.kind = MemoryKind::recurrent;
    } else {
        out.why = "states of this kind of memory are not understood";
    }
    if (out.kind != MemoryKind::none && out.kind != MemoryKind::swa && out.n_swa > 0) {
        out.kind = MemoryKind::none;
        out.why = "a sliding window in a memory of this kind is not understood";
    }
    if (out.kind == MemoryKind::swa && swa_full) {
        out.kind = MemoryKind::none;
        out.why = "--swa-full: the state of the window cannot be told from what lies outside it";
    }
    if (out.rows != nullptr) {
        out.extensions = out.rows->has_cell_ext();
        out.transposed = !ctx->get_cparams().flash_attn;
    }
    return out;
}

bool rotates_rows(const ModelMemory& memory) {
    if (memory.rows == nullptr) {
        return false;
    }
    ggml_context* scratch = ggml_init({16 * ggml_tensor_overhead(), nullptr, true});
    const bool out = memory.rows->build_input_k_rot(scratch) != nullptr || memory.rows->build_input_v_rot(scratch) != nullptr;
    ggml_free(scratch);
    return out;
}

bool has_room(const llama_kv_cache& cache, llama_seq_id seq, std::uint32_t n) {
    const auto& cells = cache.get_cells(seq);
    return n <= cells.size() && cells.get_used() <= cells.size() - n;
}
