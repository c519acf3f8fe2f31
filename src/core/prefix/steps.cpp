#include "core/prefix/steps.hpp"

namespace lc::prefix {

Steps steps_of(std::span<const std::string> names) {
    Steps steps;
    for (const auto& name : names) {
        if (name == "environment") steps.environment = true;
        if (name == "pinned") steps.pinned = true;
        if (name == "tools") steps.tools = true;
        if (name == "compaction") steps.compaction = true;
    }
    return steps;
}

Steps chosen(const config::Prefix& config, const Asker& asker, const std::optional<std::vector<std::string>>& request) {
    if (request) return steps_of(*request);
    for (const auto& rule : config.rules) {
        const bool fits = (rule.model.empty() || rule.model == asker.model) &&
                          (rule.client.empty() || rule.client == asker.client) && rule.backend == asker.backend;
        if (fits) return steps_of(rule.steps);
    }
    return asker.backend.empty() ? steps_of(config.steps) : Steps{};
}

}  // namespace lc::prefix
