// A plot of simulated policies as SVG.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/policy/simulate.hpp"

namespace lc::policy {

/// Hit rate over capacity, one line a policy. `shares`: of the unique blocks, one for each run of `rows`. Pure.
[[nodiscard]] std::string plot(const std::string& title, const std::vector<std::pair<double, std::vector<Row>>>& runs);

}  // namespace lc::policy
