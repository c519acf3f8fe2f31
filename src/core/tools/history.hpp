// Mends the tool calls of a conversation on its way in: what a server cannot read there makes every later request of
// that session fail, for ever.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/api/request_view.hpp"
#include "core/api/splice.hpp"

namespace lc::tools {

struct Mended {
    std::vector<api::Splice> splices;
    std::vector<std::string> what;  ///< "messages[3]: arguments of call 0 were not JSON", for the log
};

/// Pure. Edits of a chat request (other dialects: none) that make its history readable:
/// - arguments that are no JSON text of an object: repaired, or kept as {"invalid_arguments": text}; an object becomes
/// its text;
/// - calls without id or type get one, their results too, the same one on every turn;
/// - results of calls that nobody made become messages of the user;
/// - assistant turns without content and calls go.
/// A healthy history gets no edit at all, and what is edited depends only on the messages up to the next turn of the
/// assistant: the prefix of a growing conversation stays the same.
[[nodiscard]] Mended mend_history(const api::RequestView& view, std::string_view body);

}  // namespace lc::tools
