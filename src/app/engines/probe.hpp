// Asking a starting engine whether it is ready, and what it is.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "app/engines/engines.hpp"

namespace lc::engines {

struct Probed {
    bool ours = false;
    bool tools_ok = false;
    std::int64_t context_per_slot = 0, slots = 0;
    Meta meta;
};

/// Pure: reads the answers of GET /props and GET /localcode/engine (empty: there is no such path).
[[nodiscard]] Result<Probed> read_props(std::string props, std::string_view engine);

/// Health, then properties. Fails as long as the engine is not ready. Borrows `pool`.
awaitable<Result<Probed>> probe(net::Pool& pool, net::Target target);

}  // namespace lc::engines
