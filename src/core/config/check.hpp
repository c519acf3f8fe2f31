// Rules over whole tables, shared by the parser (which knows where each one stands) and `validate`.
#pragma once

#include <vector>

#include "core/config/config.hpp"
#include "core/config/parse.hpp"

namespace lc::config {

struct Position {
    int line = 0, column = 0;
    bool broken = false;  ///< the table already has a problem: what depends on all of its keys is not judged
};

/// Where the tables of a file stand; empty for configs that were not read from one.
struct Positions {
    Position tls;
    std::vector<Position> keys, models, backends, routes, prefix_rules;
};

/// Names present and unique, rules about things that are there, TLS files in pairs, model with path or hf, backend with preset or url, well-formed URLs,
/// origins and headers.
void check_tables(const Config& config, const Positions& at, std::vector<Problem>& out);

/// What only the final config can tell: a key when listening beyond loopback, models to preload exist.
void check_whole(const Config& config, std::vector<Problem>& out);

}  // namespace lc::config
