// From a secret as written in the config to its value. Values go to where they are used, never into a log or an error.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/config/config.hpp"

namespace lc {

using Warn = std::function<void(std::string_view line)>;
/// Writes "localcode: warning: ..." to standard error.
void warn_on_stderr(std::string_view line);

/// "env:NAME": that environment variable; "file:PATH": the first line of that file (a warning when others can read it);
/// anything else: the text itself. Errors: bad_request, naming variable or file: unset, empty, unreadable, or holding
/// characters that no HTTP header may hold.
[[nodiscard]] Result<std::string> resolve_secret(const config::Secret& secret, const Warn& warn = warn_on_stderr);

}  // namespace lc
