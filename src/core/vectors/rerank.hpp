// /v1/rerank in front of an engine: what the client asks for, in batches, and its answer. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/api/request_view.hpp"

namespace lc::vectors {

struct RerankAsk {
    api::Range query;                   ///< of the body: a JSON string
    std::vector<api::Range> documents;  ///< likewise; of `{"text": ...}` the text
    std::size_t top_n = 0;              ///< results to give; never more than there are documents
    bool return_documents = false;
};

/// The shapes of Jina and Cohere: `query`, `documents` (texts, or objects with `text`), `top_n`, `return_documents`.
/// Errors (bad_request) name the member, and the place in a list.
[[nodiscard]] Result<RerankAsk> parse_rerank(const api::RequestView& view, std::string_view body);

struct Score {
    std::size_t index = 0;  ///< of the document
    double value = 0;
    bool operator==(const Score&) const = default;
};
struct RerankBatch {
    std::vector<Score> scores;  ///< `index` counts from the batch's first document
    std::int64_t tokens = 0;
};
/// An engine's answer to one batch. upstream_error: it is none, or documents are missing.
[[nodiscard]] Result<RerankBatch> read_rerank(std::string_view body, std::size_t wanted);

/// The best first; among equals the earlier document first. At most `top_n`.
[[nodiscard]] std::vector<Score> best(std::vector<Score> scores, std::size_t top_n);

struct RerankAnswer {
    std::string_view id, model;
    std::int64_t tokens = 0;
};
[[nodiscard]] std::string encode(const RerankAnswer& about, const RerankAsk& ask, std::string_view body,
                                 const std::vector<Score>& results);

}  // namespace lc::vectors
