// The request log as JSON lines: one object for a request, one for its answer.
#pragma once

#include <string>

#include "core/log/record.hpp"

namespace lc::log {

/// {"event":"request", "id", "time" (unix ms), "client", "session", "kind", "endpoint", "model", "backend", "stream",
/// "n_messages", "messages", "tools", ...}. One line without its end; empty members are left out. Only ASCII control
/// characters could harm a terminal, and JSON escapes them; C1 ones are escaped too.
[[nodiscard]] std::string request_line(const RequestRecord& record);

/// {"event":"response", "id", "status", "preview", "calls", "finish_reason", "usage", "ms", ...}.
[[nodiscard]] std::string response_line(const RequestRecord& record);

/// `text` as a JSON string whose raw form no terminal takes for a command.
[[nodiscard]] std::string quote_line(std::string_view text);

}  // namespace lc::log
