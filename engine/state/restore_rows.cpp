#include "state/restore_rows.h"

#include "state/rows.h"

#include "core/kv/checksum.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

namespace kv = lc::kv;

namespace {
constexpr std::size_t parallel_from_bytes = 8U << 20;
constexpr unsigned max_threads = 4;

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
    std::optional<BlobFault> fault;
    if (!file.read(to, size, is_v ? place.v_offset : place.k_offset)) {
        fault = BlobFault{"unreadable", true, "shorter than it was"};
    } else if (kv::checksum({to, size}) != (is_v ? place.v_sum : place.k_sum)) {
        fault = BlobFault{"damaged", true, "rows of layer " + std::to_string(table.layer) + " have another checksum"};
    }
    if (fault) {
        // Cells that nobody has are masked, but what is no number would spoil sums all the same.
        std::memset(to, 0, size);
        return fault;
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
            note_fault(outcome, *faults[i], kv::BlobKind::chunk, chunks[i].name);
            return false;
        }
    }
    return true;
}

}  // namespace

bool restore_rows(const ModelMemory& memory, llama_seq_id seq, const std::string& dir, const Plan& plan, std::uint32_t n_tokens,
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
    if (!has_room(*memory.rows, seq, n_tokens)) {
        outcome.reason = "too_long";
        return false;
    }
    const auto& layers = chunks.front().chunk.layers;
    if (!make_cells(memory, seq, n_tokens, layers, extensions)) {
        outcome.reason = "wrong_identity";
        return false;
    }
    const auto rows = rows_of(memory, seq);
    if (!rows || layers_of(*rows) != layers || rows->cells.size() != n_tokens) {
        outcome.reason = "wrong_identity";
        return false;
    }
    return copy_chunks(dir, chunks, n_tokens, *rows, outcome);
}
