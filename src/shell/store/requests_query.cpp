// Readers of requests.db; they open it read-only, beside a writer or without one.
#include <unistd.h>

#include "shell/store/record_json.hpp"
#include "shell/store/requests_db.hpp"
#include "shell/store/requests_schema.hpp"

namespace lc::store {

using log::RequestRecord;

namespace {

/// A null handle: there is no database yet.
Result<Db> open_reader(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) return Db{};
    const auto failed = [&](const SqlError& error) {
        return fail(Errc::internal, "the request log cannot be read: " + error.text);
    };
    auto db = open_db(path, Mode::read_only);
    if (!db) return failed(db.error());
    const auto version = query_integer(db->get(), "PRAGMA user_version");
    if (!version) return failed(version.error());
    if (*version > schema_version()) {
        return fail(Errc::unsupported, path + " was written by a newer version of LocalCode");
    }
    if (*version == 0) return Db{};  // made, but its first migration is still to come
    return std::move(*db);
}

Result<std::vector<RequestRecord>> read_all(sqlite3_stmt* statement) {
    std::vector<RequestRecord> out;
    while (true) {
        const auto row = step(statement);
        if (!row) return fail(Errc::internal, "the request log cannot be read: " + row.error().text);
        if (!*row) return out;
        auto record = record_from_json(column_text(statement, 0));
        if (!record) return tl::unexpected(record.error());
        out.push_back(std::move(*record));
    }
}

Result<RequestRecord> with_bodies(sqlite3* db, RequestRecord record) {
    const auto failed = [](const SqlError& error) {
        return fail(Errc::internal, "the request log cannot be read: " + error.text);
    };
    // One that was written before there were bodies, and that no writer has opened since, has no such table.
    const auto version = query_integer(db, "PRAGMA user_version");
    if (!version) return failed(version.error());
    if (*version < 2) return record;
    auto query = prepare(db, "SELECT request, response FROM bodies WHERE id = ?1");
    if (!query) return failed(query.error());
    bind_text(query->get(), 1, record.id);
    const auto row = step(query->get());
    if (!row) return failed(row.error());
    if (*row) {
        record.request_body = column_text(query->get(), 0);
        record.response_body = column_text(query->get(), 1);
    }
    return record;
}

}  // namespace

Result<std::vector<RequestRecord>> recent(const std::string& path, const Filter& filter, std::size_t limit) {
    auto db = open_reader(path);
    if (!db) return tl::unexpected(db.error());
    if (!*db) return std::vector<RequestRecord>{};
    auto query = prepare(db->get(),
                         "SELECT record FROM requests WHERE (?1 = '' OR model = ?1) AND (?2 = '' OR session = ?2)"
                         " AND (?3 = '' OR kind = ?3) AND (?4 = 0 OR error_code <> '' OR status >= 400)"
                         " ORDER BY unix_ms DESC, id DESC LIMIT ?5");
    if (!query) return fail(Errc::internal, "the request log cannot be read: " + query.error().text);
    bind_text(query->get(), 1, filter.model);
    bind_text(query->get(), 2, filter.session);
    bind_text(query->get(), 3, filter.kind);
    bind_integer(query->get(), 4, static_cast<std::int64_t>(filter.errors));
    bind_integer(query->get(), 5, static_cast<std::int64_t>(limit));
    return read_all(query->get());
}

Result<void> each(const std::string& path, const std::function<bool(RequestRecord&&)>& take) {
    auto db = open_reader(path);
    if (!db) return tl::unexpected(db.error());
    if (!*db) return fail(Errc::not_found, "there is no request log at " + path);
    auto query = prepare(db->get(), "SELECT record FROM requests ORDER BY unix_ms, id");
    if (!query) return fail(Errc::internal, "the request log cannot be read: " + query.error().text);
    while (true) {
        const auto row = step(query->get());
        if (!row) return fail(Errc::internal, "the request log cannot be read: " + row.error().text);
        if (!*row) return {};
        auto record = record_from_json(column_text(query->get(), 0));
        if (!record) return tl::unexpected(record.error());
        if (!take(std::move(*record))) return {};
    }
}

Result<RequestRecord> find(const std::string& path, std::string_view id) {
    auto db = open_reader(path);
    if (!db) return tl::unexpected(db.error());
    const auto missing = [&] { return fail(Errc::not_found, "no request '" + std::string(id) + "' is in the log"); };
    if (!*db || id.empty()) return missing();
    auto query = prepare(db->get(),
                         "SELECT record FROM requests WHERE id = ?1 OR substr(id, 1, length(?1)) = ?1"
                         " OR substr(id, -length(?1)) = ?1 ORDER BY id <> ?1, unix_ms DESC LIMIT 3");
    if (!query) return fail(Errc::internal, "the request log cannot be read: " + query.error().text);
    bind_text(query->get(), 1, id);
    auto found = read_all(query->get());
    if (!found) return tl::unexpected(found.error());
    if (found->empty()) return missing();
    if (found->size() > 1 && found->front().id != id) {
        return fail(Errc::bad_request, "'" + std::string(id) + "' is part of several ids; give more of it");
    }
    return with_bodies(db->get(), std::move(found->front()));
}

}  // namespace lc::store
