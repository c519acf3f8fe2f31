// Which of the steps that make prompts cacheable a request goes through. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.hpp"

namespace lc::prefix {

struct Steps {
    bool environment = false;  ///< what differs between projects and days goes behind the tools
    bool pinned = false;       ///< what changes inside a session keeps its first form
    bool tools = false;        ///< tools in a lasting order
    bool compaction = false;   ///< a summary is written from the session's own state
    bool operator==(const Steps&) const = default;
    [[nodiscard]] bool any() const { return environment || pinned || tools || compaction; }
};

/// Names that are none are left out (config check refuses them).
[[nodiscard]] Steps steps_of(std::span<const std::string> names);

struct Asker {
    std::string_view model;
    std::string_view backend;  ///< empty: an engine of our own
    std::string_view client;
};

/// What the request itself asks for wins, then the first rule that fits, then `steps` - for local engines only: a remote
/// backend gets requests as they came unless a rule names it or the request asks.
[[nodiscard]] Steps chosen(const config::Prefix& config, const Asker& asker,
                           const std::optional<std::vector<std::string>>& request);

}  // namespace lc::prefix
