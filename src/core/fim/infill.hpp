// Completing code between two texts: requests with a suffix (/v1/completions, /v1/fim/completions) as an engine's /infill,
// and its answer in their dialect. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/api/request_view.hpp"
#include "core/api/stream_event.hpp"
#include "core/sse/sse.hpp"

namespace lc::fim {

/// Whether a request of that dialect asks for the text between two others: fim always, completions with a suffix.
[[nodiscard]] bool asks_infill(const api::RequestView& view, std::string_view body);

/// Its body for /infill: `input_prefix` and `input_suffix` for `prompt` and `suffix`, `seed` for Mistral's `random_seed`;
/// all else stays. bad_request: `prompt` or `suffix` is no text; unsupported: `echo`, several choices.
[[nodiscard]] Result<std::string> to_infill(const api::RequestView& view, std::string_view body);

/// What llama.cpp streams for /infill, as the chunks of another dialect.
struct Stream {
    api::Dialect dialect = api::Dialect::completions;  ///< completions or fim
    std::string id, model;
    std::int64_t created = 0;  ///< Unix seconds
    bool include_usage = false;
    api::StreamReader reader;  ///< of dialect infill
};
/// The frames that take a frame's place. Those that only tell the progress, and errors, stay as they are.
[[nodiscard]] std::vector<sse::Frame> translate(Stream& stream, const sse::Frame& frame);

}  // namespace lc::fim
