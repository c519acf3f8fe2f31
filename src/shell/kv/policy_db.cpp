#include "shell/kv/policy_db.hpp"

#include <sqlite3.h>

#include <bit>
#include <cstring>

#include "shell/store/sqlite.hpp"

namespace lc::kv {

static_assert(std::endian::native == std::endian::little);

namespace {

constexpr std::string_view migrations[] = {R"(
CREATE TABLE learned(name TEXT PRIMARY KEY NOT NULL, at_ms INTEGER NOT NULL, numbers BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE writes(id INTEGER PRIMARY KEY CHECK (id = 1), day INTEGER NOT NULL, bytes INTEGER NOT NULL);
)"};
constexpr std::string_view hazard_name = "hazard 1";  ///< features and bins of another version have another number

tl::unexpected<Error> failed(const store::SqlError& error) {
    return fail(Errc::internal, "policy.db: " + error.text);
}

store::SqlResult<store::Db> try_open(const std::string& path) {
    auto db = store::open_db(path, store::Mode::create);
    if (!db) return db;
    const auto version = store::query_integer(db->get(), "PRAGMA user_version");
    if (!version) return tl::unexpected(version.error());
    if (*version > static_cast<std::int64_t>(std::size(migrations))) {
        return tl::unexpected(store::SqlError{SQLITE_NOTADB, "newer"});
    }
    if (auto done = store::migrate(db->get(), migrations); !done) return tl::unexpected(done.error());
    return db;
}

store::SqlResult<void> read_into(sqlite3* db, Learned& out) {
    auto query = store::prepare(db, "SELECT numbers FROM learned WHERE name = ?");
    if (!query) return tl::unexpected(query.error());
    store::bind_text(query->get(), 1, hazard_name);
    const auto row = store::step(query->get());
    if (!row) return tl::unexpected(row.error());
    if (*row) {
        const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(query->get(), 0));
        out.hazard.resize(bytes / sizeof(float));
        if (bytes > 0)
            std::memcpy(out.hazard.data(), sqlite3_column_blob(query->get(), 0), out.hazard.size() * sizeof(float));
    }
    auto writes = store::prepare(db, "SELECT day, bytes FROM writes");
    if (!writes) return tl::unexpected(writes.error());
    const auto today = store::step(writes->get());
    if (!today) return tl::unexpected(today.error());
    if (*today) {
        out.writes.day = sqlite3_column_int64(writes->get(), 0);
        out.writes.bytes = static_cast<std::uint64_t>(sqlite3_column_int64(writes->get(), 1));
    }
    return {};
}

}  // namespace

Result<Learned> load_learned(const std::string& path) {
    Learned out;
    store::SqlError error;
    {
        auto db = try_open(path);
        const auto done = db ? read_into(db->get(), out) : store::SqlResult<void>(tl::unexpected(db.error()));
        if (done) return out;
        error = done.error();
    }
    if (!store::is_damage(error)) return failed(error);
    const auto aside = store::set_aside(path, error.text == "newer" ? "newer" : "damaged");
    if (!aside) return failed(aside.error());
    const auto fresh = try_open(path);
    if (!fresh) return failed(fresh.error());
    return Learned{{}, {}, *aside};
}

Result<void> save_learned(const std::string& path, const Learned& learned, std::int64_t now_ms) {
    auto db = try_open(path);
    if (!db) return failed(db.error());
    if (auto begun = store::execute(db->get(), "BEGIN IMMEDIATE"); !begun) return failed(begun.error());
    const auto write = [&]() -> store::SqlResult<void> {
        auto put = store::prepare(db->get(), "INSERT OR REPLACE INTO learned(name, at_ms, numbers) VALUES (?, ?, ?)");
        if (!put) return tl::unexpected(put.error());
        store::bind_text(put->get(), 1, hazard_name);
        store::bind_integer(put->get(), 2, now_ms);
        sqlite3_bind_blob(put->get(), 3, learned.hazard.data(), static_cast<int>(learned.hazard.size() * sizeof(float)),
                          SQLITE_STATIC);
        if (auto done = store::step(put->get()); !done) return tl::unexpected(done.error());
        auto writes = store::prepare(db->get(), "INSERT OR REPLACE INTO writes(id, day, bytes) VALUES (1, ?, ?)");
        if (!writes) return tl::unexpected(writes.error());
        store::bind_integer(writes->get(), 1, learned.writes.day);
        store::bind_integer(writes->get(), 2, static_cast<std::int64_t>(learned.writes.bytes));
        if (auto done = store::step(writes->get()); !done) return tl::unexpected(done.error());
        return {};
    };
    const auto done = write();
    const auto ended = store::execute(db->get(), done ? "COMMIT" : "ROLLBACK");
    if (!done) return failed(done.error());
    if (!ended) return failed(ended.error());
    return {};
}

}  // namespace lc::kv
