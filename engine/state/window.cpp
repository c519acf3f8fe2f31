#include "state/window.h"

#include "state/partial.h"
#include "state/rows.h"

#include "ggml-backend.h"
#include "ggml.h"
#include "llama-io.h"
#include "llama-kv-cache-iswa.h"
#include "llama-kv-cache.h"

#include "core/kv/wire.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace kv = lc::kv;

namespace {
constexpr std::uint32_t margin_cells = 2;

template <class T>
bool read_number(SectionReader& in, T& out) {
    return in.read(&out, sizeof out);
}

/// The cells that a state begins with, up to their rows, and as llama.cpp is to read them: with a margin, if asked for.
struct Cells {
    std::uint32_t count = 0;
    std::string meta;
};

std::optional<Cells> read_cells(const llama_kv_cache& cache, SectionReader& in, std::uint32_t n_tokens, std::uint32_t margin) {
    std::uint32_t magic = 0, n_stream = 0, before = 0;
    std::int32_t seq = 0;
    if (!read_number(in, magic) || magic != state_magic || !read_number(in, seq) || !read_number(in, n_stream) ||
        n_stream != cache.get_n_stream()) {
        return std::nullopt;
    }
    Cells out;
    while (before < n_stream && out.count == 0) {
        if (!read_number(in, out.count)) {
            return std::nullopt;
        }
        before += out.count == 0 ? 1 : 0;
    }
    const std::size_t ext_bytes = cache.has_cell_ext() ? 12 : 0;
    if (out.count == 0 || out.count > cache.get_size()) {
        return std::nullopt;
    }
    kv::put(out.meta, n_stream);
    for (std::uint32_t i = 0; i < before; ++i) {
        kv::put(out.meta, std::uint32_t{0});
    }
    kv::put(out.meta, out.count + margin);
    for (std::uint32_t i = 0; i < margin; ++i) {
        kv::put(out.meta, static_cast<std::int32_t>(n_tokens - out.count - margin + i));
        kv::put(out.meta, std::uint32_t{1});
        out.meta.append(ext_bytes, '\0');
        kv::put(out.meta, std::int32_t{0});
    }
    std::string cell(12 + ext_bytes, '\0');
    for (std::uint32_t i = 0; i < out.count; ++i) {
        if (!in.read(cell.data(), cell.size())) {
            return std::nullopt;
        }
        kv::Reader fields(cell);
        const auto position = fields.number<std::int32_t>();
        if (position < static_cast<std::int32_t>(n_tokens - std::min(n_tokens, out.count)) ||
            position >= static_cast<std::int32_t>(n_tokens) || fields.number<std::uint32_t>() != 1) {
            return std::nullopt;
        }
        out.meta += cell;
    }
    return out;
}

/// What llama.cpp reads: first the cells, then types and rows as they come from the file, those of the margin as zeros.
class WindowFeeder : public llama_io_read_i {
  public:
    WindowFeeder(SectionReader& in, std::string meta, std::uint32_t margin) : in_(in), meta_(std::move(meta)), margin_(margin) {}

    void read(void* dst, std::size_t size) override {
        n_bytes_ += size;
        if (meta_at_ < meta_.size()) {
            kv::Reader meta(meta_, meta_at_);
            const auto bytes = meta.take(size);
            if (!meta.ok()) {
                throw std::runtime_error("the cells do not fit");
            }
            std::copy(bytes.begin(), bytes.end(), static_cast<char*>(dst));
            meta_at_ += size;
            return;
        }
        if (!in_.read(dst, size)) {
            throw std::runtime_error("the state is too short");
        }
        std::uint64_t row = 0;
        if (size == sizeof row) {  // the bytes of a row: a layer's rows follow
            std::copy_n(static_cast<const char*>(dst), sizeof row, reinterpret_cast<char*>(&row));
            zeros_ = row > max_row_bytes ? 0 : row * margin_;
        }
    }

    void read_tensor(ggml_tensor* tensor, std::size_t offset, std::size_t size) override {
        n_bytes_ += size;
        const std::size_t n_zeros = std::min<std::size_t>(zeros_, size);
        zeros_ -= n_zeros;
        if (n_zeros > 0) {
            ggml_backend_tensor_memset(tensor, 0, offset, n_zeros);
        }
        offset += n_zeros;
        size -= n_zeros;
        if (size == 0) {
            return;
        }
        written_.push_back({tensor, offset, size});
        char* host = host_data(tensor);
        if (host == nullptr) {
            scratch_.resize(size);
        }
        if (!in_.read(host != nullptr ? host + offset : scratch_.data(), size)) {
            throw std::runtime_error("the state is too short");
        }
        if (host == nullptr) {
            ggml_backend_tensor_set(tensor, scratch_.data(), offset, size);
        }
    }

    std::size_t n_bytes() override { return n_bytes_; }

    /// The bytes turned out to be bad. Cells that nobody has are masked, but what is no number would spoil sums all the same.
    void wipe() {
        for (const auto& piece : written_) {
            ggml_backend_tensor_memset(piece.tensor, 0, piece.offset, piece.size);
        }
    }

  private:
    static constexpr std::uint64_t max_row_bytes = 1ULL << 30;
    struct Piece { ggml_tensor* tensor; std::size_t offset, size; };

    SectionReader& in_;
    const std::string meta_;
    const std::uint32_t margin_;
    std::size_t meta_at_ = 0, n_bytes_ = 0;
    std::uint64_t zeros_ = 0;
    std::string scratch_;
    std::vector<Piece> written_;
};
}  // namespace

WindowLoad load_window(const ModelMemory& memory, llama_context* ctx, llama_seq_id seq, SectionReader& in, std::uint32_t n_tokens) {
    const BlobFault misfit{"damaged", true, "its state does not load"};
    auto* iswa = dynamic_cast<llama_kv_cache_iswa*>(llama_get_memory(ctx));
    if (iswa == nullptr) {
        return {misfit, false};
    }
    auto& cache = *iswa->get_swa();
    const std::uint32_t n_window = std::min(n_tokens, memory.n_swa);
    if (!has_room(cache, seq, n_window)) {
        return {BlobFault{"too_long", false, {}}, false};
    }
    const bool has_margin = !memory.transposed && n_tokens >= memory.n_swa + margin_cells && has_room(cache, seq, n_window + margin_cells);
    const auto cells = read_cells(cache, in, n_tokens, has_margin ? margin_cells : 0);
    if (!cells || cells->count != n_window) {
        in.skip();
        return {in.fault().value_or(misfit), false};
    }
    WindowFeeder feeder(in, cells->meta, has_margin ? margin_cells : 0);
    bool good = true;
    try {
        cache.state_read(feeder, seq, LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY);
    } catch (const std::exception&) {
        good = false;
    }
    good &= in.left() == 0;
    in.skip();
    const auto fault = in.fault();
    if (!good || fault) {
        feeder.wipe();
        cache.seq_rm(seq, -1, -1);
        return {fault.value_or(misfit), false};
    }
    if (!partial_is_complete(memory, ctx, seq, n_tokens)) {
        return {misfit, false};
    }
    return {std::nullopt, has_margin};
}
