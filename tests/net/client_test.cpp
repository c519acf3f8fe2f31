// The client against scripted servers.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "support.hpp"

namespace lc::net::test {
namespace {

/// A pool on a network thread.
struct Client {
    explicit Client(std::size_t max_idle = 32, std::chrono::seconds max_idle_time = 55s) {
        loop.call([&] { pool = make_pool(loop.io.get_executor(), max_idle, max_idle_time); });
    }
    ~Client() {
        loop.call([&] { pool.reset(); });
    }
    Result<Fetched> get(const std::string& url, std::string method = "GET", std::string body = "", Timeouts timeouts = {}) {
        Request request;
        request.method = std::move(method);
        request.target = "/path?q";
        request.fields = {{"X-Own", "1"}};
        request.body = std::move(body);
        return loop.run(fetch(*pool, *parse_url(url), timeouts, std::move(request)));
    }
    Loop loop;
    PoolPtr pool;
};

/// Reads one request: head, and body by its length.
std::string read_request(Raw& c) {
    std::string got = c.read_until("\r\n\r\n");
    if (const std::size_t at = got.find("Content-Length: "); at != std::string::npos) {
        const std::size_t length = std::stoul(got.substr(at + 16));
        for (const std::size_t head = got.size(); got.size() < head + length && !c.closed();) got += c.read_some();
    }
    return got;
}

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(Client, SendsWhatWasAsked) {
    std::string seen;
    RawServer server([&](Raw& c, int) {
        seen = read_request(c);
        c.send("HTTP/1.1 201 Created\r\nX-Their: a\r\nX-Their: b\r\nContent-Length: 5\r\n\r\nhello");
        c.read_all();
    });
    {
        Client client;
        const Result<Fetched> got = client.get(server.url() + "/base/", "POST", "body");
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(got->status, 201);
        EXPECT_EQ(got->body, "hello");
        EXPECT_EQ(get(got->fields, "x-their"), "a");
        EXPECT_EQ(got->fields.size(), 3u);
    }
    EXPECT_EQ(seen, "POST /base/path?q HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                        "\r\nX-Own: 1\r\nContent-Length: 4\r\n\r\nbody");
}

TEST(Client, ReadsEveryKindOfBody) {
    const std::string large(300'000, 'z');
    const struct { const char* name; std::string answer; std::string want; bool reusable; const char* method = "GET"; } cases[] = {
        {"length", ok, "ok", true},
        {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n", "abcde", true},
        {"until close", "HTTP/1.1 200 OK\r\n\r\neverything", "everything", false},
        {"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false},
        {"1.0 kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "ok", true},
        {"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", false},
        {"204", "HTTP/1.1 204 No Content\r\n\r\n", "", true},
        {"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", true},
        {"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true},
        {"empty and chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", true},
        {"interim answers", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, "ok", true},
        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", "", true, "HEAD"},
        {"large", "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + large, large, true},
        {"large chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n493e0\r\n" + large + "\r\n0\r\n\r\n", large, true},
        {"bytes behind the end", ok + "HTTP/1.1 200 evil", "ok", false},
        {"no reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "ok", true},
    };
    for (const auto& c : cases) {
        for (const std::size_t step : {std::size_t{1} << 20, std::size_t{3}}) {
            if (step == 3 && c.answer.size() > 10'000) continue;
            SCOPED_TRACE(c.name + std::string(" in steps of ") + std::to_string(step));
            RawServer server([&](Raw& s, int) {
                while (!read_request(s).empty() && !s.closed()) {
                    for (std::size_t at = 0; at < c.answer.size(); at += step) {
                        s.send(std::string_view(c.answer).substr(at, step));
                        if (step == 3) std::this_thread::sleep_for(100us);
                    }
                    if (!c.reusable) break;
                }
            });
            Client client;
            for (int i = 0; i < 2; ++i) {
                const Result<Fetched> got = client.get(server.url(), c.method);
                ASSERT_TRUE(got) << got.error().detail;
                EXPECT_EQ(got->body, c.want);
            }
            EXPECT_EQ(server.accepted(), c.reusable ? 1 : 2);
        }
    }
}

TEST(Client, BrokenAnswersAreErrors) {
    const struct { const char* name; std::string answer; const char* says; } cases[] = {
        {"nothing", "", "without an answer"},
        {"half a head", "HTTP/1.1 200 OK\r\nContent-", "without an answer"},
        {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP"},
        {"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "not HTTP"},
        {"cut by its length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "in mid-answer"},
        {"cut in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello", "in mid-answer"},
        {"cut between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "in mid-answer"},
        {"cut before the end of the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "in mid-answer"},
        {"malformed chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed"},
        {"length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", ""},
        {"strange coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", "Transfer-Encoding"},
        {"endless head", "HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x'), "64 kB"},
        {"switching protocols", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "switched"},
        {"interim for ever", [] {
             std::string s;
             for (int i = 0; i < 100; ++i) s += "HTTP/1.1 102 Processing\r\n\r\n";
             return s;
         }(), "interim"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        RawServer server([&](Raw& s, int) {
            read_request(s);
            s.send(c.answer);
        });
        Client client;
        const Result<Fetched> got = client.get(server.url());
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Errc::upstream_error);
        EXPECT_NE(got.error().detail.find(c.says), std::string::npos) << got.error().detail;
        EXPECT_NE(got.error().detail.find(server.url()), std::string::npos) << "it says who: " << got.error().detail;
        EXPECT_EQ(server.accepted(), 1) << "not tried again";
    }
}

TEST(Client, StalePooledConnectionIsReplacedOnce) {
    // The server closes after its first answer, but only once the next request is on its way.
    RawServer server([](Raw& c, int number) {
        read_request(c);
        c.send(ok);
        if (number == 0) {
            read_request(c);
            return;  // closes without a byte
        }
        while (!read_request(c).empty()) c.send(ok);
    });
    Client client;
    for (int i = 0; i < 3; ++i) {
        const Result<Fetched> got = client.get(server.url(), "POST", "x");
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(got->body, "ok");
    }
    EXPECT_EQ(server.accepted(), 2);
}

TEST(Client, FreshConnectionThatClosesIsNotTriedAgain) {
    RawServer server([](Raw& c, int number) {
        read_request(c);
        if (number == 0) {
            c.send(ok);
            read_request(c);
        }
    });
    Client client;
    ASSERT_TRUE(client.get(server.url()));
    const Result<Fetched> got = client.get(server.url());
    ASSERT_FALSE(got);
    EXPECT_EQ(server.accepted(), 2);
}

TEST(Client, NoSecondTryOnceAByteCame) {
    RawServer server([](Raw& c, int) {
        read_request(c);
        c.send(ok);
        read_request(c);
        c.send("H");
    });
    Client client;
    ASSERT_TRUE(client.get(server.url()));
    EXPECT_FALSE(client.get(server.url()));
    EXPECT_EQ(server.accepted(), 1);
}

TEST(Client, ConnectionsClosedWhileIdleAreNotUsed) {
    RawServer server([](Raw& c, int) {
        read_request(c);
        c.send(ok);
    });
    Client client;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(client.get(server.url(), "POST", "x"));
        std::this_thread::sleep_for(20ms);
    }
    EXPECT_EQ(server.accepted(), 3);
}

TEST(Client, PoolIsBoundedInNumberAndAge) {
    std::atomic<int> open{0};
    RawServer server([&open](Raw& c, int) {
        ++open;
        while (!read_request(c).empty()) {
            std::this_thread::sleep_for(50ms);
            c.send(ok);
        }
        --open;
    });
    Client client(2, 1s);
    std::vector<std::future<Result<Fetched>>> all;
    for (int i = 0; i < 5; ++i) {
        Request request;
        request.method = "GET";
        request.target = "/";
        all.push_back(asio::co_spawn(client.loop.io, fetch(*client.pool, *parse_url(server.url()), {}, request), asio::use_future));
    }
    for (auto& one : all) EXPECT_TRUE(one.get());
    EXPECT_EQ(server.accepted(), 5);
    EXPECT_TRUE(eventually([&] { return open == 2; }, 1s));
    EXPECT_TRUE(eventually([&] { return open == 0; }, 4s));
}

TEST(Client, EarlyAnswerToALargeRequest) {
    // The server answers 413 without reading the 50 MB, and keeps the connection open.
    RawServer server([](Raw& c, int) {
        c.read_until("\r\n\r\n");
        c.send("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig");
        std::this_thread::sleep_for(300ms);
    });
    Client client;
    const auto begin = Clock::now();
    const Result<Fetched> got = client.get(server.url(), "POST", std::string(50u << 20, 'x'));
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(got->status, 413);
    EXPECT_EQ(got->body, "big");
    EXPECT_LT(Clock::now() - begin, 280ms);
}

TEST(Client, LargeRequestToASlowReader) {
    std::size_t received = 0;
    RawServer server([&](Raw& c, int) {
        std::string head = c.read_until("\r\n\r\n");
        while (received < (20u << 20)) {
            const std::string piece = c.read_some();
            if (piece.empty()) return;
            received += piece.size();
        }
        c.send(ok);
    });
    Client client;
    const Result<Fetched> got = client.get(server.url(), "POST", std::string(20u << 20, 'x'));
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(received, 20u << 20);
}

TEST(Client, TimeOuts) {
    RawServer silent([](Raw& c, int) {
        read_request(c);
        c.read_all(3s);
    });
    RawServer falls_silent([](Raw& c, int) {
        read_request(c);
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        c.read_all(3s);
    });
    RawServer slow([](Raw& c, int) {
        read_request(c);
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        for (int i = 0; i < 10; ++i) {
            std::this_thread::sleep_for(100ms);
            c.send("x");
        }
    });
    const Timeouts short_ones{.connect = 1s, .first_byte = 300ms, .silence = 300ms};
    const auto ended = [&](RawServer& server, const char* says) {
        Client client;
        const auto begin = Clock::now();
        const Result<Fetched> got = client.get(server.url(), "GET", "", short_ones);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Errc::upstream_timeout);
        EXPECT_NE(got.error().detail.find(says), std::string::npos) << got.error().detail;
        EXPECT_GE(Clock::now() - begin, 290ms);
        EXPECT_LT(Clock::now() - begin, 800ms);
    };
    ended(silent, "did not begin to answer within 300 ms");
    ended(falls_silent, "fell silent for 300 ms");
    Client client;
    EXPECT_TRUE(client.get(slow.url(), "GET", "", short_ones)) << "slow is not silent";
}

TEST(Client, ConnectTimeOut) {
    // A listener whose queue is full: the handshake never completes.
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    ASSERT_EQ(::listen(listener, 0), 0);  // binds to any free port
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
    std::vector<int> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        (void)::connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), length);
    }
    std::this_thread::sleep_for(50ms);
    const auto* bytes = reinterpret_cast<const unsigned char*>(&address);
    const int port = bytes[2] * 256 + bytes[3];
    Client client;
    const Result<Fetched> got = client.get("http://127.0.0.1:" + std::to_string(port), "GET", "", {.connect = 300ms});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::upstream_timeout);
    EXPECT_NE(got.error().detail.find("could not be reached within 300 ms"), std::string::npos) << got.error().detail;
    for (const int fd : fillers) ::close(fd);
    ::close(listener);
}

TEST(Client, FaultsOfConnecting) {
    std::uint16_t free_port = 0;
    {
        RawServer gone([](Raw&, int) {});
        free_port = gone.port();
    }
    Client client;
    const struct { const char* name; std::string url; const char* says; } cases[] = {
        {"refused", "http://127.0.0.1:" + std::to_string(free_port), "Connection refused"},
        {"no such socket", "unix:/nonexistent/socket", "No such file"},
        {"no such name", "http://no-such-host.invalid", "cannot find the address of no-such-host.invalid"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const Result<Fetched> got = client.get(c.url);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Errc::upstream_error);
        EXPECT_NE(got.error().detail.find(c.says), std::string::npos) << got.error().detail;
    }
}

TEST(Client, TriesEveryAddressOfAName) {
    // "localhost" is ::1 too on most machines; the server is on 127.0.0.1 alone.
    RawServer server([](Raw& c, int) {
        read_request(c);
        c.send(ok);
    });
    Client client;
    const Result<Fetched> got = client.get("http://localhost:" + std::to_string(server.port()));
    ASSERT_TRUE(got) << got.error().detail;
}

struct Cancelling {
    static awaitable<Result<ResponseHead>> begin(Call& call) {
        Request request;
        request.method = "GET";
        request.target = "/";
        co_return co_await exchange(call, std::move(request));
    }
    static awaitable<Result<std::string_view>> read(Call& call) { co_return co_await read_some(call); }
};

TEST(Client, CancelEndsEveryWait) {
    std::atomic<int> closed{0};
    RawServer silent([&closed](Raw& c, int) {
        read_request(c);
        c.read_all();
        ++closed;
    });
    RawServer begins([&closed](Raw& c, int) {
        read_request(c);
        c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        c.read_all();
        ++closed;
    });
    Client client;
    CallPtr call;
    {
        SCOPED_TRACE("waiting for the head");
        client.loop.call([&] { call = make_call(*client.pool, *parse_url(silent.url()), {}); });
        auto result = asio::co_spawn(client.loop.io, Cancelling::begin(*call), asio::use_future);
        std::this_thread::sleep_for(50ms);
        client.loop.call([&] {
            cancel(*call);
            cancel(*call);
        });
        EXPECT_EQ(result.get().error().code, Errc::cancelled);
        EXPECT_TRUE(eventually([&] { return closed == 1; }, 200ms)) << "the connection is closed at once";
    }
    {
        SCOPED_TRACE("in the body");
        client.loop.call([&] { call = make_call(*client.pool, *parse_url(begins.url()), {}); });
        ASSERT_TRUE(client.loop.run(Cancelling::begin(*call)));
        auto result = asio::co_spawn(client.loop.io, Cancelling::read(*call), asio::use_future);
        std::this_thread::sleep_for(20ms);
        client.loop.call([&] { cancel(*call); });
        EXPECT_EQ(result.get().error().code, Errc::cancelled);
        EXPECT_EQ(client.loop.run(Cancelling::read(*call)).error().code, Errc::cancelled) << "and every later one";
        EXPECT_TRUE(eventually([&] { return closed == 2; }, 200ms));
    }
    {
        SCOPED_TRACE("before it has begun");
        client.loop.call([&] {
            call = make_call(*client.pool, *parse_url(silent.url()), {});
            cancel(*call);
        });
        EXPECT_EQ(client.loop.run(Cancelling::begin(*call)).error().code, Errc::cancelled);
    }
    {
        SCOPED_TRACE("looking up a name");
        client.loop.call([&] { call = make_call(*client.pool, *parse_url("http://no-such-host.invalid"), {}); });
        auto result = asio::co_spawn(client.loop.io, Cancelling::begin(*call), asio::use_future);
        client.loop.call([&] { cancel(*call); });
        ASSERT_EQ(result.wait_for(200ms), std::future_status::ready);
        EXPECT_EQ(result.get().error().code, Errc::cancelled);
    }
    client.loop.call([&] { call.reset(); });
}

TEST(Client, AnAbandonedCallClosesItsConnection) {
    std::atomic<bool> closed{false};
    RawServer server([&closed](Raw& c, int) {
        read_request(c);
        c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        c.read_all();
        closed = true;
    });
    Client client;
    CallPtr call;
    client.loop.call([&] { call = make_call(*client.pool, *parse_url(server.url()), {}); });
    ASSERT_TRUE(client.loop.run(Cancelling::begin(*call)));
    EXPECT_EQ(client.loop.run(Cancelling::read(*call)).value(), "hello");
    client.loop.call([&] { call.reset(); });
    EXPECT_TRUE(eventually([&] { return closed.load(); }, 200ms));
}

TEST(Client, ABodyReadButForItsEmptyEndIsClean) {
    RawServer server([](Raw& c, int) {
        while (!read_request(c).empty()) c.send(ok);
    });
    Client client;
    for (int i = 0; i < 2; ++i) {
        CallPtr call;
        client.loop.call([&] { call = make_call(*client.pool, *parse_url(server.url()), {}); });
        ASSERT_TRUE(client.loop.run(Cancelling::begin(*call)));
        EXPECT_EQ(client.loop.run(Cancelling::read(*call)).value(), "ok");
        client.loop.call([&] { call.reset(); });
    }
    EXPECT_EQ(server.accepted(), 1);
}

awaitable<Result<std::string>> read_at_most(Call& call, std::size_t n) {
    const Result<ResponseHead> head = co_await Cancelling::begin(call);
    if (!head) co_return tl::unexpected(head.error());
    co_return co_await read_all(call, n);
}

TEST(Client, ReadAllIsBounded) {
    RawServer server([](Raw& c, int) {
        read_request(c);
        c.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'));
    });
    Client client;
    for (const auto& [limit, fits] : {std::pair{1000u, true}, std::pair{999u, false}}) {
        CallPtr call;
        client.loop.call([&] { call = make_call(*client.pool, *parse_url(server.url()), {}); });
        EXPECT_EQ(client.loop.run(read_at_most(*call, limit)).has_value(), fits);
        client.loop.call([&] { call.reset(); });
    }
}

awaitable<void> relay(Pool& pool, const Target& target, Exchange& x) {
    const CallPtr call = make_call(pool, target, {});
    on_gone(x, [c = call.get()] { cancel(*c); });
    Result<ResponseHead> head = co_await Cancelling::begin(*call);
    if (!head) co_return;
    co_await start(x, std::move(*head));
    for (;;) {
        const Result<std::string_view> piece = co_await read_some(*call);
        if (!piece) co_return co_await net::abort(x);
        if (piece->empty()) co_return (void)co_await finish(x);
        if (!co_await send(x, *piece)) co_return;
    }
}

TEST(Client, InAHandlerOfTheServer) {
    // Server and client in one loop: relayed to the end, cut upstream, client gone.
    std::atomic<int> upstream_closed{0};
    RawServer upstream([&](Raw& c, int number) {
        read_request(c);
        c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
        if (number == 0) {
            c.send("0\r\n\r\n");
        } else if (number == 2) {
            c.read_all();
            ++upstream_closed;
        }
    });
    const Target target = *parse_url(upstream.url());
    PoolPtr pool;
    {
        TestServer server([&](Exchange& x) { return relay(*pool, target, x); });
        server.loop.call([&] { pool = make_pool(server.loop.io.get_executor(), 0); });
        Raw whole(server.port()), cut(server.port()), leaves(server.port());
        whole.send(get_request("/"));
        EXPECT_TRUE(whole.read_until("0\r\n\r\n").ends_with("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
        cut.send(get_request("/"));
        EXPECT_TRUE(cut.read_all().ends_with("\r\n\r\n5\r\nhello\r\n"));
        leaves.send(get_request("/"));
        leaves.read_until("hello");
        leaves.close();
        EXPECT_TRUE(eventually([&] { return upstream_closed == 1; }, 200ms));
        server.drain_for(1s);
        server.loop.call([&] { pool.reset(); });
    }
}

}  // namespace
}  // namespace lc::net::test
