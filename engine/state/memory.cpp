#include "state/memory.h"

#include "ggml-backend.h"
#include "ggml.h"
#include "llama-context.h"
#include "llama-io.h"
#include "llama-kv-cache-iswa.h"
#include "llama-kv-cache.h"
#include "llama-kv-cells.h"
#include "llama-memory-hybrid.h"
#include "llama-memory-recurrent.h"

#include "core/kv/wire.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <exception>
#include <stdexcept>

namespace {
/// Keeps llama.cpp's metadata, and of rows only where they are.
class Recorder : public llama_io_write_i {
  public:
    struct Piece { ggml_tensor* tensor; std::size_t offset, size, meta_at; };

    void write(const void* src, std::size_t size) override { meta.append(static_cast<const char*>(src), size); }
    void write_tensor(ggml_tensor* tensor, std::size_t offset, std::size_t size) override {
        pieces.push_back({tensor, offset, size, meta.size()});
        n_rows_bytes += size;
    }
    std::size_t n_bytes() override { return meta.size() + n_rows_bytes; }

    std::string meta;
    std::vector<Piece> pieces;
    std::size_t n_rows_bytes = 0;
};

/// Feeds bytes; throws when there are not enough, which llama.cpp takes as a failed restore.
class Feeder : public llama_io_read_i {
  public:
    Feeder(std::string_view bytes, bool has_rows) : bytes_(bytes), has_rows_(has_rows) {}

    void read(void* dst, std::size_t size) override { std::memcpy(dst, take(size).data(), size); }
    void read_tensor(ggml_tensor* tensor, std::size_t offset, std::size_t size) override {
        if (has_rows_) {
            ggml_backend_tensor_set(tensor, take(size).data(), offset, size);
        }
    }
    std::size_t n_bytes() override { return at_; }
    bool at_end() const { return at_ == bytes_.size(); }

  private:
    std::string_view take(std::size_t size) {
        if (size > bytes_.size() - at_) {
            throw std::runtime_error("the state is too short");
        }
        at_ += size;
        return bytes_.substr(at_ - size, size);
    }
    std::string_view bytes_;
    std::size_t at_ = 0;
    bool has_rows_;
};

/// "cache_k_l12 (view)" -> 12
std::optional<std::uint32_t> layer_number(const ggml_tensor* tensor) {
    const std::string_view name = tensor->name;
    const auto at = name.find("_l");
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    std::uint32_t out = 0;
    const auto [end, error] = std::from_chars(name.data() + at + 2, name.data() + name.size(), out);
    return error == std::errc{} && end != name.data() + at + 2 ? std::optional(out) : std::nullopt;
}

char* host_data(const ggml_tensor* tensor) {
    const auto* buffer = tensor->view_src != nullptr ? tensor->view_src->buffer : tensor->buffer;
    return buffer != nullptr && ggml_backend_buffer_is_host(const_cast<ggml_backend_buffer*>(buffer))
               ? static_cast<char*>(tensor->data) : nullptr;
}

std::size_t element_bytes(std::uint32_t type) { return ggml_type_size(static_cast<ggml_type>(type)); }

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

/// Pieces of one tensor that follow the metadata before `meta_at`; moves `next` behind them.
std::vector<Recorder::Piece> take_pieces(const Recorder& io, std::size_t& next, std::size_t meta_at) {
    std::vector<Recorder::Piece> out;
    while (next < io.pieces.size() && io.pieces[next].meta_at == meta_at) {
        out.push_back(io.pieces[next++]);
    }
    return out;
}

/// What llama_kv_cache::state_write writes: the shape of one stream.
struct CacheShape {
    std::uint32_t n_stream = 0, n_cells = 0, transposed = 0;
    std::vector<std::int32_t> positions;
    std::string extensions;
    std::vector<LayerTensors> layers;
    std::vector<std::uint32_t> cells;  ///< in the order of `positions`
};

bool parse_layers(const Recorder& io, lc::kv::Reader& in, CacheShape& shape) {
    std::size_t next = 0;
    const auto n_layer = in.number<std::uint32_t>();
    for (std::uint32_t i = 0; i < n_layer && in.ok(); ++i) {
        LayerTensors layer;
        layer.rows.k_type = static_cast<std::uint32_t>(in.number<std::int32_t>());
        layer.rows.k_row_bytes = static_cast<std::uint32_t>(in.number<std::uint64_t>());
        const auto pieces = take_pieces(io, next, in.at());
        if (pieces.empty() || layer.rows.k_row_bytes == 0) {
            return false;
        }
        layer.k = pieces.front().tensor;
        const auto number = layer_number(layer.k);
        if (!number) {
            return false;
        }
        layer.rows.layer = *number;
        if (i == 0) {
            for (const auto& piece : pieces) {
                for (std::size_t at = 0; at < piece.size; at += layer.rows.k_row_bytes) {
                    shape.cells.push_back(static_cast<std::uint32_t>((piece.offset + at) / layer.rows.k_row_bytes));
                }
            }
        }
        shape.layers.push_back(layer);
    }
    while (in.ok() && next < io.pieces.size()) {  // V, of the layers that have it
        const auto type = static_cast<std::uint32_t>(in.number<std::int32_t>());
        std::uint64_t row = 0;
        if (shape.transposed != 0) {
            const auto element = in.number<std::uint32_t>();
            row = std::uint64_t{element} * in.number<std::uint32_t>();
        } else {
            row = in.number<std::uint64_t>();
        }
        const auto pieces = take_pieces(io, next, in.at());
        const auto number = pieces.empty() ? std::nullopt : layer_number(pieces.front().tensor);
        const auto layer = std::find_if(shape.layers.begin(), shape.layers.end(),
                                        [&](const LayerTensors& l) { return number && l.rows.layer == *number; });
        if (layer == shape.layers.end() || row == 0 || row > UINT32_MAX) {
            return false;
        }
        layer->v = pieces.front().tensor;
        layer->rows.v_type = type;
        layer->rows.v_row_bytes = static_cast<std::uint32_t>(row);
    }
    std::sort(shape.layers.begin(), shape.layers.end(),
              [](const LayerTensors& a, const LayerTensors& b) { return a.rows.layer < b.rows.layer; });
    return in.ok() && next == io.pieces.size() && shape.cells.size() == shape.n_cells;
}

/// nullopt: empty, or not understood.
std::optional<CacheShape> shape_of(const llama_kv_cache& cache, llama_seq_id seq, bool extensions) {
    Recorder io;
    cache.state_write(io, seq, LLAMA_STATE_SEQ_FLAGS_NONE);
    lc::kv::Reader in(io.meta);
    CacheShape shape;
    shape.n_stream = in.number<std::uint32_t>();
    bool found = false;
    for (std::uint32_t s = 0; s < shape.n_stream && in.ok(); ++s) {
        const auto count = in.number<std::uint32_t>();
        if (count == 0) {
            continue;
        }
        if (found) {
            return std::nullopt;
        }
        found = true;
        shape.n_cells = count;
        for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
            shape.positions.push_back(in.number<std::int32_t>());
            const auto n_seq = in.number<std::uint32_t>();
            if (extensions) {
                shape.extensions += in.take(12);
            }
            in.take(std::uint64_t{n_seq} * 4);
        }
        shape.transposed = in.number<std::uint32_t>();
        if (!parse_layers(io, in, shape)) {
            return std::nullopt;
        }
    }
    return found && in.ok() && in.left() == 0 ? std::optional(std::move(shape)) : std::nullopt;
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

/// A cache's bytes in a checkpoint, walked through with the shape of the live one.
bool window_fits(const CacheShape& live, bool extensions, std::uint32_t n_max_cells, std::string_view bytes,
                 std::uint32_t n_tokens) {
    lc::kv::Reader in(bytes);
    if (in.number<std::uint32_t>() != live.n_stream) {
        return false;
    }
    bool found = false;
    for (std::uint32_t s = 0; s < live.n_stream && in.ok(); ++s) {
        const auto count = in.number<std::uint32_t>();
        if (count == 0) {
            continue;
        }
        if (found || count > n_max_cells) {
            return false;
        }
        found = true;
        for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
            const auto position = in.number<std::int32_t>();
            if (position < 0 || static_cast<std::uint32_t>(position) >= n_tokens || in.number<std::uint32_t>() != 1) {
                return false;
            }
            in.take(extensions ? 16 : 4);
        }
        if (in.number<std::uint32_t>() != live.transposed || in.number<std::uint32_t>() != live.layers.size()) {
            return false;
        }
        for (const auto& layer : live.layers) {
            if (static_cast<std::uint32_t>(in.number<std::int32_t>()) != layer.rows.k_type ||
                in.number<std::uint64_t>() != layer.rows.k_row_bytes) {
                return false;
            }
            in.take(std::uint64_t{count} * layer.rows.k_row_bytes);
        }
        for (const auto& layer : live.layers) {
            if (layer.v == nullptr) {
                continue;
            }
            if (static_cast<std::uint32_t>(in.number<std::int32_t>()) != layer.rows.v_type) {
                return false;
            }
            if (live.transposed != 0) {
                const auto element = element_bytes(layer.rows.v_type);
                if (in.number<std::uint32_t>() != element || in.number<std::uint32_t>() != layer.rows.v_row_bytes / element) {
                    return false;
                }
            } else if (in.number<std::uint64_t>() != layer.rows.v_row_bytes) {
                return false;
            }
            in.take(std::uint64_t{count} * layer.rows.v_row_bytes);
        }
    }
    return found && in.ok() && in.left() == 0;
}

/// Recurrent state is one cell: everything but position and rows must be equal.
bool recurrent_fits(const llama_memory_i& memory, llama_seq_id seq, std::string_view bytes, std::uint32_t n_tokens) {
    Recorder io;
    memory.state_write(io, seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    if (io.n_bytes() != bytes.size() || io.meta.size() < 8) {
        return false;
    }
    std::string meta;
    std::size_t at = 0, meta_at = 0;
    for (const auto& piece : io.pieces) {
        meta += bytes.substr(at, piece.meta_at - meta_at);
        at += piece.meta_at - meta_at + piece.size;
        meta_at = piece.meta_at;
    }
    meta += bytes.substr(at);
    lc::kv::Reader in(meta, 4);
    const auto position = in.number<std::int32_t>();
    if (meta.size() != io.meta.size() || position < 0 || static_cast<std::uint32_t>(position) + 1 != n_tokens) {
        return false;
    }
    std::memcpy(meta.data() + 4, io.meta.data() + 4, 4);
    return meta == io.meta;
}

/// llama_context::state_seq_get_data puts a magic and the number of the sequence before what the memory writes.
std::optional<std::string_view> without_prefix(std::string_view bytes) {
    constexpr std::uint32_t magic = 0xaf143cd8;  // io_magic
    lc::kv::Reader in(bytes);
    const bool good = in.number<std::uint32_t>() == magic;
    in.number<std::int32_t>();
    return good && in.ok() ? std::optional(bytes.substr(in.at())) : std::nullopt;
}

llama_kv_cache* window_of(llama_context* ctx) {
    auto* iswa = dynamic_cast<llama_kv_cache_iswa*>(llama_get_memory(ctx));
    return iswa != nullptr ? iswa->get_swa() : nullptr;
}
}  // namespace

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

bool has_room(const ModelMemory& memory, llama_seq_id seq, std::uint32_t n) {
    const auto& cells = memory.rows->get_cells(seq);
    return n <= cells.size() && cells.get_used() <= cells.size() - n;
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

bool load_partial(llama_context* ctx, llama_seq_id seq, std::string_view bytes) {
    const auto state = without_prefix(bytes);
    if (!state) {
        return false;
    }
    Feeder io(*state, true);
    try {
        llama_get_memory(ctx)->state_read(io, seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    } catch (const std::exception&) {
        return false;
    }
    return io.at_end();
}

bool same_shape(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::string_view bytes, std::uint32_t n_tokens) {
    const auto state = without_prefix(bytes);
    if (!state) {
        return false;
    }
    if (memory.kind == MemoryKind::swa) {
        const auto* window = window_of(ctx);
        const auto live = shape_of(*window, seq, window->has_cell_ext());
        return live && window_fits(*live, window->has_cell_ext(), window->get_size(), *state, n_tokens);
    }
    return recurrent_fits(*llama_get_memory(ctx), seq, *state, n_tokens);
}

bool partial_is_complete(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, std::uint32_t n_tokens) {
    auto* all = llama_get_memory(ctx);
    if (n_tokens == 0 || all->seq_pos_max(seq) + 1 != static_cast<llama_pos>(n_tokens)) {
        return false;
    }
    if (memory.kind != MemoryKind::swa) {
        return true;
    }
    const auto* window = window_of(ctx);
    const auto live = shape_of(*window, seq, window->has_cell_ext());
    // In a cache that several share, another's tokens may have taken cells of the window.
    return live && live->n_cells >= std::min(n_tokens, memory.n_swa) &&
           *std::min_element(live->positions.begin(), live->positions.end()) + static_cast<llama_pos>(live->n_cells) ==
               static_cast<llama_pos>(n_tokens);
}

bool on_host(const SlotRows& rows) {
    return std::all_of(rows.layers.begin(), rows.layers.end(), [](const LayerTensors& l) {
        return host_data(l.k) != nullptr && (l.v == nullptr || host_data(l.v) != nullptr);
    });
}
