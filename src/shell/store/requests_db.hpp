// requests.db: what is remembered of each request. One writer thread behind a bounded queue, so that the network thread
// never waits for a disk; readers for `localcode requests`.
//
// On disk: SQLite in WAL mode, mode 0600, `user_version` 2, the tables
//   requests(id TEXT PRIMARY KEY, unix_ms INTEGER, model, session, kind TEXT, status INTEGER, error_code, record TEXT)
// where `record` is the whole record but its bodies as JSON (record_json.hpp) and the other columns are what one searches
// by, and, for the records that have bodies,
//   bodies(id TEXT PRIMARY KEY, request, response BLOB)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/log/record.hpp"

namespace lc::store {

struct Retention {
    std::int64_t days = 30;
    std::int64_t max_bytes = 256 << 20;  ///< of the database's content; the oldest tenth goes when it is exceeded
};

/// Lines for the log: a database set aside, writing failed (once an episode), writing works again. Called from `open`
/// and from the writer thread.
using Report = std::function<void(std::string_view line)>;

class RequestsDb;
struct RequestsDbDeleter {
    void operator()(RequestsDb* db) const;  ///< closes it
};
using RequestsDbPtr = std::unique_ptr<RequestsDb, RequestsDbDeleter>;

struct Tuning {
    std::size_t queue_limit = 4096;                ///< records; their memory is bounded besides
    std::chrono::milliseconds retry_after{5'000};  ///< while the disk refuses
};

/// Opens or makes the database. One of a newer version, or one that is damaged, is renamed aside, never written to.
/// Errors: internal, when the folder cannot be written; the gateway can do without.
[[nodiscard]] Result<RequestsDbPtr> open(const std::string& path, Retention retention, Report report = {},
                                         Tuning tuning = {});

/// Any thread; never waits for the disk. When the queue is full its oldest record is dropped and counted. While the
/// disk is full or read-only the writer tries again every few seconds.
void append(RequestsDb& db, log::RequestRecord record);

/// Waits until what was appended so far is written, or could not be. Any thread.
void flush(RequestsDb& db);

/// Writes what is queued (one attempt) and ends the thread.
void close(RequestsDbPtr db);

struct Stats {
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;  ///< never written: queue full, or the disk failed until the end
    std::size_t queued = 0;
    std::string last_error;  ///< of the present episode; empty: writing works
};
[[nodiscard]] Stats stats(const RequestsDb& db);

/// Empty members: any.
struct Filter {
    std::string model;  ///< the one used, or the one asked for when none was
    std::string session;
    std::string kind;
    bool errors = false;  ///< only requests that failed
};

/// The newest first. A missing database has no records; internal when it cannot be read, unsupported when it is of a
/// newer version. Works beside a running gateway.
[[nodiscard]] Result<std::vector<log::RequestRecord>> recent(const std::string& path, const Filter& filter,
                                                             std::size_t limit);

/// All records without bodies, the oldest first, until `take` says false. Errors as `recent`; not_found: no database.
[[nodiscard]] Result<void> each(const std::string& path, const std::function<bool(log::RequestRecord&&)>& take);

/// With its bodies, where they were kept. By id, or by the beginning or end of one. not_found, or bad_request when several match.
[[nodiscard]] Result<log::RequestRecord> find(const std::string& path, std::string_view id);

}  // namespace lc::store
