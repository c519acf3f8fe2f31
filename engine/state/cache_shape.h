// How llama.cpp writes and reads a cache's state, with rows left where they are. Internal to engine/state.
#pragma once
#include "state/rows.h"

#include "llama-io.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

    void read(void* dst, std::size_t size) override;
    void read_tensor(ggml_tensor* tensor, std::size_t offset, std::size_t size) override;
    std::size_t n_bytes() override { return at_; }
    bool at_end() const { return at_ == bytes_.size(); }

  private:
    std::string_view take(std::size_t size);
    std::string_view bytes_;
    std::size_t at_ = 0;
    bool has_rows_;
};

/// What llama_kv_cache::state_write writes: the shape of one stream.
struct CacheShape {
    std::uint32_t n_stream = 0, n_cells = 0, transposed = 0;
    std::vector<std::int32_t> positions;
    std::string extensions;
    std::vector<LayerTensors> layers;
    std::vector<std::uint32_t> cells;  ///< in the order of `positions`
};

/// nullopt: the sequence is empty, or what was written is not understood.
std::optional<CacheShape> shape_of(const llama_kv_cache& cache, llama_seq_id seq, bool extensions);

std::size_t element_bytes(std::uint32_t type);  ///< of a ggml type
