#include "shell/store/requests_db.hpp"

#include <sqlite3.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "shell/store/requests_schema.hpp"
#include "shell/store/sqlite.hpp"

namespace lc::store {

namespace {

using log::RequestRecord;
using Clock = std::chrono::steady_clock;

constexpr std::size_t batch_limit = 256;  // records in one transaction
constexpr std::chrono::milliseconds gathering{
    20};  // records that come close together share a transaction and a wake-up
constexpr std::size_t queue_bytes_limit = 32u << 20;
constexpr std::uint64_t trim_every = 256;  // records between two looks at size and age
constexpr std::chrono::minutes trim_interval{10};

/// What a record takes in memory, roughly: previews of long histories make some a hundred times larger than others.
std::size_t weight(const RequestRecord& record) {
    std::size_t bytes = 1024 + record.tools.size() * 64 + record.error_detail.size() + record.request_body.size() +
                        record.response_body.size();
    for (const auto& message : record.messages) {
        bytes += sizeof message + message.preview.size() + message.calls.size() * 64;
    }
    for (const auto& call : record.calls) bytes += sizeof call + call.arguments.size();
    return bytes;
}

}  // namespace

class RequestsDb {
  public:
    std::string path;
    Retention retention;
    Report report;
    Tuning tuning;

    mutable std::mutex mutex;  // guards what follows, up to `thread`
    std::condition_variable wake, idle;
    std::deque<RequestRecord> queue;
    std::size_t queue_bytes = 0;
    bool stop = false;
    bool hurry = false;          // somebody waits in flush
    bool writing = false;        // a batch is in the writer's hands
    std::uint64_t attempts = 0;  // batches tried, well or badly: what flush waits for
    Stats stats;

    std::thread thread;
    Db db;                         // the writer's; null while it cannot be opened
    std::uint64_t since_trim = 0;  // the writer's
    Clock::time_point trimmed{};   // the writer's
};

namespace {

RequestRecord pop(RequestsDb& self) {
    RequestRecord record = std::move(self.queue.front());
    self.queue.pop_front();
    self.queue_bytes -= weight(record);
    return record;
}

bool room_for(const RequestsDb& self, std::size_t bytes) {
    return self.queue.empty() ||
           (self.queue.size() < self.tuning.queue_limit && self.queue_bytes + bytes <= queue_bytes_limit);
}

bool worth_retrying(const SqlError& error) {
    switch (error.code) {
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_NOMEM:
        case SQLITE_PERM: return true;
        default: return false;
    }
}

/// Writes the batch, opening the database again where it must be.
SqlResult<void> try_batch(RequestsDb& self, const std::deque<RequestRecord>& batch) {
    for (int round = 0;; ++round) {
        if (!self.db) {
            auto opened = open_writer(self.path, self.report);
            if (!opened) return tl::unexpected(opened.error());
            self.db = std::move(*opened);
        }
        auto done = write_batch(self.db.get(), batch);
        if (done) return done;
        if (!is_damage(done.error())) return done;
        // Found damaged while running: set aside like at the start, and begin anew, once.
        self.db.reset();
        const auto moved = set_aside(self.path, "damaged");
        if (moved && self.report) {
            self.report(file_name(self.path) + " is damaged (" + done.error().text + "); it was set aside as " +
                        *moved + ", a new one begins");
        }
        if (!moved || round > 0) return done;
    }
}

/// Called by the writer without the lock.
void trim_when_due(RequestsDb& self, std::size_t written) {
    self.since_trim += written;
    const auto now = Clock::now();
    if (!self.db || (self.since_trim < trim_every && now - self.trimmed < trim_interval)) return;
    self.since_trim = 0;
    self.trimmed = now;
    if (const auto done = trim(self.db.get(), self.retention); !done && self.report) {
        self.report(file_name(self.path) + ": old records could not be removed: " + done.error().text);
    }
}

/// Books the outcome of a batch. Returns the line to report, empty for none. Called with the lock held.
std::string book(RequestsDb& self, const SqlResult<void>& done, std::deque<RequestRecord>& batch) {
    std::string line;
    const std::string name = file_name(self.path);
    if (done) {
        if (!self.stats.last_error.empty()) {
            line = name + ": writing works again; " + std::to_string(self.stats.dropped) + " records were lost so far";
        }
        self.stats.last_error.clear();
        self.stats.written += batch.size();
        return line;
    }
    if (self.stats.last_error.empty()) {
        line = name + " cannot be written, the gateway goes on without: " + done.error().text;
    }
    self.stats.last_error = done.error().text;
    if (self.stop || !worth_retrying(done.error())) {
        self.stats.dropped += batch.size();
        return line;
    }
    // Back to the front; what does not fit any more is the oldest.
    while (!batch.empty()) {
        const std::size_t bytes = weight(batch.back());
        if (room_for(self, bytes)) {
            self.queue_bytes += bytes;
            self.queue.push_front(std::move(batch.back()));
        } else {
            ++self.stats.dropped;
        }
        batch.pop_back();
    }
    return line;
}

void write_loop(RequestsDb& self) {
    std::unique_lock lock(self.mutex);
    while (true) {
        self.wake.wait(lock, [&] { return self.stop || !self.queue.empty(); });
        if (self.queue.empty()) break;
        self.wake.wait_for(lock, gathering,
                           [&] { return self.stop || self.hurry || self.queue.size() >= batch_limit; });
        self.hurry = false;
        std::deque<RequestRecord> batch;
        while (!self.queue.empty() && batch.size() < batch_limit) {
            batch.push_back(pop(self));
        }
        self.writing = true;
        const std::size_t size = batch.size();
        lock.unlock();
        const auto done = try_batch(self, batch);
        if (done) trim_when_due(self, size);
        lock.lock();
        const std::string line = book(self, done, batch);
        // Told before `flush` returns: who waited for the outcome has also seen the report of it.
        if (!line.empty() && self.report) {
            lock.unlock();
            self.report(line);
            lock.lock();
        }
        self.writing = false;
        ++self.attempts;
        self.idle.notify_all();
        if (!done) self.wake.wait_for(lock, self.tuning.retry_after, [&] { return self.stop; });
    }
}

void stop_and_join(RequestsDb& self) {
    {
        const std::lock_guard lock(self.mutex);
        self.stop = true;
    }
    self.wake.notify_all();
    if (self.thread.joinable()) self.thread.join();
}

}  // namespace

void RequestsDbDeleter::operator()(RequestsDb* db) const {
    if (db == nullptr) return;
    stop_and_join(*db);
    delete db;
}

Result<RequestsDbPtr> open(const std::string& path, Retention retention, Report report, Tuning tuning) {
    auto db = open_writer(path, report);
    if (!db) return fail(Errc::internal, "the request log cannot be opened: " + db.error().text);
    RequestsDbPtr self(new RequestsDb);
    self->path = path;
    self->retention = retention;
    self->report = std::move(report);
    self->tuning = tuning;
    self->db = std::move(*db);
    // At the start too, so that a lowered limit takes effect without waiting for traffic.
    trim_when_due(*self, trim_every);
    self->thread = std::thread([raw = self.get()] { write_loop(*raw); });
    return self;
}

void append(RequestsDb& db, RequestRecord record) {
    const std::size_t bytes = weight(record);
    bool wake = false;
    {
        const std::lock_guard lock(db.mutex);
        while (!room_for(db, bytes)) {
            pop(db);
            ++db.stats.dropped;
        }
        db.queue_bytes += bytes;
        db.queue.push_back(std::move(record));
        wake = db.queue.size() == 1 || db.queue.size() == batch_limit;
    }
    if (wake) db.wake.notify_one();
}

void flush(RequestsDb& db) {
    std::unique_lock lock(db.mutex);
    // A failed batch goes back into the queue: one more attempt after this call is what "could not be" means.
    const std::uint64_t before = db.attempts + (db.writing ? 1 : 0);
    db.hurry = true;
    db.wake.notify_one();
    db.idle.wait(lock, [&] {
        const bool empty = db.queue.empty() && !db.writing;
        return empty || (!db.stats.last_error.empty() && db.attempts > before) || db.stop;
    });
}

void close(RequestsDbPtr db) {
    db.reset();
}

Stats stats(const RequestsDb& db) {
    const std::lock_guard lock(db.mutex);
    Stats out = db.stats;
    out.queued = db.queue.size();
    return out;
}

}  // namespace lc::store
