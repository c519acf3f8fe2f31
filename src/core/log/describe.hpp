// From the neutral view of a request to what is remembered of it.
#pragma once

#include <string>
#include <string_view>

#include "core/api/request_view.hpp"
#include "core/log/record.hpp"

namespace lc::log {

/// Fills dialect, model_asked, stream, n_messages, n_tools, messages and tools. Previews are redacted and printable.
void describe(const api::RequestView& view, RequestRecord& record);

/// At most `max_chars` characters of `text` on one line that no terminal takes for a command: control characters (C0,
/// DEL, C1), line separators and marks that reverse the direction of text become spaces, what is not UTF-8 becomes
/// U+FFFD.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_chars);

/// `printable(redact(text))`.
[[nodiscard]] std::string safe_preview(std::string_view text);

/// The steps that changed the prompt, each once: "environment, tools".
[[nodiscard]] std::string prompt_steps(const RequestRecord& record);

/// Keeps what a step changed, bounded and redacted.
void note_prompt_edit(RequestRecord& record, std::string_view step, std::string_view where, std::string_view before,
                      std::string_view after);

}  // namespace lc::log
