#include "shell/store/requests_schema.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "shell/store/record_json.hpp"

namespace lc::store {

namespace {

using log::RequestRecord;

constexpr std::array<std::string_view, 2> migrations = {
    "CREATE TABLE requests(id TEXT PRIMARY KEY NOT NULL, unix_ms INTEGER NOT NULL, model TEXT NOT NULL,"
    " session TEXT NOT NULL, kind TEXT NOT NULL, status INTEGER NOT NULL, error_code TEXT NOT NULL,"
    " record TEXT NOT NULL);"
    "CREATE INDEX requests_time ON requests(unix_ms);"
    "CREATE INDEX requests_session ON requests(session, unix_ms)",
    // Apart from the records, so that a list of those does not read them; they go with their record.
    "CREATE TABLE bodies(id TEXT PRIMARY KEY NOT NULL, request BLOB NOT NULL, response BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TRIGGER bodies_end AFTER DELETE ON requests BEGIN DELETE FROM bodies WHERE id = old.id; END",
};

std::int64_t unix_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

SqlResult<std::int64_t> version_of(const std::string& path) {
    auto db = open_db(path, Mode::read_only);
    if (!db) return tl::unexpected(db.error());
    // Reading the schema is what notices that the file is no database.
    auto tables = query_integer(db->get(), "SELECT count(*) FROM sqlite_schema");
    if (!tables) return tables;
    return query_integer(db->get(), "PRAGMA user_version");
}

/// Renames what cannot be used and says so; leaves a good or missing database alone.
SqlResult<void> clear_the_way(const std::string& path, const Report& report) {
    if (::access(path.c_str(), F_OK) != 0) return {};
    const auto version = version_of(path);
    std::string why;
    if (version && *version <= schema_version()) return {};
    if (version) {
        why = "is of a newer version (" + std::to_string(*version) + ") than this program knows";
    } else if (is_damage(version.error())) {
        why = "is damaged (" + version.error().text + ")";
    } else {
        return tl::unexpected(version.error());
    }
    const auto moved = set_aside(path, version ? "v" + std::to_string(*version) : "damaged");
    if (!moved) return tl::unexpected(moved.error());
    if (report) report(file_name(path) + " " + why + "; it was set aside as " + *moved + ", a new one begins");
    return {};
}

}  // namespace

SqlResult<Db> open_writer(const std::string& path, const Report& report) {
    if (auto cleared = clear_the_way(path, report); !cleared) return tl::unexpected(cleared.error());
    auto db = open_db(path, Mode::create);
    if (!db) return db;
    // auto_vacuum must be chosen before the first table is made.
    auto ready = execute(db->get(),
                         "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                         "PRAGMA journal_size_limit = 4194304; PRAGMA temp_store = MEMORY");
    if (ready) ready = migrate(db->get(), migrations);
    if (!ready) return tl::unexpected(ready.error());
    return db;
}

SqlResult<void> write_batch(sqlite3* db, const std::deque<RequestRecord>& batch) {
    auto insert =
        prepare(db,
                "INSERT OR REPLACE INTO requests(id, unix_ms, model, session, kind, status, error_code, record)"
                " VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return tl::unexpected(insert.error());
    auto bodies = prepare(db, "INSERT OR REPLACE INTO bodies(id, request, response) VALUES(?, ?, ?)");
    if (!bodies) return tl::unexpected(bodies.error());
    auto done = execute(db, "BEGIN IMMEDIATE");
    for (auto record = batch.begin(); done && record != batch.end(); ++record) {
        sqlite3_stmt* s = insert->get();
        rewind(s);
        bind_text(s, 1, record->id);
        bind_integer(s, 2, record->unix_ms);
        bind_text(s, 3, record->model_used.empty() ? record->model_asked : record->model_used);
        bind_text(s, 4, record->session);
        bind_text(s, 5, record->kind);
        bind_integer(s, 6, static_cast<std::int64_t>(record->status));
        bind_text(s, 7, record->error_code);
        bind_text(s, 8, to_json_without_bodies(*record));
        if (auto stepped = step(s); !stepped) done = tl::unexpected(stepped.error());
        if (!done || (record->request_body.empty() && record->response_body.empty())) continue;
        rewind(bodies->get());
        bind_text(bodies->get(), 1, record->id);
        bind_text(bodies->get(), 2, record->request_body);
        bind_text(bodies->get(), 3, record->response_body);
        if (auto stepped = step(bodies->get()); !stepped) done = tl::unexpected(stepped.error());
    }
    insert->reset();
    bodies->reset();
    if (done) done = execute(db, "COMMIT");
    if (!done) sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);  // `done` holds the error that matters
    return done;
}

namespace {
SqlResult<std::int64_t> content_bytes(sqlite3* db) {
    return query_integer(
        db,
        "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count,"
        " pragma_page_size");
}

}  // namespace

SqlResult<void> trim(sqlite3* db, const Retention& retention) {
    const std::int64_t oldest = unix_ms() - retention.days * 86'400'000;
    auto done = execute(db, "DELETE FROM requests WHERE unix_ms < " + std::to_string(oldest));
    while (done) {
        const auto bytes = content_bytes(db);
        const auto count = query_integer(db, "SELECT count(*) FROM requests");
        if (!bytes) return tl::unexpected(bytes.error());
        if (!count) return tl::unexpected(count.error());
        if (*bytes <= retention.max_bytes || *count == 0) break;
        done = execute(db, "DELETE FROM requests WHERE id IN (SELECT id FROM requests ORDER BY unix_ms, id LIMIT " +
                               std::to_string(*count / 10 + 1) + ")");
    }
    if (done) done = execute(db, "PRAGMA incremental_vacuum");
    return done;
}

std::int64_t schema_version() {
    return static_cast<std::int64_t>(migrations.size());
}

std::string file_name(const std::string& path) {
    return path.substr(path.find_last_of('/') + 1);
}

}  // namespace lc::store
