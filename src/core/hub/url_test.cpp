#include "core/hub/url.hpp"

#include <gtest/gtest.h>

namespace lc::hub {
namespace {

TEST(Url, Parse) {
    const struct {
        const char* name;
        const char* text;
        Url want;
    } good[] = {
        {"hub", "https://huggingface.co", {true, "huggingface.co", 443, "/"}},
        {"host in lower case", "HTTPS://HuggingFace.CO/A", {true, "huggingface.co", 443, "/A"}},
        {"port, path, query", "http://127.0.0.1:8080/a/b?c=d", {false, "127.0.0.1", 8080, "/a/b?c=d"}},
        {"IPv6", "http://[::1]:81/", {false, "::1", 81, "/"}},
        {"fragment dropped", "https://h/a#b", {true, "h", 443, "/a"}},
        {"signed",
         "https://cdn.h/x?Expires=1&Signature=a~b%2F_&Key-Pair-Id=K",
         {true, "cdn.h", 443, "/x?Expires=1&Signature=a~b%2F_&Key-Pair-Id=K"}},
        {"what servers send although they must not", "https://h/a b?x={|}", {true, "h", 443, "/a%20b?x=%7B%7C%7D"}},
    };
    for (const auto& c : good) {
        SCOPED_TRACE(c.name);
        const auto url = parse_url(c.text);
        ASSERT_TRUE(url) << url.error().detail;
        EXPECT_EQ(*url, c.want);
    }
    for (const char* bad :
         {"", "huggingface.co", "ftp://h/", "https://", "https://u:p@h/", "http://h:0/", "http://h:99999/",
          "http://h/a\r\nX: y", "file:///etc/passwd", "https://a%2fb/", "https://h:8443!a?b"}) {
        SCOPED_TRACE(bad);
        const auto url = parse_url(bad);
        ASSERT_FALSE(url);
        EXPECT_EQ(url.error().code, Errc::bad_request);
    }
}

TEST(Url, Endpoint) {
    EXPECT_EQ(parse_endpoint("https://h")->target, "");
    EXPECT_EQ(parse_endpoint("https://h/")->target, "");
    EXPECT_EQ(parse_endpoint("http://mirror:8080/hf//")->target, "/hf");
    EXPECT_FALSE(parse_endpoint("https://h/?a=b"));
    const Url mirror = *parse_endpoint("http://mirror:8080/hf/");
    EXPECT_EQ(listing_url(mirror, "o", "r").target, "/hf/api/models/o/r/tree/main?recursive=true");
    EXPECT_EQ(file_url(mirror, "o", "r", "Q4/a b%#?.gguf").target, "/hf/o/r/resolve/main/Q4/a%20b%25%23%3F.gguf");
}

TEST(Url, NoSignatureInMessages) {
    EXPECT_EQ(to_text(*parse_url("https://h:8443/x?Signature=secret")), "https://h:8443/x");
    EXPECT_EQ(to_text(*parse_url("http://[::1]/x?Signature=secret")), "http://[::1]/x");
    EXPECT_EQ(parse_url("ftp://h/x?Signature=secret").error().detail.find("secret"), std::string::npos);
    const auto url = follow(*parse_url("https://h/"), "http://h/x?Signature=secret", 0);
    EXPECT_EQ(url.error().detail.find("secret"), std::string::npos);
}

TEST(Url, TokenGoesToTheEndpointOnly) {
    const struct {
        const char* name;
        const char* endpoint;
        const char* url;
        bool want;
    } cases[] = {
        {"itself", "https://hub.co", "https://hub.co/x", true},
        {"case of the host", "https://Hub.co", "https://hub.CO/x", true},
        {"port written out", "https://hub.co", "https://hub.co:443/x", true},
        {"CDN", "https://hub.co", "https://cdn.hub.co/x", false},
        {"name that ends alike", "https://hub.co", "https://evilhub.co/x", false},
        {"name that begins alike", "https://hub.co", "https://hub.co.evil.com/x", false},
        {"another port", "https://hub.co", "https://hub.co:8443/x", false},
        {"not encrypted", "https://hub.co", "http://hub.co/x", false},
        {"not encrypted, same port", "https://hub.co:80", "http://hub.co/x", false},
        {"encrypted now", "http://hub.co", "https://hub.co/x", true},
        {"encrypted, but another port", "http://hub.co", "https://hub.co:8443/x", false},
        {"local", "http://127.0.0.1:5000", "http://127.0.0.1:5000/x", true},
        {"another local server", "http://127.0.0.1:5000", "http://127.0.0.1:5001/x", false},
        {"another name of this machine", "http://127.0.0.1:5000", "http://localhost:5000/x", false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(may_carry_token(*parse_url(c.url), *parse_endpoint(c.endpoint)), c.want);
    }
}

TEST(Url, Follow) {
    const Url from = *parse_url("https://hub.co/o/r/resolve/main/m.gguf?a=1");
    const struct {
        const char* name;
        const char* location;
        int followed;
        const char* want;  ///< empty: refused
    } cases[] = {
        {"absolute", "https://cdn.co/x?sig=1", 0, "https://cdn.co/x"},
        {"path", "/new/r/resolve/main/m.gguf", 0, "https://hub.co/new/r/resolve/main/m.gguf"},
        {"relative", "n.gguf", 0, "https://hub.co/o/r/resolve/main/n.gguf"},
        {"up", "../x", 0, "https://hub.co/o/r/resolve/x"},
        {"other host, same scheme", "//cdn.co/x", 0, "https://cdn.co/x"},
        {"tenth", "/x", 9, "https://hub.co/x"},
        {"eleventh", "/x", 10, ""},
        {"downgrade", "http://hub.co/x", 0, ""},
        {"empty", "", 0, ""},
        {"other scheme", "file:///etc/passwd", 0, ""},
        {"line break", "/x\r\nHost: y", 0, ""},
        {"user name", "https://hub.co@evil.com/", 0, ""},
        {"path without a slash", "https://cdn.co:8443!a", 0, ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto to = follow(from, c.location, c.followed);
        if (*c.want == '\0') {
            ASSERT_FALSE(to) << to_text(*to);
            EXPECT_EQ(to.error().code, Errc::upstream_error);
        } else {
            ASSERT_TRUE(to) << to.error().detail;
            EXPECT_EQ(to_text(*to), c.want);
        }
    }
    EXPECT_EQ(follow(from, "https://cdn.co/x?sig=1", 0)->target, "/x?sig=1");
    EXPECT_TRUE(follow(*parse_url("http://hub.co/"), "https://hub.co/", 0));
    EXPECT_TRUE(follow(*parse_url("http://127.0.0.1:1/"), "http://127.0.0.1:2/", 0))
        << "nothing is lost from http to http";
}

}  // namespace
}  // namespace lc::hub
