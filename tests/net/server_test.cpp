// The server seen through raw sockets: what it accepts, answers and keeps open.
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "support.hpp"

namespace lc::net::test {
namespace {

TEST(Server, AnswersAndKeepsTheConnection) {
    TestServer server(echo);
    Raw client(server.port());
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(client.send(post_request("/echo?x=1", "hello")));
        const std::string head = client.read_until("\r\n\r\n");
        EXPECT_EQ(status_of(head), 200);
        EXPECT_NE(head.find("\r\nContent-Length: 5\r\n"), std::string::npos);
        EXPECT_NE(head.find("\r\nX-Target: /echo?x=1\r\n"), std::string::npos);
        EXPECT_NE(head.find("\r\nX-Peer: 127.0.0.1:"), std::string::npos);
        EXPECT_NE(head.find("\r\nDate: "), std::string::npos);
        EXPECT_EQ(head.find("Connection:"), std::string::npos);
        EXPECT_EQ(client.read_until("hello"), "hello");
    }
    EXPECT_EQ(server.connections(), 1u);
    client.close();
    EXPECT_TRUE(eventually([&] { return server.connections() == 0; }, 1s));
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
    TestServer server(echo);
    Raw client(server.port());
    std::string all, want;
    for (int i = 0; i < 500; ++i) {
        all += i % 2 == 0 ? get_request("/n" + std::to_string(i)) : post_request("/echo", "/n" + std::to_string(i));
    }
    std::jthread sender([&] { client.send(all); });
    for (int i = 0; i < 500; ++i) {
        SCOPED_TRACE(i);
        ASSERT_EQ(status_of(client.read_until("\r\n\r\n")), 200);
        const std::string body = "/n" + std::to_string(i);
        ASSERT_EQ(client.read_until(body), body);
    }
    sender.join();
}

awaitable<void> answer_late(Exchange& x) {
    if (request(x).target == "/slow") {
        asio::steady_timer timer(co_await asio::this_coro::executor, 150ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    co_await respond(x, answer(200, request(x).target));
}

TEST(Server, PipelinedBehindASlowOneWaitsItsTurn) {
    TestServer server(answer_late);
    Raw client(server.port());
    client.send(get_request("/slow") + get_request("/a") + get_request("/b", "Connection: close\r\n"));
    const std::string got = client.read_all();
    const std::size_t slow = got.find("\r\n\r\n/slow"), a = got.find("\r\n\r\n/a"), b = got.find("\r\n\r\n/b");
    EXPECT_LT(slow, a);
    EXPECT_LT(a, b);
    EXPECT_NE(b, std::string::npos);
    EXPECT_TRUE(client.closed());
}

TEST(Server, PipelinedInPartsWhileOneIsAnswered) {
    // Bytes come while a read is under way behind others that are then consumed.
    TestServer server(answer_late);
    Raw client(server.port());
    client.send(get_request("/slow"));
    std::this_thread::sleep_for(20ms);
    client.send(get_request("/a") + get_request("/b"));
    EXPECT_TRUE(client.read_until("/b").ends_with("\r\n\r\n/b"));
    client.send(get_request("/slow"));
    std::this_thread::sleep_for(20ms);
    client.send(get_request("/c") + "GET /d HT");
    EXPECT_TRUE(client.read_until("/slow").ends_with("\r\n\r\n/slow"));
    const std::string third = client.read_until("/c");
    EXPECT_TRUE(third.ends_with("\r\n\r\n/c"));
    EXPECT_EQ(third.rfind("HTTP/1.1 "), 0u) << "one answer: " << third;
    client.send("TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(client.read_all().ends_with("\r\n\r\n/d"));
}

TEST(Server, PipelinedBytesBeyondTheBoundStayInTheKernel) {
    // While one request is answered, a client pushes far more than is ever kept.
    TestServer server(answer_late);
    Raw client(server.port());
    const std::string one = get_request("/a", "X-Pad: " + std::string(8000, 'p') + "\r\n");
    std::string all = get_request("/slow");
    for (int i = 0; i < 500; ++i) all += one;  // 4 MB
    const std::size_t before = resident();
    std::jthread sender([&] { client.send(all); });
    EXPECT_TRUE(client.read_until("/slow").ends_with("\r\n\r\n/slow"));
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(client.read_until("\r\n\r\n/a").starts_with("HTTP/1.1 200 ")) << i;
    sender.join();
    EXPECT_LT(resident(), before + (3u << 20));
}

TEST(Server, HeadersByteByByte) {
    TestServer server(echo);
    Raw client(server.port());
    for (const char c : post_request("/echo", "abc")) {
        ASSERT_TRUE(client.send(std::string_view(&c, 1)));
        std::this_thread::sleep_for(200us);
    }
    EXPECT_TRUE(client.read_until("abc").ends_with("\r\n\r\nabc"));
}

TEST(Server, LargeBodyInBothDirections) {
    TestServer server(echo);
    Raw client(server.port());
    std::string body(20u << 20, 'x');
    for (std::size_t i = 0; i < body.size(); i += 97) body[i] = static_cast<char>('a' + i % 26);
    std::jthread sender([&] { client.send(post_request("/echo", body, "Connection: close\r\n")); });
    const std::string got = client.read_all(20s);
    sender.join();
    EXPECT_EQ(status_of(got), 200);
    EXPECT_TRUE(body_of(got) == body);
}

TEST(Server, ChunkedBodyHoweverItIsSplit) {
    TestServer server(echo);
    const std::string request =
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n00a ; name=\"v\"\r\n, world!!!\r\n0\r\nX-Trailer: dropped\r\n\r\n" + get_request("/next");
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, request.size()}) {
        SCOPED_TRACE(step);
        Raw client(server.port());
        for (std::size_t at = 0; at < request.size(); at += step) {
            ASSERT_TRUE(client.send(std::string_view(request).substr(at, step)));
            if (step < 10) std::this_thread::sleep_for(100us);
        }
        const std::string head = client.read_until("\r\n\r\n");
        EXPECT_EQ(status_of(head), 200);
        EXPECT_EQ(head.find("ransfer-"), std::string::npos) << "the framing is undone, so its field is gone";
        EXPECT_EQ(client.read_until("!!!"), "hello, world!!!");
        EXPECT_TRUE(client.read_until("/next").ends_with("\r\n\r\n/next"));
    }
}

std::string gzip(std::string_view text, int window_bits = 15 + 16) {
    z_stream z{};
    deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&z, text.size()), '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

std::string zstd(std::string_view text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

TEST(Server, CompressedBodies) {
    TestServer server(echo);
    std::string text;
    for (int i = 0; i < 300'000; ++i) text += std::to_string(i) + ",";  // 2 MB: several steps
    const struct { const char* name; const char* coding; std::string body; } cases[] = {
        {"gzip", "gzip", gzip(text)},
        {"x-gzip, upper case", "X-GZIP", gzip(text)},
        {"two members", "gzip", gzip(text.substr(0, 1000)) + gzip(text.substr(1000))},
        {"deflate", "deflate", gzip(text, 15)},
        {"raw deflate", "deflate", gzip(text, -15)},
        {"zstd", "zstd", zstd(text)},
        {"identity", "identity", text},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Raw client(server.port());
        std::jthread sender([&] {
            client.send(post_request("/echo", c.body, std::string("Connection: close\r\nContent-Encoding: ") + c.coding + "\r\n"));
        });
        const std::string got = client.read_all(10s);
        sender.join();
        EXPECT_EQ(status_of(got), 200);
        EXPECT_TRUE(body_of(got) == text) << body_of(got).substr(0, 200);
        if (std::string_view(c.name) != "identity") {
            EXPECT_EQ(got.find("X-Got-Content-Encoding"), std::string::npos);
        }
    }
}

TEST(Server, ExpectContinue) {
    TestServer server(echo, {.max_body_bytes = 1000});
    {
        SCOPED_TRACE("asked for");
        Raw client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("hello");
        EXPECT_TRUE(client.read_until("hello").ends_with("\r\n\r\nhello"));
    }
    {
        SCOPED_TRACE("too large: refused before");
        Raw client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
        EXPECT_EQ(status_of(client.read_all()), 413);
        EXPECT_TRUE(client.closed());
    }
    {
        SCOPED_TRACE("unknown expectation");
        Raw client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: coffee\r\n\r\nhello");
        EXPECT_EQ(status_of(client.read_all()), 417);
    }
    {
        SCOPED_TRACE("the body comes with the head");
        Raw client(server.port());
        client.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\nhello");
        EXPECT_EQ(status_of(client.read_all()), 200);
    }
}

TEST(Server, OldClientsAndMethods) {
    TestServer server(echo);
    const struct { const char* name; std::string request; bool closes; const char* has; const char* has_not; } cases[] = {
        {"1.0", "GET /a HTTP/1.0\r\n\r\n", true, "Connection: close", "chunked"},
        {"1.0 kept", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, "Connection: keep-alive", "chunked"},
        {"close", get_request("/a", "Connection: close\r\n"), true, "Connection: close", "chunked"},
        {"close in a list", get_request("/a", "Connection: foo, Close\r\n"), true, "Connection: close", "chunked"},
        {"HEAD", "HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", true, "Content-Length: 2\r\n", "\r\n\r\n/a"},
        {"absolute target", "GET http://example.org:80/echo?q HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n", true,
         "X-Target: /echo?q\r\n", "other"},
        {"its authority is the host", "GET http://example.org:80/echo HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n", true,
         "X-Got-Host: example.org:80\r\n", "other"},
        {"absolute without path", "GET http://example.org?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", true, "\r\n\r\n/?q", "?/q"},
        {"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n", true, "\r\n\r\na:1", "500"},
        {"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", true, "\r\n\r\n*", "500"},
        {"Upgrade", get_request("/a", "Connection: upgrade, close\r\nUpgrade: websocket\r\n"), true, "200 OK", "101"},
        {"empty lines first", "\r\n\r\n" + get_request("/a", "Connection: close\r\n"), true, "200 OK", "400"},
        {"strange method", "BREW /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", true, "200 OK", "400"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Raw client(server.port());
        client.send(c.request);
        const std::string got = client.read_all(c.closes ? 5s : 200ms);
        EXPECT_EQ(status_of(got), 200);
        EXPECT_EQ(client.closed(), c.closes);
        EXPECT_NE(got.find(c.has), std::string::npos) << got;
        EXPECT_EQ(got.find(c.has_not), std::string::npos) << got;
    }
}

TEST(Server, HalfClosedClientStillGetsAPlainAnswer) {
    TestServer server(answer_late);
    for (const char* path : {"/a", "/slow"}) {
        SCOPED_TRACE(path);
        Raw client(server.port());
        client.send(get_request(path) + get_request("/b"));
        client.half_close();
        const std::string got = client.read_all();
        EXPECT_NE(got.find(std::string("\r\n\r\n") + path), std::string::npos);
        EXPECT_NE(got.find("\r\n\r\n/b"), std::string::npos);
        EXPECT_TRUE(client.closed());
    }
    EXPECT_TRUE(eventually([&] { return server.connections() == 0; }, 1s));
}

awaitable<void> misbehave(Exchange& x) {
    const std::string target = request(x).target;
    if (target == "/throw") throw std::runtime_error("deliberate");
    if (target == "/late") {
        co_await start(x, event_stream());
        co_await send(x, "begun");
        throw std::runtime_error("deliberate");
    }
    if (target == "/twice") {
        co_await respond(x, answer(200, "one"));
        const Result<void> second = co_await respond(x, answer(200, "two"));
        EXPECT_EQ(second.error().code, Errc::internal);
    }
    if (target == "/split") {
        Response split = answer(200, "");
        set(split.fields, "X-A", "1\r\nX-Evil: 2");
        co_await respond(x, std::move(split));
    }
}

awaitable<void> braces(Exchange& x) {
    // A message made with braces within the co_await: twice destroyed by g++ 12 if it were an aggregate.
    std::string body = request(x).target + std::string(100, '.');
    if (request(x).target == "/whole") {
        co_await respond(x, Response{200, {}, std::move(body)});
    } else {
        co_await start(x, ResponseHead{200, {}});
        co_await send(x, std::move(body));
        co_await finish(x);
    }
}

TEST(Server, MessagesMadeInPlace) {
    static_assert(!std::is_aggregate_v<Request> && !std::is_aggregate_v<Response> && !std::is_aggregate_v<ResponseHead> &&
                  !std::is_aggregate_v<Target>);
    TestServer server(braces);
    Raw client(server.port());
    for (int i = 0; i < 10; ++i) {
        client.send(get_request("/whole") + get_request("/streamed"));
        EXPECT_TRUE(client.read_until("/whole" + std::string(100, '.')).starts_with("HTTP/1.1 200 OK\r\n"));
        EXPECT_TRUE(client.read_until("\r\n0\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

TEST(Server, HandlersThatFail) {
    TestServer server(misbehave);
    const auto ask = [&](const char* path) {
        Raw client(server.port());
        client.send(get_request(path));
        return client.read_all(300ms);
    };
    EXPECT_EQ(status_of(ask("/nothing")), 500);
    EXPECT_EQ(status_of(ask("/throw")), 500);
    const std::string late = ask("/late");
    EXPECT_TRUE(late.ends_with("5\r\nbegun\r\n")) << late;
    EXPECT_TRUE(ask("/twice").ends_with("\r\n\r\none"));
    EXPECT_EQ(ask("/split").find("\nX-Evil"), std::string::npos);
    server.loop.call([&] { EXPECT_EQ(server.logged.size(), 2u); });
}

}  // namespace
}  // namespace lc::net::test
