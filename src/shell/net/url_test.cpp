#include <gtest/gtest.h>

#include "shell/net/http_client.hpp"

namespace lc::net {
namespace {

TEST(ParseUrl, WhatItAccepts) {
    const struct { const char* url; const char* host; int port; bool tls; const char* base_path; } cases[] = {
        {"http://127.0.0.1:8080", "127.0.0.1", 8080, false, ""},
        {"http://localhost", "localhost", 80, false, ""},
        {"https://api.z.ai/api/coding/paas/v4", "api.z.ai", 443, true, "/api/coding/paas/v4"},
        {"HTTPS://Example.org:8443/", "Example.org", 8443, true, ""},
        {"http://host/base//", "host", 80, false, "/base"},
        {"http://[::1]:8080/v1", "::1", 8080, false, "/v1"},
        {"http://host/a%20b", "host", 80, false, "/a%20b"},
        {"http://host:/v1", "host", 80, false, "/v1"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.url);
        const Result<Target> got = parse_url(c.url);
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(got->host, c.host);
        EXPECT_EQ(got->port, c.port);
        EXPECT_EQ(got->tls, c.tls);
        EXPECT_EQ(got->base_path, c.base_path);
        EXPECT_EQ(got->unix_path, "");
        EXPECT_EQ(got->ca_file, "");
    }
    for (const char* url : {"unix:/run/engine.sock", "unix:///run/engine.sock"}) {
        SCOPED_TRACE(url);
        const Result<Target> got = parse_url(url);
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(got->unix_path, "/run/engine.sock");
        EXPECT_EQ(got->host, "");
    }
}

TEST(ParseUrl, WhatItRefusesAndWhy) {
    const std::string long_path = "unix:/" + std::string(120, 'x');
    const struct { const char* url; const char* says; } cases[] = {
        {"", "http://host:port"},
        {"localhost:8080", "scheme must be"},
        {"//host", "http://host:port"},
        {"host", "http://host:port"},
        {"ftp://host", "scheme must be"},
        {"http://", "no host"},
        {"http:///path", "no host"},
        {"http://host:0", "port"},
        {"http://host:65536", "port"},
        {"http://host:99999/v1", "port"},
        {"http://host:80x/v1", "port"},
        {"http://host:http", "port"},
        {"http://user:secret@host", "user name"},
        {"http://host/?key=secret", "no query"},
        {"http://host/#a", "no fragment"},
        {"http://ho st/", "http://host:port"},
        {"http://ho%20st/", "its host"},
        {"http://[::1/", "http://host:port"},
        {"unix:", "absolute path"},
        {"unix:run/sock", "absolute path"},
        {long_path.c_str(), "107"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.url);
        const Result<Target> got = parse_url(c.url);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Errc::bad_request);
        EXPECT_NE(got.error().detail.find(c.says), std::string::npos) << got.error().detail;
        EXPECT_EQ(got.error().detail.find("secret"), std::string::npos) << got.error().detail;
    }
}

}  // namespace
}  // namespace lc::net
