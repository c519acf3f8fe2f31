// A line of reasoning text by which somebody who waits is told how far things are, for clients that show no comments; and
// its way back out of conversations. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/request_view.hpp"
#include "core/api/splice.hpp"

namespace lc::stream {

/// "[LocalCode: WHAT]\n", in ASCII and without further brackets.
[[nodiscard]] std::string progress_line(std::string_view what);

/// A chunk of a chat answer with that line as reasoning text.
[[nodiscard]] std::string progress_frame(std::string_view id, std::string_view model, std::int64_t created, std::string_view what);

/// Edits of a chat request (other dialects: none) that take such lines out of the reasoning of its assistant turns; what the
/// model itself wrote there stays byte for byte. Empty where there are none.
[[nodiscard]] std::vector<api::Splice> remove_progress(const api::RequestView& view, std::string_view body);

}  // namespace lc::stream
