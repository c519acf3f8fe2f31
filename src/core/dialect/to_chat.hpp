// Requests of messages and responses as chat requests: engines are asked in chat, where LocalCode can force, watch and
// mend tool calls. The way back is write.hpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/api/request_view.hpp"

namespace lc::dialect {

/// A tool that its client calls otherwise than the model does.
struct ToolName {
    std::string model;      ///< what the model is told
    std::string client;     ///< the client's name
    std::string space;      ///< the `namespace` it stands in; empty: none
    bool free_text = false; ///< a custom tool of responses: the model gives {"input": text}, the client gets the text
    bool operator==(const ToolName&) const = default;
};

struct ChatRequest {
    std::string body;
    std::vector<ToolName> names;  ///< only of tools whose calls must be changed on the way back
};

/// Pure. Whether a request of messages or responses has something that an engine's own reading of these dialects loses:
/// tools, calls in its history, or a format of the answer. Everything else goes as it came.
[[nodiscard]] bool needs_chat(const api::RequestView& view, std::string_view body);

/// Pure. The chat request that asks the same. Members that chat knows too (sampling, llama.cpp's own) survive as they came.
/// Errors (bad_request): what cannot be said in chat, named.
[[nodiscard]] Result<ChatRequest> to_chat(api::Dialect from, std::string_view body);

}  // namespace lc::dialect
