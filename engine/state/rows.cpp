#include "state/rows.h"

#include "state/cache_shape.h"

#include "ggml-backend.h"
#include "ggml.h"
#include "llama-kv-cache.h"

#include "core/kv/wire.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace {
/// Calls f(first position, first cell, count) for each stretch of neighbouring cells.
template <class F>
void for_each_run(const SlotRows& rows, std::uint32_t start, std::uint32_t n, F&& f) {
    for (std::uint32_t i = start; i < start + n;) {
        std::uint32_t end = i + 1;
        while (end < start + n && rows.cells[end] == rows.cells[end - 1] + 1) {
            ++end;
        }
        f(i, rows.cells[i], end - i);
        i = end;
    }
}

/// The bytes that llama_kv_cache::state_read wants before the rows, rows left out.
std::string cells_as_state(const ModelMemory& memory, std::uint32_t n, const std::vector<lc::kv::LayerRows>& layers,
                           std::string_view extensions) {
    std::string out;
    lc::kv::put<std::uint32_t>(out, memory.rows->get_n_stream());
    lc::kv::put<std::uint32_t>(out, n);  // in the first stream: only one holds a sequence, whichever it is
    for (std::uint32_t i = 0; i < n; ++i) {
        lc::kv::put<std::int32_t>(out, static_cast<std::int32_t>(i));
        lc::kv::put<std::uint32_t>(out, 1);
        if (memory.extensions) {
            out += extensions.substr(std::size_t{i} * 12, 12);
        }
        lc::kv::put<std::int32_t>(out, 0);
    }
    lc::kv::put<std::uint32_t>(out, memory.transposed ? 1 : 0);
    lc::kv::put<std::uint32_t>(out, static_cast<std::uint32_t>(layers.size()));
    for (const auto& layer : layers) {
        lc::kv::put<std::int32_t>(out, static_cast<std::int32_t>(layer.k_type));
        lc::kv::put<std::uint64_t>(out, layer.k_row_bytes);
    }
    for (const auto& layer : layers) {
        if (layer.v_row_bytes == 0) {
            continue;
        }
        lc::kv::put<std::int32_t>(out, static_cast<std::int32_t>(layer.v_type));
        if (memory.transposed) {
            const auto element = element_bytes(layer.v_type);
            lc::kv::put<std::uint32_t>(out, static_cast<std::uint32_t>(element));
            lc::kv::put<std::uint32_t>(out, static_cast<std::uint32_t>(layer.v_row_bytes / element));
        } else {
            lc::kv::put<std::uint64_t>(out, layer.v_row_bytes);
        }
    }
    for (std::uint32_t s = 1; s < memory.rows->get_n_stream(); ++s) {
        lc::kv::put<std::uint32_t>(out, 0);
    }
    return out;
}

bool types_exist(const std::vector<lc::kv::LayerRows>& layers, bool transposed) {
    return std::all_of(layers.begin(), layers.end(), [&](const lc::kv::LayerRows& l) {
        const bool v_ok = l.v_row_bytes == 0 || !transposed ||
            (ggml_blck_size(static_cast<ggml_type>(l.v_type)) == 1 && l.v_row_bytes % element_bytes(l.v_type) == 0);
        return l.k_type < GGML_TYPE_COUNT && l.v_type < GGML_TYPE_COUNT && v_ok;
    });
}
}  // namespace

char* host_data(const ggml_tensor* tensor) {
    const auto* buffer = tensor->view_src != nullptr ? tensor->view_src->buffer : tensor->buffer;
    return buffer != nullptr && ggml_backend_buffer_is_host(const_cast<ggml_backend_buffer*>(buffer))
               ? static_cast<char*>(tensor->data) : nullptr;
}

std::optional<SlotRows> rows_of(const ModelMemory& memory, llama_seq_id seq) {
    auto shape = shape_of(*memory.rows, seq, memory.extensions);
    if (!shape || (shape->transposed != 0) != memory.transposed) {
        return std::nullopt;
    }
    SlotRows out;
    constexpr auto unset = UINT32_MAX;
    out.cells.assign(shape->n_cells, unset);
    out.extensions.resize(shape->extensions.size());
    for (std::uint32_t i = 0; i < shape->n_cells; ++i) {
        const auto position = static_cast<std::uint32_t>(shape->positions[i]);
        if (shape->positions[i] < 0 || position >= shape->n_cells || out.cells[position] != unset) {
            return std::nullopt;
        }
        out.cells[position] = shape->cells[i];
        if (memory.extensions) {
            std::memcpy(out.extensions.data() + std::size_t{position} * 12, shape->extensions.data() + std::size_t{i} * 12, 12);
        }
    }
    out.layers = std::move(shape->layers);
    out.n_cells_all = memory.rows->get_size();
    out.transposed = memory.transposed;
    return out;
}

void copy_rows(const SlotRows& rows, std::uint32_t start, std::uint32_t n, char* out) {
    std::string line;
    for (const auto& layer : rows.layers) {
        const std::size_t k_row = layer.rows.k_row_bytes, v_row = layer.rows.v_row_bytes;
        for_each_run(rows, start, n, [&](std::uint32_t at, std::uint32_t cell, std::uint32_t count) {
            ggml_backend_tensor_get(layer.k, out + (at - start) * k_row, cell * k_row, count * k_row);
        });
        out += n * k_row;
        if (layer.v == nullptr) {
            continue;
        }
        if (!rows.transposed) {
            for_each_run(rows, start, n, [&](std::uint32_t at, std::uint32_t cell, std::uint32_t count) {
                ggml_backend_tensor_get(layer.v, out + (at - start) * v_row, cell * v_row, count * v_row);
            });
        } else {
            const std::size_t element = element_bytes(layer.rows.v_type);
            for (std::size_t j = 0; j < v_row / element; ++j) {
                for_each_run(rows, start, n, [&](std::uint32_t at, std::uint32_t cell, std::uint32_t count) {
                    line.resize(count * element);
                    ggml_backend_tensor_get(layer.v, line.data(), (j * rows.n_cells_all + cell) * element, line.size());
                    for (std::uint32_t i = 0; i < count; ++i) {
                        std::memcpy(out + (at - start + i) * v_row + j * element, line.data() + i * element, element);
                    }
                });
            }
        }
        out += n * v_row;
    }
}

bool make_cells(const ModelMemory& memory, llama_seq_id seq, std::uint32_t n, const std::vector<lc::kv::LayerRows>& layers,
                std::string_view extensions) {
    if (n == 0 || n > memory.rows->get_size() || !types_exist(layers, memory.transposed) ||
        extensions.size() != (memory.extensions ? std::size_t{n} * 12 : 0)) {
        return false;
    }
    const auto state = cells_as_state(memory, n, layers, extensions);
    Feeder io(state, false);
    try {
        memory.rows->state_read(io, seq, LLAMA_STATE_SEQ_FLAGS_NONE);
    } catch (const std::exception&) {
        memory.rows->seq_rm(seq, -1, -1);
        return false;
    }
    return io.at_end();
}

void put_rows(const SlotRows& rows, const LayerTensors& layer, bool is_v, std::uint32_t start, std::uint32_t n,
              const char* section) {
    auto* tensor = is_v ? layer.v : layer.k;
    const std::size_t row = is_v ? layer.rows.v_row_bytes : layer.rows.k_row_bytes;
    if (!is_v || !rows.transposed) {
        for_each_run(rows, start, n, [&](std::uint32_t at, std::uint32_t cell, std::uint32_t count) {
            ggml_backend_tensor_set(tensor, section + (at - start) * row, cell * row, count * row);
        });
        return;
    }
    const std::size_t element = element_bytes(layer.rows.v_type);
    std::string line;
    for (std::size_t j = 0; j < row / element; ++j) {
        for_each_run(rows, start, n, [&](std::uint32_t at, std::uint32_t cell, std::uint32_t count) {
            line.resize(count * element);
            for (std::uint32_t i = 0; i < count; ++i) {
                std::memcpy(line.data() + i * element, section + (at - start + i) * row + j * element, element);
            }
            ggml_backend_tensor_set(tensor, line.data(), (j * rows.n_cells_all + cell) * element, line.size());
        });
    }
}

char* direct_rows(const SlotRows& rows, const LayerTensors& layer, bool is_v, std::uint32_t start, std::uint32_t n) {
    auto* data = host_data(is_v ? layer.v : layer.k);
    if (data == nullptr || (is_v && rows.transposed) || rows.cells[start + n - 1] != rows.cells[start] + n - 1) {
        return nullptr;
    }
    for (std::uint32_t i = start + 1; i < start + n; ++i) {
        if (rows.cells[i] != rows.cells[i - 1] + 1) {
            return nullptr;
        }
    }
    return data + std::size_t{rows.cells[start]} * (is_v ? layer.rows.v_row_bytes : layer.rows.k_row_bytes);
}

bool on_host(const SlotRows& rows) {
    return std::all_of(rows.layers.begin(), rows.layers.end(), [](const LayerTensors& l) {
        return host_data(l.k) != nullptr && (l.v == nullptr || host_data(l.v) != nullptr);
    });
}
