#include "shell/store/requests_db.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "shell/store/record_json.hpp"
#include "shell/store/sqlite.hpp"

namespace lc::store {

namespace {

namespace fs = std::filesystem;
using log::RequestRecord;

/// A folder of its own for each test.
class RequestsDbTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "localcode-store-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
        path = folder / "requests.db";
    }
    void TearDown() override { fs::remove_all(folder); }

    Report report() {
        return [this](std::string_view line) {
            const std::lock_guard lock(mutex);
            lines.emplace_back(line);
        };
    }
    std::vector<std::string> set_aside_files() const {
        std::vector<std::string> out;
        for (const auto& entry : fs::directory_iterator(folder)) {
            const std::string name = entry.path().filename();
            if (name.starts_with("requests.db.") && !name.ends_with("-wal") && !name.ends_with("-shm"))
                out.push_back(name);
        }
        return out;
    }

    fs::path folder, path;
    std::mutex mutex;
    std::vector<std::string> lines;
};

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

RequestRecord make(std::string id, std::int64_t unix_ms = now_ms()) {
    RequestRecord r;
    r.id = std::move(id);
    r.unix_ms = unix_ms;
    r.model_used = "coder";
    r.session = "ses_1";
    r.kind = "main";
    r.status = 200;
    r.messages = {{"user", "hello", "", {}}};
    return r;
}

std::vector<std::string> ids(const Result<std::vector<RequestRecord>>& records) {
    std::vector<std::string> out;
    if (!records) return {"error: " + records.error().detail};
    for (const auto& r : *records) out.push_back(r.id);
    return out;
}

using Ids = std::vector<std::string>;

}  // namespace

TEST(RecordJson, ReadsBackAsTheSame) {
    RequestRecord r = make("0192", 1'700'000'000'123);
    r.client = "opencode";
    r.parent = "p";
    r.dialect = "chat";
    r.endpoint = "/v1/chat/completions";
    r.model_asked = "glm";
    r.backend = "zai";
    r.stream = true;
    r.n_messages = 300;
    r.n_tools = 10;
    r.messages = {{"system", "you \"are\"\n\t\x01 \xc3\xa9\xc2\x9b", "", {}},
                  {"assistant", "", "", {"read", "write"}},
                  {"tool", "out", "call_1", {}}};
    r.tools = {"read", "write"};
    r.response_preview = "\xf0\x9f\x98\x80";
    r.reasoning_preview = "hm";
    r.calls = {{"call_2", "read", "{\"path\":\"a\\\\b\"}", true, false}};
    r.finish_reason = "tool_calls";
    r.usage = log::UsageSummary{7722, 12, 7734, 7000, std::nullopt};
    r.error_code = "cancelled";
    r.error_detail = "gone";
    r.ms.parse = 0.125;
    r.ms.total = 12345.678;
    r.tokens_per_second = 33.5;
    r.bytes_in = 31'000;
    r.bytes_out = 5'000'000'000;
    r.route_reason = "name";
    r.cache_outcome = "hit;tokens=7000";
    r.cancelled = true;
    const auto back = record_from_json(to_json(r));
    ASSERT_TRUE(back) << back.error().detail;
    EXPECT_EQ(*back, r);
    for (const char* control : {"\n", "\x01", "\x7f", "\xc2\x9b"})
        EXPECT_EQ(to_json(r).find(control), std::string::npos);
    EXPECT_EQ(record_from_json(to_json(RequestRecord{})).value(), RequestRecord{});
}

TEST(RecordJson, WritesValidJsonForAnyBytes) {
    RequestRecord r;
    for (int i = 0; i < 256; ++i) r.response_preview += static_cast<char>(i);
    r.response_preview += "\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\xe2\x82";  // surrogate, too large, overlong, cut
    r.tokens_per_second = NAN;
    r.ms.total = 1e306;
    const auto back = record_from_json(to_json(r));
    ASSERT_TRUE(back) << back.error().detail;
    EXPECT_NE(back->response_preview.find("\xef\xbf\xbd"), std::string::npos);
    EXPECT_FALSE(back->tokens_per_second);
    EXPECT_FALSE(back->ms.total);
}

TEST(RecordJson, ToleratesOtherVersions) {
    const auto back = record_from_json(R"({"id":"a","new_member":{"x":[1]},"status":"200","usage":{"prompt":1.5e0}})");
    ASSERT_TRUE(back);
    EXPECT_EQ(back->id, "a");
    EXPECT_EQ(back->status, 0) << "a member of another type is left alone";
    EXPECT_FALSE(record_from_json("[]"));
    EXPECT_FALSE(record_from_json("{"));
}

TEST_F(RequestsDbTest, BodiesAreKeptApartAndGoWithTheirRecord) {
    {
        auto db = open(path, {1, 64 << 20}, report());
        ASSERT_TRUE(db);
        auto with = make("id-with");
        with.request_body = "{\"messages\":[]}\n\xc3\xa9";
        with.response_body = "data: [DONE]\n\n";
        append(**db, with);
        append(**db, make("id-without"));
        flush(**db);
        const auto found = find(path, "id-with");
        ASSERT_TRUE(found) << found.error().detail;
        EXPECT_EQ(*found, with);
        const auto json = to_json(*found);
        EXPECT_NE(json.find(R"("request_body":"{\"messages\":[]}\n)"), std::string::npos) << json;
        EXPECT_EQ(record_from_json(json)->response_body, with.response_body);
        const auto all = recent(path, {}, 10);
        ASSERT_TRUE(all);
        for (const auto& record : *all) EXPECT_EQ(record.request_body + record.response_body, "") << "only for one";
        EXPECT_EQ(find(path, "id-without")->request_body, "");
        // The same id again, as after a second attempt: its bodies replace the first ones.
        with.response_body = "other";
        append(**db, with);
        append(**db, make("id-old", now_ms() - 10 * 86'400'000LL));
        flush(**db);
        EXPECT_EQ(find(path, "id-with")->response_body, "other");
    }
    // What is removed for its age takes its bodies along.
    {
        auto old = make("id-older", now_ms() - 10 * 86'400'000LL);
        old.request_body = "secret";
        auto db = open(path, {100, 64 << 20}, report());
        ASSERT_TRUE(db);
        append(**db, old);
        flush(**db);
        EXPECT_EQ(find(path, "id-older")->request_body, "secret");
    }
    { ASSERT_TRUE(open(path, {1, 64 << 20}, report())); }
    auto raw = open_db(path, Mode::read_only);
    ASSERT_TRUE(raw);
    EXPECT_EQ(*query_integer(raw->get(), "SELECT count(*) FROM bodies"), 1);
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(RequestsDbTest, BodiesCountForTheSize) {
    auto db = open(path, {30, 1 << 20}, report());
    ASSERT_TRUE(db);
    for (int i = 0; i < 300; ++i) {
        auto record = make("id-" + std::to_string(1000 + i), now_ms() + i);
        record.request_body = std::string(20'000, 'x');
        append(**db, record);
        if (i % 50 == 0) flush(**db);
    }
    flush(**db);
    db->reset();
    { ASSERT_TRUE(open(path, {30, 1 << 20}, report())); }
    auto raw = open_db(path, Mode::read_only);
    ASSERT_TRUE(raw);
    EXPECT_LT(*query_integer(raw->get(), "SELECT sum(length(request)) FROM bodies"), 1 << 20);
    EXPECT_GT(*query_integer(raw->get(), "SELECT count(*) FROM bodies"), 0);
}

TEST_F(RequestsDbTest, ADatabaseOfTheFirstVersionIsReadAndGoesOn) {
    {
        auto db = open_db(path, Mode::create);
        ASSERT_TRUE(db);
        ASSERT_TRUE(execute(db->get(),
                            "CREATE TABLE requests(id TEXT PRIMARY KEY NOT NULL, unix_ms INTEGER NOT NULL, model TEXT NOT"
                            " NULL, session TEXT NOT NULL, kind TEXT NOT NULL, status INTEGER NOT NULL, error_code TEXT"
                            " NOT NULL, record TEXT NOT NULL); INSERT INTO requests VALUES('old', 5, '', '', '', 200, '',"
                            " '{\"id\":\"old\",\"unix_ms\":5}'); PRAGMA user_version = 1"));
    }
    EXPECT_EQ(find(path, "old")->unix_ms, 5) << "before any writer has come";
    {
        auto db = open(path, {36'500, 64 << 20}, report());
        ASSERT_TRUE(db) << db.error().detail;
        auto record = make("new");
        record.request_body = "r";
        append(**db, record);
        flush(**db);
    }
    EXPECT_EQ(find(path, "new")->request_body, "r");
    EXPECT_TRUE(find(path, "old"));
    EXPECT_TRUE(set_aside_files().empty());
}

TEST_F(RequestsDbTest, WritesAndReads) {
    auto db = open(path, {}, report());
    ASSERT_TRUE(db) << db.error().detail;
    EXPECT_EQ(ids(recent(path, {}, 10)), Ids{});
    const std::int64_t t = now_ms();
    append(**db, make("0192aaaa-1", t));
    auto failed = make("0192aaaa-2", t + 1);
    failed.status = 503;
    failed.model_used = "";
    failed.model_asked = "big";
    append(**db, failed);
    auto other = make("0192bbbb-3", t + 2);
    other.session = "ses_2";
    other.kind = "title";
    append(**db, other);
    flush(**db);

    EXPECT_EQ(ids(recent(path, {}, 10)), (Ids{"0192bbbb-3", "0192aaaa-2", "0192aaaa-1"}));
    EXPECT_EQ(ids(recent(path, {}, 2)), (Ids{"0192bbbb-3", "0192aaaa-2"}));
    EXPECT_EQ(ids(recent(path, {.model = "big"}, 9)), Ids{"0192aaaa-2"});
    EXPECT_EQ(ids(recent(path, {.session = "ses_2"}, 9)), Ids{"0192bbbb-3"});
    EXPECT_EQ(ids(recent(path, {.kind = "title"}, 9)), Ids{"0192bbbb-3"});
    EXPECT_EQ(ids(recent(path, {.errors = true}, 9)), Ids{"0192aaaa-2"});
    EXPECT_EQ(ids(recent(path, {.model = "coder", .session = "ses_2", .errors = true}, 9)), Ids{});

    EXPECT_EQ(find(path, "0192bbbb-3").value(), other);
    EXPECT_EQ(find(path, "0192b").value().id, "0192bbbb-3");
    EXPECT_EQ(find(path, "-2").value().id, "0192aaaa-2");
    EXPECT_EQ(find(path, "0192aaaa").error().code, Errc::bad_request);
    EXPECT_EQ(find(path, "zzz").error().code, Errc::not_found);
    EXPECT_EQ(find(path, "").error().code, Errc::not_found);

    EXPECT_EQ(stats(**db).written, 3U);
    EXPECT_EQ(stats(**db).dropped, 0U);
    close(std::move(*db));
    EXPECT_TRUE(lines.empty());
}

TEST_F(RequestsDbTest, CloseWritesWhatIsQueuedAndReopeningKeepsIt) {
    auto db = open(path, {}, report());
    ASSERT_TRUE(db);
    for (int i = 0; i < 1000; ++i) append(**db, make("id-" + std::to_string(i)));
    close(std::move(*db));
    EXPECT_EQ(recent(path, {}, 5000).value().size(), 1000U);
    db = open(path, {}, report());
    ASSERT_TRUE(db);
    append(**db, make("id-1", now_ms() + 5));  // again: replaced, not twice
    close(std::move(*db));
    EXPECT_EQ(recent(path, {}, 5000).value().size(), 1000U);
    EXPECT_TRUE(lines.empty());
}

TEST_F(RequestsDbTest, IsPrivate) {
    const mode_t before = umask(0);
    auto db = open(path, {}, report());
    ASSERT_TRUE(db);
    append(**db, make("a"));
    flush(**db);
    for (const char* part : {"", "-wal", "-shm"}) {
        struct stat info {};
        ASSERT_EQ(stat((path.string() + part).c_str(), &info), 0) << part;
        EXPECT_EQ(info.st_mode & 0777, 0600U) << part;
    }
    umask(before);
}

TEST_F(RequestsDbTest, MissingDatabaseHasNoRecords) {
    EXPECT_EQ(ids(recent(path, {}, 10)), Ids{});
    EXPECT_EQ(find(path, "a").error().code, Errc::not_found);
    EXPECT_FALSE(fs::exists(path)) << "reading does not make it";
}

TEST_F(RequestsDbTest, NewerVersionIsSetAsideUntouched) {
    close(open(path, {}, report()).value());
    {
        auto raw = open_db(path, Mode::read_write);
        ASSERT_TRUE(raw);
        ASSERT_TRUE(
            execute(raw->get(), "CREATE TABLE future(x); INSERT INTO future VALUES(42); PRAGMA user_version = 99"));
    }
    EXPECT_EQ(recent(path, {}, 10).error().code, Errc::unsupported);
    auto db = open(path, {}, report());
    ASSERT_TRUE(db) << db.error().detail;
    append(**db, make("a"));
    close(std::move(*db));
    EXPECT_EQ(ids(recent(path, {}, 10)), Ids{"a"});
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_NE(lines[0].find("newer version (99)"), std::string::npos) << lines[0];
    ASSERT_EQ(set_aside_files().size(), 1U);
    auto old = open_db(folder / set_aside_files()[0], Mode::read_only);
    ASSERT_TRUE(old);
    EXPECT_EQ(query_integer(old->get(), "SELECT x FROM future").value(), 42);
    EXPECT_EQ(query_integer(old->get(), "PRAGMA user_version").value(), 99);
}

TEST_F(RequestsDbTest, DamagedFileIsSetAside) {
    const struct {
        const char* name;
        std::string content;
    } cases[] = {
        {"text", std::string(5000, 'x')},
        {"header, then rubbish", std::string("SQLite format 3\0", 16) + std::string(5000, '\x7f')},
    };
    std::size_t before = 0;
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        for (const char* part : {"", "-wal", "-shm"}) fs::remove(path.string() + part);
        std::ofstream(path, std::ios::binary) << c.content;
        auto db = open(path, {}, report());
        ASSERT_TRUE(db) << db.error().detail;
        append(**db, make("a"));
        close(std::move(*db));
        EXPECT_EQ(ids(recent(path, {}, 10)), Ids{"a"});
        EXPECT_EQ(set_aside_files().size(), ++before);
        EXPECT_EQ(lines.size(), before);
    }
}

TEST_F(RequestsDbTest, DamagedWhileRunningBeginsAnew) {
    auto db = open(path, {}, report());
    ASSERT_TRUE(db);
    for (int i = 0; i < 500; ++i) append(**db, make("old-" + std::to_string(i)));
    close(std::move(*db));
    {
        // Rubbish over the middle of the file: the header is whole, so opening succeeds and the damage shows later.
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(4096);
        const std::string rubbish(static_cast<std::size_t>(fs::file_size(path)) - 4096, '\x5a');
        file.write(rubbish.data(), static_cast<std::streamsize>(rubbish.size()));
    }
    db = open(path, {}, report());
    ASSERT_TRUE(db) << db.error().detail;
    append(**db, make("new"));
    flush(**db);
    EXPECT_EQ(stats(**db).last_error, "");
    close(std::move(*db));
    EXPECT_EQ(find(path, "new").value().id, "new");
    EXPECT_EQ(set_aside_files().size(), 1U);
}

TEST_F(RequestsDbTest, RetentionByAge) {
    auto db = open(path, {}, report());
    ASSERT_TRUE(db);
    const std::int64_t day = 86'400'000;
    append(**db, make("old", now_ms() - 31 * day));
    append(**db, make("young", now_ms() - 29 * day));
    close(std::move(*db));
    close(open(path, {.days = 30}, report()).value());
    EXPECT_EQ(ids(recent(path, {}, 10)), Ids{"young"});
}

TEST_F(RequestsDbTest, RetentionByBytesKeepsTheNewest) {
    constexpr std::int64_t limit = 1 << 20;
    auto db = open(path, {.days = 30, .max_bytes = limit}, report(), {.queue_limit = 100'000});
    ASSERT_TRUE(db);
    const std::int64_t t = now_ms() - 100'000;
    for (int i = 0; i < 3000; ++i) {
        auto record = make("id-" + std::to_string(i), t + i);
        record.response_preview.assign(1000, 'x');
        append(**db, record);
    }
    flush(**db);
    append(**db, make("last"));
    close(std::move(*db));
    close(open(path, {.days = 30, .max_bytes = limit}, report()).value());
    const auto left = recent(path, {}, 10'000).value();
    EXPECT_GT(left.size(), 300U);
    EXPECT_LT(left.size(), 1500U);
    EXPECT_EQ(left.front().id, "last");
    EXPECT_EQ(left[1].id, "id-2999");
    EXPECT_LT(fs::file_size(path), static_cast<std::uintmax_t>(limit) + (64 << 10))
        << "the space goes back to the disk";
}

TEST_F(RequestsDbTest, FullQueueDropsTheOldest) {
    auto db = open(path, {}, report(), {.queue_limit = 10});
    ASSERT_TRUE(db);
    {
        // Another writer holds the database, so that nothing can be written meanwhile.
        auto blocker = open_db(path, Mode::read_write);
        ASSERT_TRUE(blocker);
        ASSERT_TRUE(execute(blocker->get(), "BEGIN IMMEDIATE"));
        append(**db, make("first"));
        while (stats(**db).queued != 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < 1000; ++i) append(**db, make("id-" + std::to_string(1000 + i)));
        EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1))
            << "append never waits for the disk";
        EXPECT_EQ(stats(**db).dropped, 990U);
    }
    flush(**db);
    close(std::move(*db));
    const auto left = ids(recent(path, {}, 100));
    ASSERT_GE(left.size(), 10U);
    EXPECT_NE(std::find(left.begin(), left.end(), "id-1999"), left.end());
    EXPECT_EQ(std::find(left.begin(), left.end(), "id-1500"), left.end());
}

TEST_F(RequestsDbTest, FolderThatIsNotThere) {
    const auto db = open(folder / "missing" / "requests.db", {}, report());
    ASSERT_FALSE(db);
    EXPECT_NE(db.error().detail.find("requests.db"), std::string::npos) << db.error().detail;
}

// In a child: the limit on file sizes stands for a full disk, and holds for the whole process.
TEST_F(RequestsDbTest, FullDiskIsReportedOnceAndOvercome) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        std::atomic<int> reports = 0;
        auto db = open(path, {}, [&](std::string_view) { ++reports; }, {.retry_after = std::chrono::milliseconds(50)});
        if (!db) _exit(10);
        struct rlimit limit {};
        getrlimit(RLIMIT_FSIZE, &limit);
        const rlim_t soft = limit.rlim_cur;
        limit.rlim_cur = 200 << 10;
        setrlimit(RLIMIT_FSIZE, &limit);
        for (int i = 0; i < 500; ++i) {
            auto record = make("id-" + std::to_string(i));
            record.response_preview.assign(1000, 'x');
            append(**db, record);
        }
        flush(**db);
        if (stats(**db).last_error.empty()) _exit(11);
        if (reports != 1) _exit(12);
        flush(**db);  // one more failed attempt
        if (reports != 1) _exit(13);
        limit.rlim_cur = soft;
        setrlimit(RLIMIT_FSIZE, &limit);
        append(**db, make("after"));
        flush(**db);
        if (!stats(**db).last_error.empty()) _exit(14);
        if (reports != 2) _exit(15);
        close(std::move(*db));
        const auto found = find(path, "after");
        _exit(found && recent(path, {}, 1000).value().size() == 501 ? 0 : 16);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(RequestsDbTest, KilledInTheMiddle) {
    for (int round = 0; round < 5; ++round) {
        SCOPED_TRACE(round);
        const pid_t child = fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto db = open(path, {});
            if (!db) _exit(1);
            for (int i = 0;; ++i) {
                append(**db, make("r" + std::to_string(round) + "-" + std::to_string(i)));
                if (i % 50 == 0) flush(**db);
            }
        }
        // Killed while it writes: as soon as something of this round can be read.
        std::size_t seen = 0;
        for (int i = 0; i < 2000 && seen == 0; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            if (find(path, "r" + std::to_string(round) + "-0")) seen = 1;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(7 * round));
        kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "it was still writing";
        ASSERT_EQ(seen, 1U);

        auto db = open(path, {}, report());
        ASSERT_TRUE(db) << db.error().detail;
        append(**db, make("after-" + std::to_string(round)));
        close(std::move(*db));
        EXPECT_TRUE(find(path, "after-" + std::to_string(round)));
        EXPECT_TRUE(find(path, "r" + std::to_string(round) + "-0"))
            << "what was written before the kill is still there";
        auto raw = open_db(path, Mode::read_only);
        ASSERT_TRUE(raw);
        EXPECT_EQ(query_integer(raw->get(), "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'")
                      .value(),
                  1);
    }
    EXPECT_TRUE(lines.empty()) << lines[0];
    EXPECT_TRUE(set_aside_files().empty());
}

}  // namespace lc::store
