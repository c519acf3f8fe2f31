// /v1/embeddings in front of an engine: what the client asks for, in batches, and its answer. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/api/request_view.hpp"

namespace lc::vectors {

inline constexpr std::size_t max_inputs = 8'192;  ///< texts of one request

struct EmbeddingsAsk {
    std::vector<api::Range> inputs;  ///< of the body: a string or a list of tokens each
    bool base64 = false;
    std::int64_t dimensions = 0;  ///< 0: all
};

/// Errors (bad_request) name the member, and the place in a list.
[[nodiscard]] Result<EmbeddingsAsk> parse_embeddings(const api::RequestView& view, std::string_view body);

/// The JSON list of the texts from `begin` to before `end`.
[[nodiscard]] std::string list_of(std::string_view body, const std::vector<api::Range>& items, std::size_t begin,
                                  std::size_t end);

/// Where the batch that begins with item `begin` ends: at most `max_items` and about `max_bytes`, at least one item.
[[nodiscard]] std::size_t batch_end(const std::vector<api::Range>& items, std::size_t begin, std::size_t max_items,
                                    std::size_t max_bytes);

/// An engine's answer to one batch that was asked for in base64.
struct EmbeddingsBatch {
    std::vector<std::vector<float>> vectors;  ///< in the order of the texts
    std::int64_t tokens = 0;
};
/// upstream_error: it is none, or has another number of vectors than `wanted`.
[[nodiscard]] Result<EmbeddingsBatch> read_embeddings(std::string_view body, std::size_t wanted);

/// The first `dimensions` values, brought to length 1 again. bad_request when the model gives fewer.
[[nodiscard]] Result<void> shorten(std::vector<float>& vector, std::int64_t dimensions);

/// Puts the answer together, batch by batch.
struct EmbeddingsAnswer {
    bool base64 = false;
    std::string data;  ///< the elements of `data` so far
    std::size_t count = 0;
    std::int64_t tokens = 0;
};
/// upstream_error: a value is not a number.
[[nodiscard]] Result<void> add(EmbeddingsAnswer& answer, const std::vector<float>& vector);
[[nodiscard]] std::string finish(const EmbeddingsAnswer& answer, std::string_view model);

}  // namespace lc::vectors
