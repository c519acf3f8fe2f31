#include "shell/store/sqlite.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>

namespace lc::store {

namespace {

constexpr int busy_ms = 2'000;

tl::unexpected<SqlError> error_of(sqlite3* db, std::string_view doing) {
    const int code = db == nullptr ? SQLITE_NOMEM : sqlite3_errcode(db);
    const char* text = db == nullptr ? "out of memory" : sqlite3_errmsg(db);
    return tl::unexpected(SqlError{code & 0xff, std::string(doing) + ": " + text});
}

tl::unexpected<SqlError> error_of_system(int code, const std::string& doing) {
    return tl::unexpected(SqlError{SQLITE_CANTOPEN, doing + ": " + std::generic_category().message(code)});
}

/// Prompts are private: the file is made by us, not by SQLite, so that it never stands there with the umask's mode. Its
/// -wal and -shm get the same mode from SQLite.
SqlResult<void> make_private(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return error_of_system(errno, "cannot open " + path);
    struct stat info {};
    const bool wide = ::fstat(fd, &info) == 0 && (info.st_mode & 077) != 0;
    const bool ok = !wide || ::fchmod(fd, 0600) == 0;
    const int code = errno;
    ::close(fd);
    if (!ok) return error_of_system(code, "cannot make " + path + " private");
    return {};
}

}  // namespace

void CloseDb::operator()(sqlite3* db) const {
    sqlite3_close_v2(db);
}
void FinalizeStatement::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

SqlResult<Db> open_db(const std::string& path, Mode mode) {
    if (mode == Mode::create) {
        if (auto made = make_private(path); !made) return tl::unexpected(made.error());
    }
    const int flags = SQLITE_OPEN_NOMUTEX | (mode == Mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    Db db(raw);
    if (code != SQLITE_OK) return error_of(raw, "cannot open " + path);
    sqlite3_extended_result_codes(raw, 0);
    sqlite3_busy_timeout(raw, busy_ms);
    return db;
}

SqlResult<void> execute(sqlite3* db, const std::string& sql) {
    if (sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error_of(db, "database");
    return {};
}

SqlResult<Statement> prepare(sqlite3* db, std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &raw, nullptr) != SQLITE_OK) {
        return error_of(db, "database");
    }
    return Statement(raw);
}

SqlResult<std::int64_t> query_integer(sqlite3* db, const std::string& sql) {
    auto statement = prepare(db, sql);
    if (!statement) return tl::unexpected(statement.error());
    auto row = step(statement->get());
    if (!row) return tl::unexpected(row.error());
    return *row ? sqlite3_column_int64(statement->get(), 0) : 0;
}

void bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
    sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}
void bind_integer(sqlite3_stmt* statement, int index, std::int64_t value) {
    sqlite3_bind_int64(statement, index, value);
}

SqlResult<bool> step(sqlite3_stmt* statement) {
    switch (sqlite3_step(statement)) {
        case SQLITE_ROW: return true;
        case SQLITE_DONE: return false;
        default: return error_of(sqlite3_db_handle(statement), "database");
    }
}

void rewind(sqlite3_stmt* statement) {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

std::string_view column_text(sqlite3_stmt* statement, int index) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
    if (text == nullptr) return {};
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement, index))};
}

SqlResult<void> migrate(sqlite3* db, std::span<const std::string_view> migrations) {
    const auto version = query_integer(db, "PRAGMA user_version");
    if (!version) return tl::unexpected(version.error());
    for (auto i = static_cast<std::size_t>(*version); i < migrations.size(); ++i) {
        auto done = execute(db, "BEGIN IMMEDIATE; " + std::string(migrations[i]) +
                                    "; PRAGMA user_version = " + std::to_string(i + 1) + "; COMMIT");
        if (done) continue;
        // The first error is what matters; a transaction that did not begin cannot be rolled back.
        sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
        return done;
    }
    return {};
}

bool is_damage(const SqlError& error) {
    return error.code == SQLITE_CORRUPT || error.code == SQLITE_NOTADB;
}

SqlResult<std::string> set_aside(const std::string& path, std::string_view why) {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    const std::string base = path + "." + std::string(why) + "-" + std::to_string(now.count());
    std::string to = base;
    for (int i = 2; ::access(to.c_str(), F_OK) == 0; ++i) to = base + "-" + std::to_string(i);
    if (std::rename(path.c_str(), to.c_str()) != 0) return error_of_system(errno, "cannot rename " + path);
    for (const char* part : {"-wal", "-shm"}) {
        // Missing is the usual case. Left behind, an old log would be applied to the new database.
        if (std::rename((path + part).c_str(), (to + part).c_str()) != 0 && errno != ENOENT) {
            return error_of_system(errno, "cannot rename " + path + part);
        }
    }
    return to;
}

}  // namespace lc::store
