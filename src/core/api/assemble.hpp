// Puts a whole answer together from an engine's stream, for clients that did not ask for one.
#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "core/api/endpoint.hpp"
#include "core/sse/sse.hpp"

namespace lc::api {

/// Which dialects `assemble` can do.
[[nodiscard]] bool can_assemble(Dialect dialect);

/// Collects chat (fim: likewise) or (text) completions chunks, also llama.cpp's own: several choices, tool calls, reasoning, logprobs,
/// usage, timings; members that it does not know are kept, the last one wins. Not for other dialects.
struct Assembly {
    Dialect dialect = Dialect::chat;
    bool return_tokens =
        false;    ///< the request asked for it: llama.cpp's own form streams `tokens` always, keeps them only then
    struct Impl;  ///< pieces of the original JSON text: numbers and escapes come out as they went in
    Assembly(Dialect dialect);
    ~Assembly();
    Assembly(Assembly&&) noexcept;
    Assembly& operator=(Assembly&&) noexcept;
    std::unique_ptr<Impl> impl;
};
void add(Assembly& assembly, const sse::Frame& frame);

/// The body of the answer that the engine would have sent without `stream`; usage is taken from the timings when the
/// stream had none. Error when no finish reason was seen, or when the stream held an error.
[[nodiscard]] Result<std::string> finish(Assembly& assembly);

}  // namespace lc::api
