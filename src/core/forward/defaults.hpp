// What the configuration sets in requests that say nothing of it themselves. Pure.
#pragma once

#include <string_view>
#include <vector>

#include "core/config/config.hpp"
#include "core/forward/forward.hpp"

namespace lc::forward {

/// Members for a request of this kind to this model: sampling values and thinking that are configured for the kind. What
/// holds for all kinds is an argument of the engine already. Empty for dialects that sample nothing.
[[nodiscard]] std::vector<Member> defaults(const config::Model& model, std::string_view kind, const api::RequestView& view);

}  // namespace lc::forward
