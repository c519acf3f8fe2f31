// Streamed answers: framing, backpressure, clients that leave, drain.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "support.hpp"

namespace lc::net::test {
namespace {

/// What a streaming handler did, for the test's thread to look at.
struct Seen {
    std::atomic<std::size_t> sent{0};
    std::atomic<bool> begun{false}, gone{false}, ended{false}, cancelled{false};
    std::atomic<Clock::time_point> gone_at{};
    std::size_t pieces = 1000, piece = 1000;
    bool pings = false;
};

awaitable<void> pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

awaitable<void> stream(Seen& seen, Exchange& x) {
    on_gone(x, [&seen] {
        seen.gone = true;
        seen.gone_at = Clock::now();
    });
    const std::string target = request(x).target;
    seen.begun = true;
    if (target == "/hang") {
        while (!gone(x)) co_await pause(10ms);
    } else if (target == "/hang-streaming") {
        co_await start(x, event_stream());
        while (!gone(x)) co_await pause(10ms);
        seen.cancelled = !co_await send(x, "too late");
    } else {
        co_await start(x, event_stream());
        for (std::size_t i = 0; i < seen.pieces; ++i) {
            const Result<void> r = co_await send(x, std::string(seen.piece, static_cast<char>('a' + i % 26)));
            if (!r) {
                EXPECT_EQ(r.error().code, Errc::cancelled);
                seen.cancelled = true;
                break;
            }
            if (seen.pings) send_now(x, ": ping\n\n");
            seen.sent += seen.piece;
        }
        if (target == "/abort") {
            co_await net::abort(x);
        } else {
            co_await finish(x);
        }
    }
    seen.ended = true;
}

Handler streaming(Seen& seen) {
    return [&seen](Exchange& x) { return stream(seen, x); };
}

/// The chunks of a chunked body, and whether its last chunk came.
struct Chunks {
    std::vector<std::string> all;
    bool whole = false;
};
Chunks chunks_of(std::string_view body) {
    Chunks out;
    while (!body.empty()) {
        const std::size_t line = body.find("\r\n");
        if (line == std::string_view::npos) break;
        const std::size_t n = std::stoul(std::string(body.substr(0, line)), nullptr, 16);
        body.remove_prefix(line + 2);
        if (n == 0) {
            out.whole = body == "\r\n";
            break;
        }
        if (body.size() < n + 2 || body.substr(n, 2) != "\r\n") break;
        out.all.emplace_back(body.substr(0, n));
        body.remove_prefix(n + 2);
    }
    return out;
}

TEST(Stream, OneChunkAPieceAndACleanEnd) {
    Seen seen;
    seen.pieces = 5;
    TestServer server(streaming(seen));
    Raw client(server.port());
    for (int i = 0; i < 2; ++i) {
        client.send(get_request("/"));
        const std::string head = client.read_until("\r\n\r\n");
        EXPECT_EQ(status_of(head), 200);
        EXPECT_NE(head.find("\r\nTransfer-Encoding: chunked\r\n"), std::string::npos);
        EXPECT_EQ(head.find("Content-Length"), std::string::npos);
        const Chunks chunks = chunks_of(client.read_until("\r\n0\r\n\r\n"));
        EXPECT_TRUE(chunks.whole);
        ASSERT_EQ(chunks.all.size(), 5u);
        EXPECT_EQ(chunks.all[1], std::string(1000, 'b'));
    }
    EXPECT_FALSE(seen.gone);
}

TEST(Stream, PiecesLeaveAtOnce) {
    struct Timed {
        static awaitable<void> handle(Exchange& x) {
            co_await start(x, event_stream());
            for (int i = 0; i < 20; ++i) {
                co_await send(x, "data: x\n\n");
                co_await pause(20ms);
            }
            co_await finish(x);
        }
    };
    TestServer server(&Timed::handle);
    Raw client(server.port());
    client.send(get_request("/"));
    client.read_until("\r\n\r\n");
    auto last = Clock::now();
    auto longest = 0ns;
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(client.read_until("\n\n\r\n"), "9\r\ndata: x\n\n\r\n");
        const auto now = Clock::now();
        if (i > 0) longest = std::max<std::chrono::nanoseconds>(longest, now - last);
        last = now;
    }
    EXPECT_LT(longest, 39ms) << "Nagle's delay is 40 ms";
}

TEST(Stream, OldClientsReadUntilTheEnd) {
    Seen seen;
    seen.pieces = 3;
    seen.piece = 2;
    TestServer server(streaming(seen));
    Raw client(server.port());
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string got = client.read_all();
    EXPECT_EQ(body_of(got), "aabbcc");
    EXPECT_EQ(got.find("chunked"), std::string::npos);
    EXPECT_TRUE(client.closed());
}

TEST(Stream, HeadHasNoBody) {
    Seen seen;
    TestServer server(streaming(seen));
    Raw client(server.port());
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get_request("/abort"));
    const std::string got = client.read_all();
    const std::size_t second = got.find("HTTP/1.1 200", 5);
    ASSERT_NE(second, std::string::npos);
    EXPECT_TRUE(got.substr(0, second).ends_with("\r\n\r\n"));
}

TEST(Stream, AbortLeavesNoLastChunk) {
    Seen seen;
    seen.pieces = 400;  // more than the socket takes at once
    seen.piece = 20'000;
    TestServer server(streaming(seen));
    Raw client(server.port());
    client.send(get_request("/abort"));
    const Chunks chunks = chunks_of(body_of(client.read_all()));
    EXPECT_TRUE(client.closed());
    EXPECT_FALSE(client.was_reset());
    EXPECT_EQ(chunks.all.size(), 400u) << "what was sent is flushed";
    EXPECT_FALSE(chunks.whole);
    EXPECT_FALSE(seen.gone);
}

TEST(Stream, BackpressureBoundsMemory) {
    Seen seen;
    seen.pieces = 6'000;  // 60 MB
    seen.piece = 10'000;
    seen.pings = true;
    TestServer server(streaming(seen));
    Raw client(server.port());
    const std::size_t before = resident();
    client.send(get_request("/"));
    ASSERT_TRUE(eventually([&] { return seen.sent != 0; }));
    std::size_t sent = 0;
    EXPECT_TRUE(eventually([&] {  // stops getting on
        std::this_thread::sleep_for(100ms);
        return std::exchange(sent, seen.sent.load()) == seen.sent;
    }));
    EXPECT_LT(seen.sent, 20u << 20);  // the kernel's buffers and high water
    EXPECT_LT(resident(), before + (4u << 20));
    EXPECT_FALSE(seen.ended);

    std::string got = client.read_until("\r\n\r\n");
    const auto chunks = chunks_of(client.read_until("\r\n0\r\n\r\n", 60s));
    std::size_t pieces = 0, pings = 0;
    for (const std::string& chunk : chunks.all) {
        if (chunk == ": ping\n\n") {
            ++pings;
        } else {
            ASSERT_EQ(chunk, std::string(seen.piece, static_cast<char>('a' + pieces++ % 26)));
        }
    }
    EXPECT_EQ(pieces, seen.pieces);
    EXPECT_GT(pings, 0u);
    EXPECT_TRUE(chunks.whole);
    EXPECT_TRUE(seen.ended);
}

TEST(Stream, ClientThatStopsReadingIsGone) {
    Seen seen;
    seen.pieces = 20'000;
    seen.piece = 10'000;
    TestServer server(streaming(seen), {.write_stall = 500ms});
    Raw client(server.port());
    client.small_buffers();
    client.send(get_request("/"));
    EXPECT_TRUE(eventually([&] { return seen.ended.load(); }, 5s));
    EXPECT_TRUE(seen.gone);
    EXPECT_TRUE(seen.cancelled);
    EXPECT_TRUE(eventually([&] { return server.connections() == 0; }, 1s));
}

TEST(Stream, LeavingClientsAreNoticedAtOnce) {
    enum class How { close, half_close, reset };
    const struct { const char* name; const char* path; How how; std::string more; } cases[] = {
        {"close", "/hang", How::close, ""},
        {"half-close", "/hang", How::half_close, ""},
        {"reset", "/hang", How::reset, ""},
        {"close while streaming", "/hang-streaming", How::close, ""},
        {"reset while streaming", "/hang-streaming", How::reset, ""},
        {"half-close while streaming", "/hang-streaming", How::half_close, ""},
        {"with a pipelined request behind", "/hang", How::close, get_request("/hang")},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Seen seen;
        TestServer server(streaming(seen));
        Raw client(server.port());
        client.send(get_request(c.path) + c.more);
        ASSERT_TRUE(eventually([&] { return seen.begun.load(); }));
        std::this_thread::sleep_for(50ms);
        EXPECT_FALSE(seen.gone);
        const auto left_at = Clock::now();
        switch (c.how) {
            case How::close: client.close(); break;
            case How::half_close: client.half_close(); break;
            case How::reset: client.reset(); break;
        }
        ASSERT_TRUE(eventually([&] { return seen.gone.load(); }, 2s));
        EXPECT_LT(seen.gone_at.load() - left_at, 100ms);
        ASSERT_TRUE(eventually([&] { return seen.ended.load(); }, 2s));
        if (std::string_view(c.path) == "/hang-streaming") {
            EXPECT_TRUE(seen.cancelled);
        }
        client.close();
        EXPECT_TRUE(eventually([&] { return server.connections() == 0; }, 2s));
    }
}

TEST(Stream, LeavingIsNoticedBehindTooMuchPipelining) {
    Seen seen;
    TestServer server(streaming(seen));
    Raw client(server.port());
    client.send(get_request("/hang"));
    ASSERT_TRUE(eventually([&] { return seen.begun.load(); }));
    client.send(std::string(100'000, 'x'));  // reading pauses
    std::this_thread::sleep_for(50ms);
    EXPECT_FALSE(seen.gone);
    client.half_close();
    EXPECT_TRUE(eventually([&] { return seen.gone.load(); }, 1s));
}

awaitable<void> check_on_gone(std::atomic<int>& calls, Exchange& x) {
    const std::string target = request(x).target;
    on_gone(x, [&calls] { calls += 100; });
    on_gone(x, [&calls] { ++calls; });  // replaces
    if (target == "/removed") on_gone(x, {});
    if (target == "/answered") {
        co_await respond(x, answer(200, "ok"));
        co_await pause(300ms);  // the client leaves now: no news
        EXPECT_EQ(calls, 0);
    } else {
        while (!gone(x)) co_await pause(5ms);
        if (target == "/late") on_gone(x, [&calls] { calls += 10; });  // is gone already: called at once
    }
}

TEST(Stream, OnGoneIsCalledOnce) {
    const struct { const char* path; int want; } cases[] = {{"/", 1}, {"/removed", 0}, {"/late", 11}, {"/answered", 0}};
    for (const auto& c : cases) {
        SCOPED_TRACE(c.path);
        std::atomic<int> calls{0};
        TestServer server([&calls](Exchange& x) { return check_on_gone(calls, x); });
        Raw client(server.port());
        client.send(get_request(c.path));
        std::this_thread::sleep_for(50ms);
        client.close();
        EXPECT_TRUE(eventually([&] { return server.connections() == 0; }, 2s));
        EXPECT_EQ(calls, c.want);
    }
}

awaitable<void> committed_by_a_timer(Exchange& x) {
    // The head and pings go out while the handler waits elsewhere.
    asio::steady_timer commit(co_await asio::this_coro::executor, 50ms);
    commit.async_wait([&x](const boost::system::error_code&) {
        EXPECT_TRUE(start_now(x, event_stream()));
        send_now(x, ": ping\n\n");
        EXPECT_TRUE(started(x));
    });
    co_await pause(150ms);
    EXPECT_GT(last_sent(x), Clock::now() - 120ms);
    co_await send(x, "data: end\n\n");
    co_await finish(x);
}

TEST(Stream, StartNowAndPings) {
    TestServer server(committed_by_a_timer);
    Raw client(server.port());
    const auto begin = Clock::now();
    client.send(get_request("/"));
    client.read_until(": ping\n\n");
    EXPECT_LT(Clock::now() - begin, 120ms);
    EXPECT_EQ(client.read_until("0\r\n\r\n"), "\r\nb\r\ndata: end\n\n\r\n0\r\n\r\n");
}

TEST(Drain, LetsRunningExchangesEndAndClosesTheRest) {
    Seen seen;
    seen.pieces = 1;
    struct Slow {
        static awaitable<void> handle(Seen& s, Exchange& x) {
            s.begun = true;
            co_await pause(200ms);
            co_await stream(s, x);
        }
    };
    TestServer server([&seen](Exchange& x) { return Slow::handle(seen, x); });
    Raw idle(server.port()), running(server.port()), partial(server.port());
    running.send(get_request("/"));
    partial.send("GET / HT");
    ASSERT_TRUE(eventually([&] { return seen.begun.load(); }));
    std::this_thread::sleep_for(20ms);
    const auto begin = Clock::now();
    std::jthread finisher([&] { partial.send("TP/1.1\r\nHost: x\r\n\r\n"); });
    std::jthread reader([&] {
        EXPECT_EQ(idle.read_all(), "");
        idle.close();
        const std::string got = running.read_all();
        EXPECT_TRUE(got.ends_with("0\r\n\r\n")) << got;
        EXPECT_NE(got.find("Connection: close"), std::string::npos);
        running.close();
        EXPECT_TRUE(partial.read_all().ends_with("0\r\n\r\n")) << "a request that had begun to come is answered";
        partial.close();
    });
    server.drain_for(5s);
    EXPECT_LT(Clock::now() - begin, 1500ms);
    EXPECT_EQ(server.connections(), 0u);
    EXPECT_THROW(Raw(server.port()), std::runtime_error);
}

TEST(Drain, EndsWhatDoesNotEnd) {
    Seen seen;
    TestServer server(streaming(seen));
    Raw client(server.port());
    client.send(get_request("/hang-streaming"));
    ASSERT_TRUE(eventually([&] { return seen.begun.load(); }));
    const auto begin = Clock::now();
    server.drain_for(200ms);
    EXPECT_GE(Clock::now() - begin, 190ms);
    EXPECT_LT(Clock::now() - begin, 1s);
    EXPECT_TRUE(seen.gone);
    EXPECT_TRUE(seen.ended) << "handlers have returned when drain has";
    EXPECT_FALSE(chunks_of(body_of(client.read_all())).whole);
}

awaitable<void> sleep_long(std::atomic<bool>& begun, std::atomic<bool>& gone_called, Exchange& x) {
    on_gone(x, [&gone_called] { gone_called = true; });
    co_await start(x, event_stream());
    const std::string held(1000, 'x');
    begun = true;
    co_await pause(3600s);
    co_await send(x, held);
}

TEST(Server, DestroyedWhileAHandlerWaits) {
    // Nothing drains: the handler's frame goes with the loop, and takes the connection along (leaks show under ASan).
    std::atomic<bool> begun{false}, gone_called{false};
    {
        TestServer server([&](Exchange& x) { return sleep_long(begun, gone_called, x); });
        Raw client(server.port());
        client.send(get_request("/"));
        ASSERT_TRUE(eventually([&] { return begun.load(); }));
    }
    EXPECT_TRUE(gone_called);
}

TEST(Stream, HundredsOfStreamsInLittleMemory) {
    struct Ticking {
        static awaitable<void> handle(Exchange& x) {
            co_await start(x, event_stream());
            for (int i = 0; i < 20 && !gone(x); ++i) {
                co_await send(x, "data: {\"choices\":[{\"delta\":{\"content\":\"token\"}}]}\n\n");
                co_await pause(20ms);
            }
            co_await finish(x);
        }
    };
    TestServer server(&Ticking::handle);
    std::vector<std::unique_ptr<Raw>> clients;
    constexpr std::size_t count = 400;  // two descriptors each: below the usual limit of 1,024
    const std::size_t before = resident();
    for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(std::make_unique<Raw>(server.port()));
        clients.back()->send(get_request("/"));
    }
    std::this_thread::sleep_for(200ms);
    const std::size_t used = resident() - before;
    EXPECT_LT(used / count, 40u << 10);
    RecordProperty("bytes_per_stream", static_cast<int>(used / count));
    for (auto& client : clients) EXPECT_TRUE(client->read_until("\r\n0\r\n\r\n").ends_with("\r\n0\r\n\r\n"));
}

}  // namespace
}  // namespace lc::net::test
