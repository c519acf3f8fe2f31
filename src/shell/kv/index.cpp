#include "shell/kv/index.hpp"

#include <sqlite3.h>

#include "core/kv/wire.hpp"

namespace lc::kv {

namespace {

using store::Statement;

constexpr std::string_view migrations[] = {R"(
CREATE TABLE blobs(id INTEGER PRIMARY KEY, name BLOB NOT NULL, kind INTEGER NOT NULL, parent INTEGER NOT NULL,
                   bytes INTEGER NOT NULL, used INTEGER NOT NULL);
CREATE UNIQUE INDEX blobs_by_name ON blobs(name, kind);
CREATE INDEX blobs_by_parent ON blobs(parent);
CREATE TABLE states(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, name_space BLOB NOT NULL, scope BLOB NOT NULL,
                    session TEXT NOT NULL, model TEXT NOT NULL, tokens INTEGER NOT NULL, bytes INTEGER NOT NULL,
                    saved_ms INTEGER NOT NULL, used INTEGER NOT NULL, used_ms INTEGER NOT NULL);
CREATE INDEX states_by_session ON states(session, scope);
CREATE TABLE refs(state INTEGER NOT NULL, blob INTEGER NOT NULL, PRIMARY KEY(state, blob)) WITHOUT ROWID;
CREATE INDEX refs_by_blob ON refs(blob);
CREATE TABLE keys(scope BLOB NOT NULL, key BLOB NOT NULL, state INTEGER NOT NULL, tokens INTEGER NOT NULL,
                  PRIMARY KEY(scope, key, state)) WITHOUT ROWID;
CREATE INDEX keys_by_state ON keys(state);
)"};

constexpr std::size_t short_key = 16;

tl::unexpected<Error> error_of_sql(const store::SqlError& error) {
    return fail(error.code == SQLITE_FULL ? Errc::overloaded : Errc::internal, "kv.db: " + error.text);
}

void bind_blob(sqlite3_stmt* statement, int index, std::string_view bytes) {
    sqlite3_bind_blob(statement, index, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
}

Digest column_digest(sqlite3_stmt* statement, int column) {
    Digest out{};
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    if (size == out.size()) std::memcpy(out.data(), sqlite3_column_blob(statement, column), size);
    return out;
}

store::SqlResult<sqlite3_stmt*> prepared(Index& index, std::string_view sql) {
    if (const auto found = index.statements.find(sql); found != index.statements.end()) return found->second.get();
    auto statement = store::prepare(index.db.get(), sql);
    if (!statement) return tl::unexpected(statement.error());
    return index.statements.emplace(sql, std::move(*statement)).first->second.get();
}

/// Runs one statement: `bind(statement)`, then `row(statement)` for each row. Not from within its own rows.
template <class Bind, class Row>
Result<void> run(Index& index, std::string_view sql, Bind&& bind, Row&& row) {
    const auto statement = prepared(index, sql);
    if (!statement) return error_of_sql(statement.error());
    bind(*statement);
    while (true) {
        const auto more = store::step(*statement);
        if (more && *more) {
            row(*statement);
            continue;
        }
        store::rewind(*statement);  // also after an error: it must not keep a lock
        if (more) return {};
        return error_of_sql(more.error());
    }
}
template <class Bind>
Result<void> run(Index& index, std::string_view sql, Bind&& bind) {
    return run(index, sql, bind, [](sqlite3_stmt*) {});
}

std::string_view key_prefix(const Digest& key) {
    return view_of(key).substr(0, short_key);
}

BlobRow blob_row(sqlite3_stmt* s) {
    return {sqlite3_column_int64(s, 0),
            {static_cast<BlobKind>(sqlite3_column_int(s, 2)), column_digest(s, 1)},
            sqlite3_column_int64(s, 3),
            static_cast<std::uint64_t>(sqlite3_column_int64(s, 4)),
            static_cast<std::uint64_t>(sqlite3_column_int64(s, 5))};
}

StateRow state_row(sqlite3_stmt* s) {
    StateRow row;
    row.id = sqlite3_column_int64(s, 0);
    row.name = column_digest(s, 1);
    row.name_space = column_digest(s, 2);
    row.session = store::column_text(s, 3);
    row.model = store::column_text(s, 4);
    row.n_tokens = static_cast<std::uint32_t>(sqlite3_column_int64(s, 5));
    row.bytes = static_cast<std::uint64_t>(sqlite3_column_int64(s, 6));
    row.saved_ms = sqlite3_column_int64(s, 7);
    row.used = static_cast<std::uint64_t>(sqlite3_column_int64(s, 8));
    row.used_ms = sqlite3_column_int64(s, 9);
    return row;
}

#define STATE_COLUMNS "SELECT id, name, name_space, session, model, tokens, bytes, saved_ms, used, used_ms FROM states "

store::SqlResult<Index> try_open(const std::string& path) {
    auto db = store::open_db(path, store::Mode::create);
    if (!db) return tl::unexpected(db.error());
    for (const char* sql : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -32000",
                            "PRAGMA quick_check(1)"}) {
        auto statement = store::prepare(db->get(), sql);
        if (!statement) return tl::unexpected(statement.error());
        auto row = store::step(statement->get());
        if (!row) return tl::unexpected(row.error());
        const bool check = std::string_view(sql).find("check") != std::string_view::npos;
        if (check && *row && store::column_text(statement->get(), 0) != "ok") {
            return tl::unexpected(store::SqlError{SQLITE_CORRUPT, "damaged"});
        }
    }
    const auto version = store::query_integer(db->get(), "PRAGMA user_version");
    if (!version) return tl::unexpected(version.error());
    if (*version > static_cast<std::int64_t>(std::size(migrations))) {
        return tl::unexpected(store::SqlError{SQLITE_NOTADB, "newer"});
    }
    if (auto done = store::migrate(db->get(), migrations); !done) return tl::unexpected(done.error());
    const auto used = store::query_integer(
        db->get(),
        "SELECT max(coalesce((SELECT max(used) FROM blobs), 0), coalesce((SELECT max(used) FROM states), 0))");
    if (!used) return tl::unexpected(used.error());
    return Index{std::move(*db), *used};
}

}  // namespace

Digest key_scope(const Scope& scope, const Digest& rendering) {
    return Sha256()
        .update(view_of(scope.name_space))
        .update(view_of(scope.identity))
        .update(view_of(rendering))
        .finish();
}

Result<OpenedIndex> open_index(const std::string& path) {
    auto index = try_open(path);
    if (index) return OpenedIndex{std::move(*index), {}};
    if (!store::is_damage(index.error())) return error_of_sql(index.error());
    const auto aside = store::set_aside(path, index.error().text == "newer" ? "newer" : "damaged");
    if (!aside) return error_of_sql(aside.error());
    index = try_open(path);
    if (!index) return error_of_sql(index.error());
    return OpenedIndex{std::move(*index), *aside};
}

Result<std::optional<BlobRow>> find_blob(Index& index, const BlobId& id) {
    std::optional<BlobRow> out;
    const auto done = run(
        index, "SELECT id, name, kind, parent, bytes, used FROM blobs WHERE name = ? AND kind = ?",
        [&](sqlite3_stmt* s) {
            bind_blob(s, 1, view_of(id.name));
            store::bind_integer(s, 2, static_cast<std::int64_t>(id.kind));
        },
        [&](sqlite3_stmt* s) { out = blob_row(s); });
    if (!done) return tl::unexpected(done.error());
    return out;
}

Result<std::int64_t> add_blob(Index& index, const BlobId& id, std::int64_t parent, std::uint64_t bytes) {
    const auto done =
        run(index, "INSERT INTO blobs(name, kind, parent, bytes, used) VALUES (?, ?, ?, ?, ?)", [&](sqlite3_stmt* s) {
            bind_blob(s, 1, view_of(id.name));
            store::bind_integer(s, 2, static_cast<std::int64_t>(id.kind));
            store::bind_integer(s, 3, parent);
            store::bind_integer(s, 4, static_cast<std::int64_t>(bytes));
            store::bind_integer(s, 5, ++index.used);
        });
    if (!done) return tl::unexpected(done.error());
    return sqlite3_last_insert_rowid(index.db.get());
}

Result<void> remove_blob(Index& index, std::int64_t id) {
    return run(index, "DELETE FROM blobs WHERE id = ?", [&](sqlite3_stmt* s) { store::bind_integer(s, 1, id); });
}

Result<std::optional<StateRow>> find_state(Index& index, const Digest& name) {
    std::optional<StateRow> out;
    const auto done = run(
        index, STATE_COLUMNS "WHERE name = ?", [&](sqlite3_stmt* s) { bind_blob(s, 1, view_of(name)); },
        [&](sqlite3_stmt* s) { out = state_row(s); });
    if (!done) return tl::unexpected(done.error());
    return out;
}

Result<std::int64_t> add_state(Index& index, const ParsedManifest& manifest, std::uint64_t bytes,
                               std::span<const std::int64_t> refs, std::int64_t now_ms) {
    const Manifest& m = manifest.manifest;
    const Digest scope = key_scope(m.scope, m.rendering);
    auto done =
        run(index,
            "INSERT INTO states(name, name_space, scope, session, model, tokens, bytes, saved_ms, used, used_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [&](sqlite3_stmt* s) {
                bind_blob(s, 1, view_of(manifest.name));
                bind_blob(s, 2, view_of(m.scope.name_space));
                bind_blob(s, 3, view_of(scope));
                store::bind_text(s, 4, m.session);
                store::bind_text(s, 5, m.model);
                store::bind_integer(s, 6, static_cast<std::int64_t>(m.tokens.size()));
                store::bind_integer(s, 7, static_cast<std::int64_t>(bytes));
                store::bind_integer(s, 8, m.saved_ms);
                store::bind_integer(s, 9, ++index.used);
                store::bind_integer(s, 10, now_ms);
            });
    if (!done) return tl::unexpected(done.error());
    const std::int64_t id = sqlite3_last_insert_rowid(index.db.get());
    for (const std::int64_t blob : refs) {
        done = run(index, "INSERT OR IGNORE INTO refs(state, blob) VALUES (?, ?)", [&](sqlite3_stmt* s) {
            store::bind_integer(s, 1, id);
            store::bind_integer(s, 2, blob);
        });
        if (!done) return tl::unexpected(done.error());
    }
    for (const StateKey& key : m.keys) {
        done = run(index, "INSERT OR IGNORE INTO keys(scope, key, state, tokens) VALUES (?, ?, ?, ?)",
                   [&](sqlite3_stmt* s) {
                       bind_blob(s, 1, view_of(scope));
                       bind_blob(s, 2, key_prefix(key.key));
                       store::bind_integer(s, 3, id);
                       store::bind_integer(s, 4, static_cast<std::int64_t>(key.n_tokens));
                   });
        if (!done) return tl::unexpected(done.error());
    }
    return id;
}

Result<void> remove_state(Index& index, std::int64_t id) {
    for (const char* sql :
         {"DELETE FROM keys WHERE state = ?", "DELETE FROM refs WHERE state = ?", "DELETE FROM states WHERE id = ?"}) {
        if (auto done = run(index, sql, [&](sqlite3_stmt* s) { store::bind_integer(s, 1, id); }); !done) return done;
    }
    return {};
}

Result<void> touch_state(Index& index, std::int64_t id, std::int64_t now_ms) {
    const std::int64_t used = ++index.used;
    return run(index, "UPDATE states SET used = ?, used_ms = max(used_ms, ?) WHERE id = ?", [&](sqlite3_stmt* s) {
        store::bind_integer(s, 1, used);
        store::bind_integer(s, 2, now_ms);
        store::bind_integer(s, 3, id);
    });
}

Result<std::optional<KeyHit>> find_key(Index& index, const Digest& scope, const Digest& key) {
    std::optional<KeyHit> out;
    const auto done = run(
        index,
        "SELECT states.name, keys.tokens FROM keys JOIN states ON states.id = keys.state "
        "WHERE keys.scope = ? AND keys.key = ? ORDER BY keys.state DESC LIMIT 1",
        [&](sqlite3_stmt* s) {
            bind_blob(s, 1, view_of(scope));
            bind_blob(s, 2, key_prefix(key));
        },
        [&](sqlite3_stmt* s) {
            out = KeyHit{column_digest(s, 0), static_cast<std::uint32_t>(sqlite3_column_int64(s, 1))};
        });
    if (!done) return tl::unexpected(done.error());
    return out;
}

Result<std::vector<std::int64_t>> states_needing(Index& index, std::int64_t blob) {
    std::vector<std::int64_t> out;
    const auto done = run(
        index,
        "WITH RECURSIVE later(id) AS (VALUES (?1) UNION SELECT blobs.id FROM blobs JOIN later ON blobs.parent = "
        "later.id) "
        "SELECT DISTINCT state FROM refs WHERE blob IN (SELECT id FROM later)",
        [&](sqlite3_stmt* s) { store::bind_integer(s, 1, blob); },
        [&](sqlite3_stmt* s) { out.push_back(sqlite3_column_int64(s, 0)); });
    if (!done) return tl::unexpected(done.error());
    return out;
}

Result<std::vector<BlobRow>> all_blobs(Index& index) {
    std::vector<BlobRow> out;
    const auto done = run(
        index, "SELECT id, name, kind, parent, bytes, used FROM blobs ORDER BY id", [](sqlite3_stmt*) {},
        [&](sqlite3_stmt* s) { out.push_back(blob_row(s)); });
    if (!done) return tl::unexpected(done.error());
    return out;
}

Result<std::vector<StateRow>> all_states(Index& index) {
    std::vector<StateRow> out;
    auto done = run(
        index, STATE_COLUMNS "ORDER BY id", [](sqlite3_stmt*) {},
        [&](sqlite3_stmt* s) { out.push_back(state_row(s)); });
    if (!done) return tl::unexpected(done.error());
    std::size_t at = 0;
    done = run(
        index, "SELECT state, blob FROM refs ORDER BY state, blob", [](sqlite3_stmt*) {},
        [&](sqlite3_stmt* s) {
            const std::int64_t state = sqlite3_column_int64(s, 0);
            while (at < out.size() && out[at].id < state) ++at;
            if (at < out.size() && out[at].id == state) out[at].refs.push_back(sqlite3_column_int64(s, 1));
        });
    if (!done) return tl::unexpected(done.error());
    return out;
}

Result<std::vector<StateRow>> states_of_session(Index& index, const Digest& scope, std::string_view session) {
    std::vector<StateRow> out;
    const auto done = run(
        index, STATE_COLUMNS "WHERE session = ? AND scope = ?",
        [&](sqlite3_stmt* s) {
            store::bind_text(s, 1, session);
            bind_blob(s, 2, view_of(scope));
        },
        [&](sqlite3_stmt* s) { out.push_back(state_row(s)); });
    if (!done) return tl::unexpected(done.error());
    return out;
}

Result<std::optional<StateRow>> newest_of_session(Index& index, const Digest& name_space, std::string_view session) {
    std::optional<StateRow> out;
    const auto done = run(
        index, STATE_COLUMNS "WHERE session = ? AND name_space = ? ORDER BY used DESC LIMIT 1",
        [&](sqlite3_stmt* s) {
            store::bind_text(s, 1, session);
            bind_blob(s, 2, view_of(name_space));
        },
        [&](sqlite3_stmt* s) { out = state_row(s); });
    if (!done) return tl::unexpected(done.error());
    return out;
}

Result<std::uint64_t> total_bytes(Index& index) {
    const auto sum = store::query_integer(index.db.get(),
                                          "SELECT coalesce((SELECT sum(bytes) FROM blobs), 0) + "
                                          "coalesce((SELECT sum(bytes) FROM states), 0)");
    if (!sum) return error_of_sql(sum.error());
    return static_cast<std::uint64_t>(*sum);
}

}  // namespace lc::kv
