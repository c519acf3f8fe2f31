#include "shell/net/message.hpp"

#include <gtest/gtest.h>

namespace lc::net {
namespace {

TEST(FindHeadEnd, HoweverTheInputIsSplit) {
    const struct { const char* name; std::string text; HeadEnd want; std::size_t size = 0; } cases[] = {
        {"whole", "GET / HTTP/1.1\r\nA: b\r\n\r\n", HeadEnd::found, 24},
        {"with more behind", "GET / HTTP/1.1\r\n\r\nbody\n", HeadEnd::found, 18},
        {"not yet", "GET / HTTP/1.1\r\nA: b\r\n", HeadEnd::more},
        {"not yet: last line feed", "GET / HTTP/1.1\r\nA: b\r\n\r", HeadEnd::more},
        {"bare line feed", "GET / HTTP/1.1\n", HeadEnd::malformed},
        {"bare line feed later", "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", HeadEnd::malformed},
        {"line feed first", "\nGET / HTTP/1.1\r\n", HeadEnd::malformed},
        {"folded", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", HeadEnd::malformed},
        {"folded by a tab", "GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", HeadEnd::malformed},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        for (std::size_t step = 1; step <= c.text.size(); ++step) {
            HeadScan scan;
            HeadEnd got = HeadEnd::more;
            for (std::size_t n = step; got == HeadEnd::more; n += step) {
                got = find_head_end(std::string_view(c.text).substr(0, n), scan);
                if (n >= c.text.size()) break;
            }
            EXPECT_EQ(got, c.want) << "in steps of " << step;
            if (c.want == HeadEnd::found) {
                EXPECT_EQ(scan.at, c.size);
            }
        }
    }
}

TEST(ParseRequestHead, WhatItSays) {
    const auto head = parse_request_head(
        "POST /v1/chat?x=%20 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 12\r\nX-Two: a\r\nx-two:  b \r\nExpect: 100-Continue\r\n"
        "Content-Encoding: GZIP\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(head);
    EXPECT_EQ(head->request.method, "POST");
    EXPECT_EQ(head->request.target, "/v1/chat?x=%20");
    EXPECT_EQ(head->request.version, 11);
    EXPECT_EQ(head->content_length, 12u);
    EXPECT_FALSE(head->chunked);
    EXPECT_FALSE(head->keep_alive);
    EXPECT_TRUE(head->expects_continue);
    EXPECT_EQ(head->coding, Coding::gzip);
    ASSERT_EQ(head->request.fields.size(), 7u);
    EXPECT_EQ(head->request.fields[2].name, "X-Two");
    EXPECT_EQ(head->request.fields[3].value, "b");
}

TEST(ParseRequestHead, Targets) {
    const struct { const char* line; const char* target; const char* host; } cases[] = {
        {"GET / HTTP/1.1", "/", "given"},
        {"GET /a//b?c#d HTTP/1.1", "/a//b?c#d", "given"},
        {"GET http://h/p?q HTTP/1.1", "/p?q", "h"},
        {"GET HTTPS://h:8 HTTP/1.1", "/", "h:8"},
        {"GET http://[::1]:8/ HTTP/1.1", "/", "[::1]:8"},
        {"GET http://h?q HTTP/1.1", "/?q", "h"},
        {"OPTIONS * HTTP/1.1", "*", "given"},
        {"CONNECT h:1 HTTP/1.1", "h:1", "given"},
        {"GET p HTTP/1.1", nullptr, ""},
        {"GET http:///p HTTP/1.1", nullptr, ""},
        {"GET file:///p HTTP/1.1", nullptr, ""},
        {"GET http://u:p@h/ HTTP/1.1", nullptr, ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.line);
        const auto head = parse_request_head(std::string(c.line) + "\r\nHost: given\r\n\r\n");
        ASSERT_EQ(head.has_value(), c.target != nullptr);
        if (!head) continue;
        EXPECT_EQ(head->request.target, c.target);
        EXPECT_EQ(get(head->request.fields, "host"), c.host);
    }
}

// Refusals have their table in tests/net/limits_test.cpp, where a whole server has to keep to them.

TEST(ParseAnswerHead, Framing) {
    const struct { const char* name; std::string head; bool ok; bool chunked = false; int length = -1; bool keep = true; } cases[] = {
        {"length", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", true, false, 7},
        {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", true, true},
        {"until close", "HTTP/1.1 200 OK\r\n\r\n", true},
        {"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", true, false, 0, false},
        {"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", true, false, 1, false},
        {"204 claims a body", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", true, false, 0},
        {"304 claims a body", "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", true, false, 0},
        {"both", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n", false},
        {"gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false},
        {"bad length", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false},
        {"bad status", "HTTP/1.1 2000 OK\r\n\r\n", false},
        {"other protocol", "ICY 200 OK\r\n\r\n", false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto head = parse_answer_head(c.head);
        ASSERT_EQ(head.has_value(), c.ok);
        if (!head) {
            EXPECT_EQ(head.error().code, Errc::upstream_error);
            continue;
        }
        EXPECT_EQ(head->chunked, c.chunked);
        EXPECT_EQ(head->content_length ? static_cast<int>(*head->content_length) : -1, c.length);
        if (c.length >= 0) {
            EXPECT_EQ(head->keep_alive, c.keep);
        }
    }
}

TEST(EncodeAnswerHead, FramingIsOursAlone) {
    const Fields fields = {{"Content-Length", "99"}, {"Connection", "upgrade"}, {"transfer-encoding", "gzip"},
                           {"Keep-Alive", "x"}, {"X-Kept", "a\r\nb\0c"}};
    EXPECT_EQ(encode_answer_head(200, fields, Framing::length, 5, "", "Date: d\r\n"),
              "HTTP/1.1 200 OK\r\nX-Kept: a  b\r\nDate: d\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(encode_answer_head(429, {{"date", "own"}}, Framing::chunked, 0, "close", "Date: d\r\n"),
              "HTTP/1.1 429 Too Many Requests\r\ndate: own\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(encode_answer_head(299, {}, Framing::none, 0, "", ""), "HTTP/1.1 299 \r\n\r\n");
}

TEST(EncodeRequestHead, SetsHostAndLength) {
    Request request;
    request.method = "POST";
    request.target = "/chat";
    request.fields = {{"host", "other"}, {"A", "b"}, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}};
    EXPECT_EQ(encode_request_head(request, "/v4", "h:1"),
              "POST /v4/chat HTTP/1.1\r\nHost: h:1\r\nA: b\r\nContent-Length: 0\r\n\r\n");
    request.method = "GET";
    EXPECT_EQ(encode_request_head(request, "", "h"), "GET /chat HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n");
}

TEST(Fields, GetSetErase) {
    Fields fields = {{"A", "1"}, {"b", "2"}, {"a", "3"}};
    EXPECT_EQ(get(fields, "a"), "1");
    EXPECT_EQ(get(fields, "c"), "");
    set(fields, "A", "4");
    ASSERT_EQ(fields.size(), 2u);
    EXPECT_EQ(get(fields, "a"), "4");
    net::erase(fields, "B");
    EXPECT_EQ(fields.size(), 1u);
}

}  // namespace
}  // namespace lc::net
