// SQLite behind values: handles that close themselves, statements, migrations. Errors carry SQLite's own code, because
// what to do depends on it (full disk: try later; corrupt: set aside).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

struct sqlite3;
struct sqlite3_stmt;

namespace lc::store {

struct SqlError {
    int code = 0;      ///< primary result code (SQLITE_FULL, SQLITE_CORRUPT, ...)
    std::string text;  ///< for people
};
template <class T>
using SqlResult = tl::expected<T, SqlError>;

struct CloseDb {
    void operator()(sqlite3* db) const;
};
using Db = std::unique_ptr<sqlite3, CloseDb>;

struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const;
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

enum class Mode : std::uint8_t { read_only, read_write, create };

/// `create` makes the file with mode 0600. Waits up to two seconds for other processes' locks.
[[nodiscard]] SqlResult<Db> open_db(const std::string& path, Mode mode);

[[nodiscard]] SqlResult<void> execute(sqlite3* db, const std::string& sql);  ///< one or more statements, no rows wanted
[[nodiscard]] SqlResult<std::int64_t> query_integer(sqlite3* db, const std::string& sql);
[[nodiscard]] SqlResult<Statement> prepare(sqlite3* db, std::string_view sql);

// Not named `bind`: a std::string argument would find std::bind, which takes anything and does nothing.
void bind_text(sqlite3_stmt* statement, int index, std::string_view text);  ///< copied; index from 1
void bind_integer(sqlite3_stmt* statement, int index, std::int64_t value);
[[nodiscard]] SqlResult<bool> step(sqlite3_stmt* statement);  ///< true: there is a row
void rewind(sqlite3_stmt* statement);                         ///< for the next use; bindings are forgotten
[[nodiscard]] std::string_view column_text(sqlite3_stmt* statement, int index);  ///< from 0; valid until the next step

/// Brings `user_version` from where it is to migrations.size(), each migration in a transaction of its own. Must not be
/// called on a database of a higher version.
[[nodiscard]] SqlResult<void> migrate(sqlite3* db, std::span<const std::string_view> migrations);

/// Whether the error means that the file is no (whole) database, as opposed to trouble with disk, locks or rights.
[[nodiscard]] bool is_damage(const SqlError& error);

/// Renames a database with its -wal and -shm out of the way: "<path>.<why>-<unix time>". Returns the new name.
[[nodiscard]] SqlResult<std::string> set_aside(const std::string& path, std::string_view why);

}  // namespace lc::store
