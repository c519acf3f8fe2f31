// What the server refuses: malformed and smuggled requests, too much, too slow, too many.
#include <gtest/gtest.h>
#include <zlib.h>

#include <boost/asio/steady_timer.hpp>

#include "support.hpp"

namespace lc::net::test {
namespace {

TEST(Limits, MalformedRequestsAreRefusedAndTheConnectionClosed) {
    TestServer server(echo);
    const std::string h = "Host: x\r\n";
    const struct { const char* name; std::string request; int status; } cases[] = {
        {"length and chunked", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"chunked and length", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
        {"two lengths", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
        {"the same length twice", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
        {"list of lengths", "POST / HTTP/1.1\r\n" + h + "Content-Length: 5, 5\r\n\r\nhello", 400},
        {"negative length", "POST / HTTP/1.1\r\n" + h + "Content-Length: -5\r\n\r\nhello", 400},
        {"plus", "POST / HTTP/1.1\r\n" + h + "Content-Length: +5\r\n\r\nhello", 400},
        {"hexadecimal length", "POST / HTTP/1.1\r\n" + h + "Content-Length: 0x5\r\n\r\nhello", 400},
        {"length over 64 bits", "POST / HTTP/1.1\r\n" + h + "Content-Length: 18446744073709551621\r\n\r\nhello", 400},
        {"empty length", "POST / HTTP/1.1\r\n" + h + "Content-Length:\r\n\r\nhello", 400},
        {"space before the colon", "POST / HTTP/1.1\r\n" + h + "Content-Length : 5\r\n\r\nhello", 400},
        {"tab before the colon", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400},
        {"folded line", "POST / HTTP/1.1\r\n" + h + "X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n", 400},
        {"folded with a tab", "POST / HTTP/1.1\r\n" + h + "X-A: b\r\n\tc\r\n\r\n", 400},
        {"bare line feeds", "GET / HTTP/1.1\nHost: x\n\n", 400},
        {"one bare line feed", "GET / HTTP/1.1\r\nHost: x\nX-A: b\r\n\r\n", 400},
        {"bare carriage return", "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n", 400},
        {"zero byte", "GET / HTTP/1.1\r\nHost: x\r\nX-A: b" + std::string(1, '\0') + "c\r\n\r\n", 400},
        {"control in the target", "GET /a\x01 HTTP/1.1\r\n" + h + "\r\n", 400},
        {"no colon", "GET / HTTP/1.1\r\n" + h + "nonsense\r\n\r\n", 400},
        {"empty name", "GET / HTTP/1.1\r\n" + h + ": x\r\n\r\n", 400},
        {"chunked twice", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501},
        {"chunked not last", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501},
        {"two fields", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"other transfer coding", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip\r\n\r\n", 501},
        {"chunked, disguised", "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: \x0b" "chunked\r\n\r\n0\r\n\r\n", 400},
        {"chunked in 1.0", "POST / HTTP/1.0\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
        {"two hosts", "GET / HTTP/1.1\r\n" + h + "Host: y\r\n\r\n", 400},
        {"no path", "GET x HTTP/1.1\r\n" + h + "\r\n", 400},
        {"other scheme", "GET ftp://x/ HTTP/1.1\r\n" + h + "\r\n", 400},
        {"user in the target", "GET http://u@x/ HTTP/1.1\r\n" + h + "\r\n", 400},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"HTTP/0.9", "GET /\r\n\r\n", 400},
        {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 12), 400},
        {"brotli", "POST / HTTP/1.1\r\n" + h + "Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx", 415},
        {"two codings", "POST / HTTP/1.1\r\n" + h + "Content-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\nx", 415},
        {"not gzip", "POST / HTTP/1.1\r\n" + h + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", 400},
        {"gzip cut short", "POST / HTTP/1.1\r\n" + h + "Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n" +
                               std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 10), 400},
        {"not zstd", "POST / HTTP/1.1\r\n" + h + "Content-Encoding: zstd\r\nContent-Length: 5\r\n\r\nhello", 400},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Raw client(server.port());
        client.send(c.request);
        client.half_close();
        const std::string got = client.read_all();
        EXPECT_EQ(status_of(got), c.status) << got;
        EXPECT_NE(got.find("\r\nConnection: close\r\n"), std::string::npos);
        EXPECT_EQ(got.find("HTTP/1.1", 5), std::string::npos) << "one answer, nothing of it served as a second request";
        EXPECT_TRUE(client.closed());
        EXPECT_FALSE(client.was_reset());
    }
}

TEST(Limits, MalformedChunks) {
    TestServer server(echo);
    const struct { const char* name; std::string body; } cases[] = {
        {"not hexadecimal", "g\r\nhello\r\n0\r\n\r\n"},
        {"empty size", "\r\nhello\r\n0\r\n\r\n"},
        {"negative", "-5\r\nhello\r\n0\r\n\r\n"},
        {"prefix", "0x5\r\nhello\r\n0\r\n\r\n"},
        {"space first", " 5\r\nhello\r\n0\r\n\r\n"},
        {"overflow", "10000000000000005\r\nhello\r\n0\r\n\r\n"},
        {"bare line feed", "5\nhello\n0\n\n"},
        {"data longer than said", "4\r\nhello\r\n0\r\n\r\n"},
        {"data shorter than said", "6\r\nhello\r\n0\r\n\r\n"},
        {"line feed in the extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"},
        {"endless extension", "5;" + std::string(5000, 'a') + "\r\nhello\r\n0\r\n\r\n"},
        {"endless trailers", "5\r\nhello\r\n0\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n"},
        {"bare line feed after the last chunk", "5\r\nhello\r\n0\r\n\n"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Raw client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + c.body);
        EXPECT_EQ(status_of(client.read_all()), 400);
        EXPECT_TRUE(client.closed());
    }
}

TEST(Limits, HeadTooLarge) {
    TestServer server(echo);
    const struct { const char* name; std::string request; } cases[] = {
        {"one long field", get_request("/", "X: " + std::string(65'000, 'a') + std::string(600, 'b') + "\r\n")},
        {"long target", get_request("/" + std::string(70'000, 'a'))},
        {"no end", "GET / HTTP/1.1\r\nX: " + std::string(1'000'000, 'a')},
        {"many fields", [] {
             std::string fields;
             for (int i = 0; i < 300; ++i) fields += "X-" + std::to_string(i) + ": y\r\n";
             return get_request("/", fields);
         }()},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Raw client(server.port());
        std::jthread sender([&] { client.send(c.request); });
        EXPECT_EQ(status_of(client.read_all()), 431);
        EXPECT_FALSE(client.was_reset());
    }
    Raw client(server.port());
    client.send(get_request("/ok", "X: " + std::string(64'000, 'a') + "\r\nConnection: close\r\n"));
    EXPECT_EQ(status_of(client.read_all()), 200);
}

std::string bomb(std::size_t size) {
    z_stream z{};
    deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string zeros(size, '\0'), out(deflateBound(&z, size), '\0');
    z.next_in = reinterpret_cast<Bytef*>(zeros.data());
    z.avail_in = static_cast<uInt>(size);
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

TEST(Limits, BodyTooLargeIsToldBeforeItHasCome) {
    TestServer server(echo, {.max_body_bytes = 1u << 20});
    const std::string large(30u << 20, 'x');
    const std::string small_bomb = bomb(100u << 20);
    ASSERT_LT(small_bomb.size(), 200'000u);
    const struct { const char* name; std::string request; int status; } cases[] = {
        {"by its length", post_request("/echo", large), 413},
        {"length nobody can send", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n", 413},
        {"by its chunks", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1e00000\r\n" + large, 413},
        {"exactly the limit", post_request("/echo", large.substr(0, 1u << 20), "Connection: close\r\n"), 200},
        {"gzip bomb", post_request("/echo", small_bomb, "Content-Encoding: gzip\r\n"), 413},
        {"gzip of exactly the limit", post_request("/echo", bomb(1u << 20), "Content-Encoding: gzip\r\nConnection: close\r\n"), 200},
        {"gzip of one more", post_request("/echo", bomb((1u << 20) + 1), "Content-Encoding: gzip\r\n"), 413},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const std::size_t before = resident();
        Raw client(server.port());
        std::jthread sender([&] { client.send(c.request); });
        const std::string got = client.read_all();
        EXPECT_EQ(status_of(got), c.status);
        EXPECT_FALSE(client.was_reset()) << "the client must be able to read the answer";
        EXPECT_LT(resident(), before + (16u << 20));
    }
}

TEST(Limits, SlowRequestsEnd) {
    TestServer server(echo, {.request_time = 400ms, .idle_time = 5s});
    const struct { const char* name; std::string first; } cases[] = {
        {"head", "GET / HT"},
        {"one field at a time", "GET / HTTP/1.1\r\n"},
        {"body", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"},
        {"chunked body", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Raw client(server.port());
        const auto begin = Clock::now();
        client.send(c.first);
        std::jthread drip([&](const std::stop_token& stop) {
            while (!stop.stop_requested() && client.send("X")) std::this_thread::sleep_for(20ms);
        });
        const std::string got = client.read_until("\r\n\r\n");
        EXPECT_EQ(status_of(got), 408);
        EXPECT_GT(Clock::now() - begin, 380ms);
        EXPECT_LT(Clock::now() - begin, 1500ms);
        drip.request_stop();
    }
}

TEST(Limits, IdleConnectionsEnd) {
    TestServer server(echo, {.idle_time = 400ms});
    Raw fresh(server.port()), used(server.port());
    used.send(get_request("/"));
    EXPECT_EQ(status_of(used.read_until("\r\n\r\n/")), 200);
    const auto begin = Clock::now();
    EXPECT_EQ(used.read_all(3s), "");
    EXPECT_TRUE(used.closed());
    EXPECT_EQ(fresh.read_all(3s), "");
    EXPECT_TRUE(fresh.closed());
    EXPECT_GT(Clock::now() - begin, 200ms);
    EXPECT_LT(Clock::now() - begin, 1500ms);
}

awaitable<void> wait_a_second(Exchange& x) {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1s);
    co_await timer.async_wait(asio::use_awaitable);
    co_await respond(x, answer(200, "late"));
}

TEST(Limits, RunningRequestsHaveNoDeadline) {
    TestServer server(wait_a_second, {.request_time = 200ms, .idle_time = 200ms, .write_stall = 200ms});
    Raw client(server.port());
    client.send(get_request("/"));
    EXPECT_TRUE(client.read_until("late").ends_with("late"));
}

TEST(Limits, TooManyConnections) {
    TestServer server(echo, {.max_connections = 3});
    std::vector<std::unique_ptr<Raw>> open;
    for (int i = 0; i < 3; ++i) {
        open.push_back(std::make_unique<Raw>(server.port()));
        open.back()->send(get_request("/a"));
        EXPECT_EQ(status_of(open.back()->read_until("\r\n\r\n/a")), 200);
    }
    for (int i = 0; i < 100; ++i) {
        Raw more(server.port());
        const std::string got = more.read_all();
        EXPECT_EQ(status_of(got), 503);
        EXPECT_NE(got.find("Retry-After: 1\r\n"), std::string::npos);
    }
    open.pop_back();
    EXPECT_TRUE(eventually([&] { return server.connections() < 3; }));
    Raw again(server.port());
    again.send(get_request("/b", "Connection: close\r\n"));
    EXPECT_EQ(status_of(again.read_all()), 200);
}

}  // namespace
}  // namespace lc::net::test
