// OpenCode's configuration for this gateway.
#pragma once

#include <string>
#include <vector>

#include "core/clients/client.hpp"
#include "core/clients/jsonc.hpp"

namespace lc::clients {

/// Whose configuration it goes into: that of one run wins over everything; in a user's file, what the user wrote stays,
/// but for what would be wrong (address, context sizes).
enum class Purpose : std::uint8_t { run, file };

/// Pure. As settings, so that they can be laid into what is there. `there`: what is there (null: nothing). A key is
/// never written out: it is "{env:LOCALCODE_API_KEY}", which OpenCode reads from its environment.
[[nodiscard]] std::vector<Setting> opencode_settings(const Setup& setup, Purpose purpose,
                                                     const boost::json::value& there);

}  // namespace lc::clients
