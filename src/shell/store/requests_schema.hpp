// The tables of requests.db and what the writer does with them. Internal to shell/store.
#pragma once

#include <deque>
#include <string>

#include "core/log/record.hpp"
#include "shell/store/requests_db.hpp"
#include "shell/store/sqlite.hpp"

namespace lc::store {

[[nodiscard]] std::int64_t schema_version();
[[nodiscard]] std::string file_name(const std::string& path);

/// Opens the database for writing, brings it up to date; one of a newer version or a damaged one is set aside first.
[[nodiscard]] SqlResult<Db> open_writer(const std::string& path, const Report& report);

/// One transaction. A record that comes again (the same id) replaces the earlier one.
[[nodiscard]] SqlResult<void> write_batch(sqlite3* db, const std::deque<log::RequestRecord>& batch);

/// Removes what is too old, then the oldest tenths until the content fits; gives the space back to the disk.
[[nodiscard]] SqlResult<void> trim(sqlite3* db, const Retention& retention);

}  // namespace lc::store
