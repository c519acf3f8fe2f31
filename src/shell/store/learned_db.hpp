// prefix.db: what was learned about prompts, as rows of (kind, key, JSON). Small, bounded, and of use only to save time: a
// file that cannot be read is set aside and learned again. For one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shell/store/sqlite.hpp"

namespace lc::store {

struct LearnedRow {
    std::string kind, key, value;
};

/// Makes the file (mode 0600) where there is none. One that is damaged or of a newer version is set aside; `report` says so.
[[nodiscard]] SqlResult<Db> open_learned(const std::string& path, const std::function<void(std::string)>& report);

/// All rows, those used last at the end. At most `most` of each kind are kept, the others are removed from the file.
[[nodiscard]] SqlResult<std::vector<LearnedRow>> load_learned(sqlite3* db, std::size_t most);

[[nodiscard]] SqlResult<void> save_learned(sqlite3* db, const LearnedRow& row, std::int64_t unix_ms);
[[nodiscard]] SqlResult<void> remove_learned(sqlite3* db, std::string_view kind, std::string_view key);

}  // namespace lc::store
