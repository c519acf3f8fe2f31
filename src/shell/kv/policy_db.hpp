// policy.db: what the cache policy learned, and how much was written today. Losing it costs time, nothing else: one
// that is damaged or of a newer version is set aside.
//
// SQLite, mode 0600, user_version 1: learned(name TEXT PRIMARY KEY, at_ms INTEGER, numbers BLOB), little-endian floats;
// writes(id INTEGER PRIMARY KEY CHECK (id = 1), day INTEGER, bytes INTEGER).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/policy/keeper.hpp"

namespace lc::kv {

struct Learned {
    std::vector<float> hazard;  ///< empty: nothing
    policy::Writes writes;
    std::string set_aside;  ///< where a damaged one went; empty: none was
};

/// Makes it when it is missing. Errors: internal.
[[nodiscard]] Result<Learned> load_learned(const std::string& path);
[[nodiscard]] Result<void> save_learned(const std::string& path, const Learned& learned, std::int64_t now_ms);

}  // namespace lc::kv
