#pragma once

#include <string_view>

namespace lc {

/// "0.1.0": the project's version, set by the build.
[[nodiscard]] std::string_view version_text();

}  // namespace lc
