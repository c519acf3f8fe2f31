#include "state/cache_shape.h"

#include "ggml-backend.h"
#include "ggml.h"
#include "llama-kv-cache.h"

#include "core/kv/wire.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace {
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

/// Pieces of one tensor that follow the metadata before `meta_at`; moves `next` behind them.
std::vector<Recorder::Piece> take_pieces(const Recorder& io, std::size_t& next, std::size_t meta_at) {
    std::vector<Recorder::Piece> out;
    while (next < io.pieces.size() && io.pieces[next].meta_at == meta_at) {
        out.push_back(io.pieces[next++]);
    }
    return out;
}

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
}  // namespace

void Feeder::read(void* dst, std::size_t size) { std::memcpy(dst, take(size).data(), size); }

void Feeder::read_tensor(ggml_tensor* tensor, std::size_t offset, std::size_t size) {
    if (has_rows_) {
        ggml_backend_tensor_set(tensor, take(size).data(), offset, size);
    }
}

std::string_view Feeder::take(std::size_t size) {
    if (size > bytes_.size() - at_) {
        throw std::runtime_error("the state is too short");
    }
    at_ += size;
    return bytes_.substr(at_ - size, size);
}

std::size_t element_bytes(std::uint32_t type) { return ggml_type_size(static_cast<ggml_type>(type)); }

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
