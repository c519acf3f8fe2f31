#include "state/slot_contents.h"

#include "state/partial.h"
#include "state/text_tokens.h"

#include "server-hooks.h"
#include "speculative.h"

#include <algorithm>

namespace {
std::string bytes_of(const std::vector<std::uint8_t>& data) { return {data.begin(), data.end()}; }

std::string state_bytes(llama_context* ctx, llama_seq_id seq) {
    common_prompt_checkpoint state;
    state.update_tgt(ctx, seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    return bytes_of(state.data_tgt);
}

bool plain_draft(const server_slot_view& view) {
    return view.ctx_dft != nullptr && memory_of(view.ctx_dft, false).kind == MemoryKind::full;
}

std::vector<std::uint32_t> checkpoints_of(const server_slot_view& view, std::uint32_t n_tokens) {
    std::vector<std::uint32_t> out;
    for (const auto& checkpoint : view.prompt->checkpoints) {
        if (checkpoint.n_tokens > 0 && checkpoint.n_tokens <= n_tokens && !checkpoint.data_tgt.empty()) {
            out.push_back(static_cast<std::uint32_t>(checkpoint.n_tokens));
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}
}  // namespace

std::optional<SaveError> look_into(const server_slot_view& view, bool swa_full, SlotContents& out) {
    out.memory = memory_of(view.ctx_tgt, swa_full);
    const auto& memory = out.memory;
    out.tokens = text_prefix(view.prompt->tokens);
    const bool all_text = out.tokens.size() == view.prompt->tokens.size();
    if (out.tokens.empty()) {
        return SaveError{"empty", "the slot holds no text tokens"};
    }
    if (memory.rows != nullptr) {
        out.rows = rows_of(memory, view.id);
        if (!out.rows || out.rows->cells.size() < out.tokens.size()) {
            // After a context shift, and after images whose positions are not those of their tokens.
            return SaveError{"unsupported", "the positions in the slot are not those of its tokens"};
        }
    }
    const auto n = static_cast<std::uint32_t>(out.tokens.size());
    if (!memory.cuttable()) {
        out.checkpoints = checkpoints_of(view, n);
        if (all_text && partial_is_complete(memory, view.ctx_tgt, view.id, n)) {
            out.final.emplace_back("tgt", state_bytes(view.ctx_tgt, view.id));
        }
    }
    if (plain_draft(view) && all_text && (memory.cuttable() || !out.final.empty()) &&
        llama_memory_seq_pos_max(llama_get_memory(view.ctx_dft), view.id) + 1 == static_cast<llama_pos>(n)) {
        out.final.emplace_back("dft", state_bytes(view.ctx_dft, view.id));
        std::vector<std::uint8_t> spec;
        if (common_speculative_get_state(view.spec, view.id, spec)) {
            out.final.emplace_back("spec", bytes_of(spec));
        }
    }
    return std::nullopt;
}

Sections checkpoint_sections(const server_slot_view& view, std::uint32_t n_tokens) {
    const auto& all = view.prompt->checkpoints;
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.n_tokens == static_cast<std::int64_t>(n_tokens); });
    Sections out;
    if (found == all.end()) {
        return out;
    }
    out.emplace_back("tgt", bytes_of(found->data_tgt));
    if (plain_draft(view) && !found->data_dft.empty()) {
        out.emplace_back("dft", bytes_of(found->data_dft));
        if (!found->data_spec.empty()) {
            out.emplace_back("spec", bytes_of(found->data_spec));
        }
    }
    return out;
}
