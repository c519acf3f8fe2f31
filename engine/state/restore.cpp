#include "state/restore.h"

#include "state/partial.h"
#include "state/restore_rows.h"
#include "state/reuse.h"
#include "state/window.h"

#include "speculative.h"

#include <optional>
#include <utility>

namespace kv = lc::kv;

namespace {
/// The file of a snapshot, its header checked; nothing: `outcome` says why.
std::optional<Opened<kv::ParsedSnapshot>> open_at(const std::string& dir, const kv::Scope& scope, const kv::SnapshotRef& ref,
                                                  StateOutcome& outcome) {
    auto file = open_snapshot(dir, scope, ref.name);
    if (!file.file || file.parsed.snapshot.n_tokens != ref.n_tokens) {
        note_fault(outcome, file.fault.value_or(BlobFault{"no_snapshot", false, {}}), kv::BlobKind::snapshot, ref.name);
        return std::nullopt;
    }
    return file;
}

common_prompt_checkpoint checkpoint_at(std::uint32_t n_tokens, std::uint32_t n_swa) {
    const auto bounds = checkpoint_bounds(n_tokens, n_swa);
    common_prompt_checkpoint out;
    out.update_pos(bounds.n_tokens, bounds.pos_min, bounds.pos_max);
    return out;
}

std::string_view view_of(const std::vector<std::uint8_t>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The draft's state as it was with at least as many tokens; without it the draft begins with nothing, which costs
/// speed, not right answers. Only plain attention: what else a draft has cannot be cut back.
void restore_draft(const server_slot_view& view, const Opened<kv::ParsedSnapshot>& file, std::uint32_t n_tokens, StateOutcome& outcome) {
    const auto& snapshot = file.parsed.snapshot;
    if (view.ctx_dft == nullptr || snapshot.n_tokens < n_tokens || memory_of(view.ctx_dft, false).kind != MemoryKind::full) {
        return;
    }
    std::optional<BlobFault> fault;
    const auto bytes = read_section(file, "dft", fault);
    const auto spec = read_section(file, "spec", fault);
    if (fault) {
        note_fault(outcome, *fault, kv::BlobKind::snapshot, file.parsed.name);
    }
    if (!bytes) {
        return;
    }
    outcome.bytes += bytes->size();
    auto* memory = llama_get_memory(view.ctx_dft);
    const bool good = load_partial(view.ctx_dft, view.id, view_of(*bytes)) &&
                      llama_memory_seq_rm(memory, view.id, static_cast<llama_pos>(n_tokens), -1) &&
                      llama_memory_seq_pos_max(memory, view.id) + 1 == static_cast<llama_pos>(n_tokens);
    if (!good) {
        llama_memory_seq_rm(memory, view.id, -1, -1);
    } else if (snapshot.n_tokens == n_tokens && spec) {
        common_speculative_set_state(view.spec, view.id, *spec);
    }
}

void set_prompt(const server_slot_view& view, const server_task& task, std::uint32_t n_tokens) {
    view.prompt->tokens.keep_first(0);
    for (std::uint32_t i = 0; i < n_tokens; ++i) {
        view.prompt->tokens.push_back(task.tokens[i]);
    }
}

/// What cannot be cut, into a sequence whose rows are there already. A checkpoint is kept where llama.cpp needs one to go
/// on from the last token.
std::optional<BlobFault> load_uncuttable(const server_slot_view& view, const ModelMemory& memory, const Opened<kv::ParsedSnapshot>& file) {
    const auto n_tokens = file.parsed.snapshot.n_tokens;
    auto checkpoint = checkpoint_at(n_tokens, memory.n_swa);
    auto section = SectionReader::open(file, "tgt");
    if (!section) {
        return BlobFault{"damaged", true, "it has no state"};
    }
    if (memory.kind == MemoryKind::swa) {
        const auto load = load_window(memory, view.ctx_tgt, view.id, *section, n_tokens);
        if (load.fault || load.has_margin) {
            return load.fault;
        }
        checkpoint.update_tgt(view.ctx_tgt, view.id, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    } else {
        std::optional<BlobFault> fault;
        auto bytes = read_section(file, "tgt", fault);
        if (fault) {
            return fault;
        }
        if (!load_partial(view.ctx_tgt, view.id, view_of(*bytes)) || !partial_is_complete(memory, view.ctx_tgt, view.id, n_tokens)) {
            return BlobFault{"damaged", true, "its state does not load"};
        }
        checkpoint.data_tgt = std::move(*bytes);
    }
    view.prompt->checkpoints.push_back(std::move(checkpoint));
    return std::nullopt;
}

/// Sliding window, recurrent: the best snapshot that is whole. Tokens restored, 0: none.
std::uint32_t restore_snapshot(const server_slot_view& view, const ModelMemory& memory, const std::string& dir,
                               const kv::Scope& scope, const Plan& plan, StateOutcome& outcome) {
    for (std::size_t i = plan.snapshots.size(); i-- > 0;) {
        const auto& ref = plan.snapshots[i];
        const auto file = open_at(dir, scope, ref, outcome);
        if (!file) {
            continue;
        }
        const auto bytes_before = outcome.bytes;
        if (memory.rows != nullptr && !restore_rows(memory, view.id, dir, plan, ref.n_tokens, outcome)) {
            return 0;
        }
        if (const auto fault = load_uncuttable(view, memory, *file)) {
            clear_slot(view);
            outcome.bytes = bytes_before;
            note_fault(outcome, *fault, kv::BlobKind::snapshot, ref.name);
            if (fault->reason == std::string_view("too_long")) {
                return 0;
            }
            continue;
        }
        outcome.bytes += file->parsed.payload_bytes;
        restore_draft(view, *file, ref.n_tokens, outcome);
        return ref.n_tokens;
    }
    return 0;
}

std::uint32_t restore_cut(const server_slot_view& view, const ModelMemory& memory, const std::string& dir,
                          const kv::Scope& scope, const Plan& plan, StateOutcome& outcome) {
    if (!restore_rows(memory, view.id, dir, plan, plan.n_tokens, outcome)) {
        return 0;
    }
    if (view.ctx_dft != nullptr && !plan.snapshots.empty()) {
        if (const auto file = open_at(dir, scope, plan.snapshots.back(), outcome)) {
            restore_draft(view, *file, plan.n_tokens, outcome);
        }
    }
    return plan.n_tokens;
}
}  // namespace

std::uint32_t tokens_in_memory(const server_slot_view& view, const server_task& task) {
    if (view.prompt->tokens.empty() || !task.params.cache_prompt) {
        return 0;
    }
    const auto common = view.prompt->tokens.get_common_prefix(task.tokens);
    const auto* model = llama_get_model(view.ctx_tgt);
    std::vector<CheckpointBounds> checkpoints;
    for (const auto& c : view.prompt->checkpoints) {
        checkpoints.push_back({c.n_tokens, c.pos_min, c.pos_max});
    }
    return static_cast<std::uint32_t>(
        reusable({static_cast<std::int32_t>(common), static_cast<std::int32_t>(task.tokens.size()),
                  view.prompt->tokens.pos_next(static_cast<std::int64_t>(common)),
                  llama_memory_seq_pos_min(llama_get_memory(view.ctx_tgt), view.id), llama_model_n_swa(model), checkpoints}));
}

void clear_slot(const server_slot_view& view) {
    llama_memory_seq_rm(llama_get_memory(view.ctx_tgt), view.id, -1, -1);
    if (view.ctx_dft != nullptr) {
        llama_memory_seq_rm(llama_get_memory(view.ctx_dft), view.id, -1, -1);
    }
    view.prompt->clear();
}

void restore(const server_slot_view& view, const server_task& task, const ModelMemory& memory, const std::string& dir,
             const kv::Scope& scope, const Plan& plan, StateOutcome& outcome) {
    clear_slot(view);
    const auto used = memory.cuttable() ? restore_cut(view, memory, dir, scope, plan, outcome)
                                        : restore_snapshot(view, memory, dir, scope, plan, outcome);
    if (used == 0) {
        clear_slot(view);
        outcome.bytes = 0;
        return;
    }
    set_prompt(view, task, used);
    outcome.used = used;
    outcome.from = plan.from_state ? "state" : "chunks";
    outcome.state = plan.from_state ? lc::hex(plan.state) : "";
    if (const auto n = (used + kv::chunk_tokens - 1) / kv::chunk_tokens; memory.rows != nullptr) {
        outcome.tail = lc::hex(plan.chunks[n - 1].name);
    }
}
