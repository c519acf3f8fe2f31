#include "shell/store/learned_db.hpp"

#include <unistd.h>

#include <array>

namespace lc::store {

namespace {

constexpr std::array<std::string_view, 1> migrations = {
    "CREATE TABLE learned(kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, unix_ms INTEGER NOT NULL,"
    " PRIMARY KEY(kind, key)) WITHOUT ROWID",
};

/// Why the file cannot be used; empty: it can. Errors: it cannot be told (disk, rights).
SqlResult<std::string> trouble_with(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) return std::string();
    const auto version = [&]() -> SqlResult<std::int64_t> {
        auto db = open_db(path, Mode::read_only);
        if (!db) return tl::unexpected(db.error());
        if (auto tables = query_integer(db->get(), "SELECT count(*) FROM sqlite_schema"); !tables) return tables;
        return query_integer(db->get(), "PRAGMA user_version");
    }();
    if (version) return *version > static_cast<std::int64_t>(migrations.size()) ? "v" + std::to_string(*version) : std::string();
    if (is_damage(version.error())) return std::string("damaged");
    return tl::unexpected(version.error());
}

}  // namespace

SqlResult<Db> open_learned(const std::string& path, const std::function<void(std::string)>& report) {
    const auto trouble = trouble_with(path);
    if (!trouble) return tl::unexpected(trouble.error());
    if (!trouble->empty()) {
        const auto moved = set_aside(path, *trouble);
        if (!moved) return tl::unexpected(moved.error());
        if (report) report("what was learned about prompts cannot be read (" + *trouble + "); it was set aside as " + *moved);
    }
    auto db = open_db(path, Mode::create);
    if (!db) return db;
    auto ready = execute(db->get(), "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 1048576");
    if (ready) ready = migrate(db->get(), migrations);
    if (!ready) return tl::unexpected(ready.error());
    return db;
}

SqlResult<std::vector<LearnedRow>> load_learned(sqlite3* db, std::size_t most) {
    const auto trimmed = execute(
        db, "DELETE FROM learned WHERE (kind, key) IN (SELECT kind, key FROM (SELECT kind, key, row_number() OVER"
            " (PARTITION BY kind ORDER BY unix_ms DESC, key) AS n FROM learned) WHERE n > " + std::to_string(most) + ")");
    if (!trimmed) return tl::unexpected(trimmed.error());
    auto select = prepare(db, "SELECT kind, key, value FROM learned ORDER BY unix_ms, key");
    if (!select) return tl::unexpected(select.error());
    std::vector<LearnedRow> rows;
    while (true) {
        const auto row = step(select->get());
        if (!row) return tl::unexpected(row.error());
        if (!*row) return rows;
        rows.push_back({std::string(column_text(select->get(), 0)), std::string(column_text(select->get(), 1)),
                        std::string(column_text(select->get(), 2))});
    }
}

SqlResult<void> save_learned(sqlite3* db, const LearnedRow& row, std::int64_t unix_ms) {
    auto insert = prepare(db, "INSERT OR REPLACE INTO learned(kind, key, value, unix_ms) VALUES(?, ?, ?, ?)");
    if (!insert) return tl::unexpected(insert.error());
    bind_text(insert->get(), 1, row.kind);
    bind_text(insert->get(), 2, row.key);
    bind_text(insert->get(), 3, row.value);
    bind_integer(insert->get(), 4, unix_ms);
    const auto done = step(insert->get());
    if (!done) return tl::unexpected(done.error());
    return {};
}

SqlResult<void> remove_learned(sqlite3* db, std::string_view kind, std::string_view key) {
    auto remove = prepare(db, "DELETE FROM learned WHERE kind = ? AND key = ?");
    if (!remove) return tl::unexpected(remove.error());
    bind_text(remove->get(), 1, kind);
    bind_text(remove->get(), 2, key);
    const auto done = step(remove->get());
    if (!done) return tl::unexpected(done.error());
    return {};
}

}  // namespace lc::store
