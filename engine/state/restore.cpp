#include "state/restore.h"

#include "state/partial.h"
#include "state/reuse.h"
#include "state/rows.h"

#include "json.h"
#include "speculative.h"

#include "core/kv/checksum.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

namespace kv = lc::kv;

namespace {
constexpr std::size_t parallel_from_bytes = 8U << 20;
constexpr unsigned max_threads = 4;
// Older checkpoints beside the one that is used: for a rewind by a few messages.
constexpr std::size_t older_checkpoints = 2;

void fail(StateOutcome& outcome, const BlobFault& fault, kv::BlobKind kind, const lc::Digest& name) {
    outcome.reason = fault.reason;
    if (fault.quarantine) {
        outcome.bad.push_back({kind, name, fault.why});
    }
}

std::vector<kv::LayerRows> layers_of(const SlotRows& rows) {
    std::vector<kv::LayerRows> out;
    for (const auto& layer : rows.layers) {
        out.push_back(layer.rows);
    }
    return out;
}

/// K or V of one layer of one chunk: read, checked, in place. What went wrong, or nullopt.
std::optional<BlobFault> copy_section(const kv::ParsedChunk& chunk, const BlobFile& file, std::size_t layer, bool is_v, std::uint32_t n,
                                      const SlotRows& rows, std::string& scratch) {
    const auto& place = chunk.places[layer];
    const auto& table = chunk.chunk.layers[layer];
    const std::size_t row = is_v ? table.v_row_bytes : table.k_row_bytes;
    const auto n_in_file = static_cast<std::uint32_t>(chunk.chunk.tokens.size());
    const std::size_t size = row * n_in_file;
    if (size == 0) {
        return std::nullopt;
    }
    char* direct = n == n_in_file ? direct_rows(rows, rows.layers[layer], is_v, chunk.chunk.start, n) : nullptr;
    if (direct == nullptr) {
        scratch.resize(size);
    }
    char* to = direct != nullptr ? direct : scratch.data();
    if (!file.read(to, size, is_v ? place.v_offset : place.k_offset)) {
        return BlobFault{"unreadable", true, "shorter than it was"};
    }
    if (kv::checksum({to, size}) != (is_v ? place.v_sum : place.k_sum)) {
        return BlobFault{"damaged", true, "rows of layer " + std::to_string(table.layer) + " have another checksum"};
    }
    if (direct == nullptr) {
        put_rows(rows, rows.layers[layer], is_v, chunk.chunk.start, n, scratch.data());
    }
    return std::nullopt;
}

/// Tokens of this chunk among the first `n_tokens`.
std::uint32_t tokens_used(const kv::ParsedChunk& chunk, std::uint32_t n_tokens) {
    return std::min(static_cast<std::uint32_t>(chunk.chunk.tokens.size()), n_tokens - chunk.chunk.start);
}

/// Layer by layer of every chunk, on several threads when the rows are in host memory and there are many.
bool copy_chunks(const std::string& dir, const std::vector<kv::ParsedChunk>& chunks, std::uint32_t n_tokens, const SlotRows& rows,
                 StateOutcome& outcome) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    std::vector<std::optional<BlobFault>> faults(chunks.size());
    const auto work = [&] {
        std::string scratch;
        while (!failed.load(std::memory_order_relaxed)) {
            const std::size_t i = next.fetch_add(1);
            if (i >= chunks.size()) {
                return;
            }
            const auto n = tokens_used(chunks[i], n_tokens);
            const auto file = open_rows(dir, chunks[i].name);
            if (!file) {
                faults[i] = BlobFault{"no_state", false, {}};
            }
            for (std::size_t layer = 0; layer < rows.layers.size() && !faults[i]; ++layer) {
                faults[i] = copy_section(chunks[i], *file, layer, false, n, rows, scratch);
                if (!faults[i]) {
                    faults[i] = copy_section(chunks[i], *file, layer, true, n, rows, scratch);
                }
            }
            if (faults[i]) {
                failed.store(true);
            }
        }
    };
    for (const auto& chunk : chunks) {
        outcome.bytes += chunk.payload_bytes;
    }
    std::vector<std::thread> helpers;
    if (outcome.bytes >= parallel_from_bytes && on_host(rows)) {
        const auto n = std::min({max_threads, std::max(1U, std::thread::hardware_concurrency()), static_cast<unsigned>(chunks.size())});
        for (unsigned i = 1; i < n; ++i) {
            helpers.emplace_back(work);
        }
    }
    work();
    for (auto& helper : helpers) {
        helper.join();
    }
    for (std::size_t i = 0; i < chunks.size(); ++i) {
        if (faults[i]) {
            fail(outcome, *faults[i], kv::BlobKind::chunk, chunks[i].name);
            return false;
        }
    }
    return true;
}

bool restore_rows(const server_slot_view& view, const ModelMemory& memory, const std::string& dir, const Plan& plan, std::uint32_t n_tokens,
                  StateOutcome& outcome) {
    std::string extensions;
    const auto n_chunks = (n_tokens + kv::chunk_tokens - 1) / kv::chunk_tokens;
    const std::vector<kv::ParsedChunk> chunks(plan.chunks.begin(), plan.chunks.begin() + n_chunks);
    for (const auto& chunk : chunks) {
        const auto& c = chunk.chunk;
        // Its own name says which tokens it holds; these are what the name does not cover.
        const bool fits = c.start == static_cast<std::uint32_t>(&chunk - chunks.data()) * kv::chunk_tokens &&
                          c.layers == chunks.front().chunk.layers && c.positions.empty() && lc::kv::is_zero(c.media) &&
                          c.extensions.empty() != memory.extensions;
        if (!fits) {
            outcome.reason = "wrong_identity";
            return false;
        }
        if (memory.extensions) {
            extensions += c.extensions.substr(0, std::size_t{tokens_used(chunk, n_tokens)} * 12);
        }
    }
    if (!has_room(memory, view.id, n_tokens)) {
        outcome.reason = "too_long";
        return false;
    }
    const auto& layers = chunks.front().chunk.layers;
    if (!make_cells(memory, view.id, n_tokens, layers, extensions)) {
        outcome.reason = "wrong_identity";
        return false;
    }
    const auto rows = rows_of(memory, view.id);
    if (!rows || layers_of(*rows) != layers || rows->cells.size() != n_tokens) {
        outcome.reason = "wrong_identity";
        return false;
    }
    return copy_chunks(dir, chunks, n_tokens, *rows, outcome);
}

struct Loaded {
    common_prompt_checkpoint checkpoint;
    std::uint64_t bytes = 0;
};

/// A snapshot's sections as a checkpoint, checked as far as the file goes.
std::optional<Loaded> read_snapshot(const std::string& dir, const kv::Scope& scope, const kv::SnapshotRef& ref,
                                    std::uint32_t n_swa, StateOutcome& outcome) {
    const auto file = open_snapshot(dir, scope, ref.name);
    auto fault = file.fault;
    if (!file.file || file.parsed.snapshot.n_tokens != ref.n_tokens) {
        fail(outcome, fault.value_or(BlobFault{"no_snapshot", false, {}}), kv::BlobKind::snapshot, ref.name);
        return std::nullopt;
    }
    Loaded out;
    const auto bounds = checkpoint_bounds(ref.n_tokens, n_swa);
    out.checkpoint.update_pos(bounds.n_tokens, bounds.pos_min, bounds.pos_max);
    const std::pair<const char*, std::vector<std::uint8_t>*> sections[] = {
        {"tgt", &out.checkpoint.data_tgt}, {"dft", &out.checkpoint.data_dft}, {"spec", &out.checkpoint.data_spec}};
    for (const auto& [name, to] : sections) {
        if (const auto bytes = read_section(file, name, fault)) {
            to->assign(bytes->begin(), bytes->end());
            out.bytes += bytes->size();
        }
        if (fault) {
            fail(outcome, *fault, kv::BlobKind::snapshot, ref.name);
            return std::nullopt;
        }
    }
    return out;
}

std::string_view view_of(const std::vector<std::uint8_t>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The draft's state as it was with at least as many tokens; without it the draft begins with nothing, which costs
/// speed, not right answers. Only plain attention: what else a draft has cannot be cut back.
void restore_draft(const server_slot_view& view, const common_prompt_checkpoint& from, std::uint32_t n_tokens) {
    if (view.ctx_dft == nullptr || from.data_dft.empty() || from.n_tokens < static_cast<std::int64_t>(n_tokens) ||
        memory_of(view.ctx_dft, false).kind != MemoryKind::full) {
        return;
    }
    auto* memory = llama_get_memory(view.ctx_dft);
    const bool good = load_partial(view.ctx_dft, view.id, view_of(from.data_dft)) &&
                      llama_memory_seq_rm(memory, view.id, static_cast<llama_pos>(n_tokens), -1) &&
                      llama_memory_seq_pos_max(memory, view.id) + 1 == static_cast<llama_pos>(n_tokens);
    if (!good) {
        llama_memory_seq_rm(memory, view.id, -1, -1);
    } else if (from.n_tokens == static_cast<std::int64_t>(n_tokens)) {
        common_speculative_set_state(view.spec, view.id, from.data_spec);
    }
}

void set_prompt(const server_slot_view& view, const server_task& task, std::uint32_t n_tokens) {
    view.prompt->tokens.keep_first(0);
    for (std::uint32_t i = 0; i < n_tokens; ++i) {
        view.prompt->tokens.push_back(task.tokens[i]);
    }
}

/// Sliding window, recurrent: the best snapshot that is whole; older ones as checkpoints. Tokens restored, 0: none.
std::uint32_t restore_snapshot(const server_slot_view& view, const ModelMemory& memory, const std::string& dir,
                               const kv::Scope& scope, const Plan& plan, StateOutcome& outcome) {
    for (std::size_t i = plan.snapshots.size(); i-- > 0;) {
        const auto& ref = plan.snapshots[i];
        auto best = read_snapshot(dir, scope, ref, memory.n_swa, outcome);
        if (!best) {
            continue;
        }
        const auto bytes_before = outcome.bytes;
        if (memory.rows != nullptr && !restore_rows(view, memory, dir, plan, ref.n_tokens, outcome)) {
            return 0;
        }
        if (!load_partial(view.ctx_tgt, view.id, view_of(best->checkpoint.data_tgt)) ||
            !partial_is_complete(memory, view.ctx_tgt, view.id, ref.n_tokens) ||
            !same_shape(memory, view.ctx_tgt, view.id, view_of(best->checkpoint.data_tgt), ref.n_tokens)) {
            clear_slot(view);
            outcome.bytes = bytes_before;
            fail(outcome, {"damaged", true, "its state does not load"}, kv::BlobKind::snapshot, ref.name);
            continue;
        }
        outcome.bytes += best->bytes;
        restore_draft(view, best->checkpoint, ref.n_tokens);
        auto& kept = view.prompt->checkpoints;
        for (std::size_t j = i - std::min(i, older_checkpoints); j < i; ++j) {
            auto older = read_snapshot(dir, scope, plan.snapshots[j], memory.n_swa, outcome);
            if (older && same_shape(memory, view.ctx_tgt, view.id, view_of(older->checkpoint.data_tgt), plan.snapshots[j].n_tokens)) {
                outcome.bytes += older->bytes;
                older->checkpoint.data_dft.clear();  // not checked
                kept.push_back(std::move(older->checkpoint));
            }
        }
        best->checkpoint.data_dft.clear();
        kept.push_back(std::move(best->checkpoint));
        return ref.n_tokens;
    }
    return 0;
}

std::uint32_t restore_cut(const server_slot_view& view, const ModelMemory& memory, const std::string& dir,
                          const kv::Scope& scope, const Plan& plan, StateOutcome& outcome) {
    if (!restore_rows(view, memory, dir, plan, plan.n_tokens, outcome)) {
        return 0;
    }
    if (view.ctx_dft != nullptr && !plan.snapshots.empty()) {
        if (const auto draft = read_snapshot(dir, scope, plan.snapshots.back(), memory.n_swa, outcome)) {
            outcome.bytes += draft->bytes;
            restore_draft(view, draft->checkpoint, plan.n_tokens);
        }
    }
    return plan.n_tokens;
}
}  // namespace

std::string to_line(const StateOutcome& o) {
    json out = {{"slot", o.slot}, {"prompt", o.prompt}, {"had", o.had}, {"used", o.used}, {"from", o.from}, {"bytes", o.bytes}, {"ms", o.ms}};
    for (const auto& [name, text] : {std::pair{"state", &o.state}, {"tail", &o.tail}, {"reason", &o.reason}}) {
        if (!text->empty()) {
            out[name] = *text;
        }
    }
    if (!o.bad.empty()) {
        json bad = json::array();
        for (const auto& file : o.bad) {
            bad.push_back({{"kind", std::string(kv::name_of(file.kind))}, {"name", lc::hex(file.name)}, {"why", file.why}});
        }
        out["bad"] = bad;
    }
    return safe_json_to_str(out);
}

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
