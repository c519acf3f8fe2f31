#include "core/hub/transfer.hpp"

#include <gtest/gtest.h>

namespace lc::hub {
namespace {

using namespace std::chrono_literals;

const std::string sum_a(64, 'a'), sum_b(64, 'b');

TEST(Transfer, UsableBytes) {
    const RepoFile listed{"m.gguf", 100, sum_a}, unlisted{"m.gguf", 100, ""};
    const struct {
        const char* name;
        std::int64_t part;
        std::optional<PartNote> note;
        RepoFile file;
        std::int64_t want;
    } cases[] = {
        {"same checksum", 40, PartNote{sum_a, "", 100}, listed, 40},
        {"all of it", 100, PartNote{sum_a, "", 100}, listed, 100},
        {"nothing there", 0, PartNote{sum_a, "", 100}, listed, 0},
        {"no note", 40, std::nullopt, listed, 0},
        {"another file by now", 40, PartNote{sum_b, "", 100}, listed, 0},
        {"another size by now", 40, PartNote{sum_a, "", 90}, listed, 0},
        {"too long", 101, PartNote{sum_a, "", 100}, listed, 0},
        {"no checksum, ETag", 40, PartNote{"", "\"e\"", 100}, unlisted, 40},
        {"no checksum, weak ETag", 40, PartNote{"", "W/\"e\"", 100}, unlisted, 0},
        {"no checksum, no ETag", 40, PartNote{"", "", 100}, unlisted, 0},
        {"checksum since then", 40, PartNote{"", "\"e\"", 100}, listed, 0},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(usable_bytes(c.part, c.note, c.file), c.want);
    }
}

TEST(Transfer, Range) {
    EXPECT_EQ(range_for(0, "\"e\""), (RangeFields{"", ""}));
    EXPECT_EQ(range_for(7, "\"e\""), (RangeFields{"bytes=7-", "\"e\""}));
    EXPECT_EQ(range_for(7, ""), (RangeFields{"bytes=7-", ""}));
    EXPECT_EQ(range_for(7, "W/\"e\""), (RangeFields{"bytes=7-", ""})) << "weak validators are not for If-Range";
}

TEST(Transfer, Judge) {
    const struct {
        const char* name;
        AnswerHead head;
        std::int64_t offset;
        Use want;
    } cases[] = {
        {"whole file", {200, "", "100"}, 0, Use::from_zero},
        {"whole file, length unknown", {200, "", ""}, 0, Use::from_zero},
        {"rest", {206, "bytes 40-99/100", "60"}, 40, Use::append},
        {"rest, total not told", {206, "bytes 40-99/*", "60"}, 40, Use::append},
        {"a piece of the rest", {206, "bytes 40-49/100", "10"}, 40, Use::append},
        {"changed since: all of it", {200, "", "100"}, 40, Use::from_zero},
        {"other length than listed", {200, "", "101"}, 0, Use::give_up},
        {"other place than asked", {206, "bytes 41-99/100", "59"}, 40, Use::ask_anew},
        {"other total", {206, "bytes 40-119/120", "80"}, 40, Use::ask_anew},
        {"beyond the end", {206, "bytes 40-100/100", "61"}, 40, Use::ask_anew},
        {"several parts", {206, "", "60"}, 40, Use::ask_anew},
        {"garbled range", {206, "bytes x-y/z", "60"}, 40, Use::ask_anew},
        {"range cannot be had", {416, "bytes */100", ""}, 40, Use::ask_anew},
        {"416 without a range", {416, "", ""}, 0, Use::give_up},
        {"part unasked", {206, "bytes 0-99/100", "100"}, 0, Use::give_up},
        {"compressed", {.status = 200, .content_length = "100", .content_encoding = "gzip"}, 0, Use::give_up},
        {"identity", {.status = 200, .content_length = "100", .content_encoding = "identity"}, 0, Use::from_zero},
        {"busy", {429}, 0, Use::retry},
        {"down", {503}, 40, Use::retry},
        {"gateway", {502}, 40, Use::retry},
        {"gone", {404}, 40, Use::give_up},
        {"forbidden", {403}, 0, Use::give_up},
        {"no content", {204}, 0, Use::give_up},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto verdict = judge(c.head, c.offset, 100);
        EXPECT_EQ(verdict.use, c.want) << verdict.why;
        if (c.want == Use::give_up || c.want == Use::retry) {
            EXPECT_FALSE(verdict.why.empty());
        }
    }
}

TEST(Transfer, RetryAfter) {
    constexpr std::int64_t now = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT
    const struct {
        const char* name;
        const char* field;
        std::int64_t want;
    } cases[] = {
        {"seconds", "120", 120},
        {"spaces", " 3 ", 3},
        {"none", "", 0},
        {"now", "Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"date", "Sun, 06 Nov 1994 08:50:07 GMT", 30},
        {"next day", "Mon, 07 Nov 1994 08:49:37 GMT", 86'400},
        {"past", "Sun, 06 Nov 1994 08:00:00 GMT", 0},
        {"negative", "-5", 0},
        {"words", "soon", 0},
        {"no such month", "Sun, 06 Nox 1994 08:50:07 GMT", 0},
        {"across two months' names", "Sun, 06 anF 1994 08:50:07 GMT", 0},
        {"no such day", "Sun, 31 Feb 1994 08:50:07 GMT", 0},
        {"beyond all numbers", "99999999999999999999", 0},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(retry_after_seconds(c.field, now), c.want);
    }
}

TEST(Transfer, Waits) {
    const Patience p;
    const struct {
        const char* name;
        Attempts attempts;
        std::chrono::seconds retry_after;
        std::optional<std::chrono::milliseconds> want;
    } cases[] = {
        {"first", {1, true}, 0s, 1s},
        {"doubled", {2, true}, 0s, 2s},
        {"again", {4, true}, 0s, 8s},
        {"bounded", {7, true}, 0s, 30s},
        {"enough", {8, true}, 0s, std::nullopt},
        {"server's wish", {1, true}, 20s, 20s},
        {"server's wish is shorter", {4, true}, 1s, 8s},
        {"server's wish is too long", {1, true}, 301s, std::nullopt},
        {"never reached: soon over", {3, false}, 0s, std::nullopt},
        {"never reached: not at once", {2, false}, 0s, 2s},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(next_wait(c.attempts, c.retry_after, p), c.want);
    }
}

TEST(Transfer, ExplainsStatus) {
    const struct {
        const char* name;
        AnswerHead head;
        bool token;
        Errc code;
        const char* says;
    } cases[] = {
        {"gated, no token", {.status = 401, .error_code = "GatedRepo"}, false, Errc::unauthorized, "set HF_TOKEN"},
        {"gated, token",
         {.status = 403, .error_code = "GatedRepo"},
         true,
         Errc::unauthorized,
         "account that HF_TOKEN belongs to"},
        {"forbidden", {.status = 403}, false, Errc::unauthorized, "set HF_TOKEN"},
        {"perhaps no such thing",
         {.status = 401, .error_code = "RepoNotFound"},
         false,
         Errc::unauthorized,
         "does not exist on hub, or is private"},
        {"bad token", {.status = 401}, true, Errc::unauthorized, "does not accept HF_TOKEN"},
        {"missing", {.status = 404}, false, Errc::not_found, "does not exist on hub"},
        {"slow down", {.status = 429}, true, Errc::rate_limited, "slow down"},
        {"broken",
         {.status = 500, .error_message = "oops\n\x1b[2J"},
         true,
         Errc::upstream_error,
         "answered 500 for o/r (\"oops  [2J\")"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto error = explain_status(c.head, "o/r", "hub", c.token);
        EXPECT_EQ(error.code, c.code);
        EXPECT_NE(error.detail.find(c.says), std::string::npos) << error.detail;
    }
}

}  // namespace
}  // namespace lc::hub
