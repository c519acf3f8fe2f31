#include <gtest/gtest.h>

#include "core/access/host.hpp"
#include "core/access/keys.hpp"
#include "core/access/origin.hpp"

namespace lc::access {

using Strings = std::vector<std::string>;

TEST(Keys, Authorise) {
    const std::vector<KeyDigest> keys = {make_key("alice", "key-a"), make_key("bob", "key-b")};
    const struct {
        const char* name;
        Credentials given;
        Decision want;
    } cases[] = {
        {"nothing", {}, {Verdict::missing, 0}},
        {"bearer", {"Bearer key-a", "", ""}, {Verdict::granted, 0}},
        {"bearer, second key", {"Bearer key-b", "", ""}, {Verdict::granted, 1}},
        {"scheme in lower case", {"bearer key-b", "", ""}, {Verdict::granted, 1}},
        {"spaces around", {"Bearer   key-b ", "", ""}, {Verdict::granted, 1}},
        {"x-api-key", {"", "key-a", ""}, {Verdict::granted, 0}},
        {"api-key", {"", "", "key-b"}, {Verdict::granted, 1}},
        {"wrong", {"Bearer key-c", "", ""}, {Verdict::wrong, 0}},
        {"a prefix of a key", {"Bearer key-", "", ""}, {Verdict::wrong, 0}},
        {"longer than a key", {"Bearer key-aa", "", ""}, {Verdict::wrong, 0}},
        {"wrong in one header, right in another", {"Bearer dummy", "key-a", ""}, {Verdict::granted, 0}},
        {"right, then wrong", {"Bearer key-a", "dummy", ""}, {Verdict::granted, 0}},
        {"another scheme", {"Basic a2V5LWE=", "", ""}, {Verdict::wrong, 0}},
        {"scheme without key", {"Bearer ", "", ""}, {Verdict::wrong, 0}},
        {"key without scheme", {"key-a", "", ""}, {Verdict::wrong, 0}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(authorise(c.given, keys), c.want);
    }
    EXPECT_EQ(authorise({}, {}), (Decision{Verdict::open, 0}));
    EXPECT_EQ(authorise({"Bearer x", "", ""}, {}), (Decision{Verdict::open, 0}));
}

TEST(Keys, OnlyHealthIsOpen) {
    EXPECT_FALSE(needs_key("/health"));
    EXPECT_FALSE(needs_key("/v1/health"));
    EXPECT_FALSE(needs_key("/v1/health/"));
    for (const char* path :
         {"/", "/healthz", "/health/x", "/v1/models", "/metrics", "/version", "/localcode/v1/status"}) {
        SCOPED_TRACE(path);
        EXPECT_TRUE(needs_key(path));
    }
}

TEST(Host, Parse) {
    const struct {
        std::string_view in;
        std::optional<HostPort> want;
    } cases[] = {
        {"localhost", HostPort{"localhost", 0}},
        {"LocalHost:4242", HostPort{"localhost", 4242}},
        {"localhost.:4242", HostPort{"localhost", 4242}},
        {"127.0.0.1:1", HostPort{"127.0.0.1", 1}},
        {"[::1]:4242", HostPort{"::1", 4242}},
        {"[::1]", HostPort{"::1", 0}},
        {"", std::nullopt},
        {":80", std::nullopt},
        {"::1", std::nullopt},
        {"[::1", std::nullopt},
        {"[::1]x", std::nullopt},
        {"[evil]:1", std::nullopt},
        {"a:", std::nullopt},
        {"a:b", std::nullopt},
        {"a:-1", std::nullopt},
        {"a:+1", std::nullopt},
        {"a:65536", std::nullopt},
        {"a b", std::nullopt},
        {"a@b", std::nullopt},
        {"a/b", std::nullopt},
        {std::string_view("a\0b", 3), std::nullopt},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(std::string(c.in));
        EXPECT_EQ(parse_host(c.in), c.want);
    }
}

TEST(Host, Loopback) {
    for (const char* yes : {"localhost", "LOCALHOST", "localhost.", "api.localhost", "127.0.0.1", "127.9.9.9", "::1",
                            "[::1]", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"}) {
        SCOPED_TRACE(yes);
        EXPECT_TRUE(loopback(yes));
    }
    for (const char* no : {"", "0.0.0.0", "::", "192.168.1.2", "128.0.0.1", "localhost.evil.com", "evillocalhost",
                           "127.0.0.1.evil.com", "127.1", "fe80::1", "box.lan"}) {
        SCOPED_TRACE(no);
        EXPECT_FALSE(loopback(no));
    }
}

TEST(Host, Allowed) {
    const struct {
        const char* name;
        std::optional<std::string_view> host;
        int version;
        std::string_view listen;
        Strings allowed;
        bool want;
    } cases[] = {
        {"loopback address", "127.0.0.1:4242", 11, "127.0.0.1", {}, true},
        {"localhost", "localhost:4242", 11, "127.0.0.1", {}, true},
        {"IPv6 loopback", "[::1]:4242", 11, "127.0.0.1", {}, true},
        {"through a tunnel: another port", "localhost:9999", 11, "127.0.0.1", {}, true},
        {"rebound name", "evil.example:4242", 11, "127.0.0.1", {}, false},
        {"rebound name, wildcard listener", "evil.example:4242", 11, "0.0.0.0", {}, false},
        {"name that looks like loopback", "127.0.0.1.evil.example", 11, "127.0.0.1", {}, false},
        {"an address, loopback listener", "192.168.1.5:4242", 11, "127.0.0.1", {}, false},
        {"an address, wildcard listener", "192.168.1.5:4242", 11, "0.0.0.0", {}, true},
        {"an IPv6 address, wildcard listener", "[fe80::1]:4242", 11, "::", {}, true},
        {"the listening address", "192.168.1.5:4242", 11, "192.168.1.5", {}, true},
        {"the listening IPv6 address, written differently", "[2001:db8:0::1]", 11, "2001:db8::1", {}, true},
        {"the listening name", "box.lan:4242", 11, "box.lan", {}, true},
        {"allowed name", "box.lan:4242", 11, "0.0.0.0", {"box.lan"}, true},
        {"allowed name with this port", "box.lan:4242", 11, "0.0.0.0", {"box.lan:4242"}, true},
        {"allowed name with another port", "box.lan:1", 11, "0.0.0.0", {"box.lan:4242"}, false},
        {"allowed suffix", "a.example.com", 11, "0.0.0.0", {"*.example.com"}, true},
        {"suffix is not the name itself", "example.com", 11, "0.0.0.0", {"*.example.com"}, false},
        {"suffix at a dot only", "badexample.com", 11, "0.0.0.0", {"*.example.com"}, false},
        {"everything allowed", "whatever", 11, "0.0.0.0", {"*"}, true},
        {"malformed, everything allowed", "a b", 11, "0.0.0.0", {"*"}, false},
        {"missing in HTTP/1.1", std::nullopt, 11, "127.0.0.1", {"*"}, false},
        {"missing in HTTP/1.0", std::nullopt, 10, "127.0.0.1", {}, true},
        {"empty", "", 11, "127.0.0.1", {}, false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(host_allowed(c.host, c.version, c.listen, c.allowed), c.want);
    }
}

TEST(Origin, Allowed) {
    const struct {
        const char* name;
        std::optional<std::string_view> origin;
        Strings cors;
        std::string_view host;
        bool want;
    } cases[] = {
        {"none", std::nullopt, {}, "127.0.0.1:4242", true},
        {"same origin", "http://127.0.0.1:4242", {}, "127.0.0.1:4242", true},
        {"same origin, default port", "https://box.lan", {}, "box.lan", true},
        {"same origin, default port given", "http://box.lan", {}, "box.lan:80", true},
        {"same origin, other case", "http://LocalHost:4242", {}, "localhost:4242", true},
        {"localhost and its address are two origins", "http://localhost:4242", {}, "127.0.0.1:4242", false},
        {"another port of localhost", "http://localhost:3000", {}, "localhost:4242", false},
        {"foreign page", "https://evil.example", {}, "127.0.0.1:4242", false},
        {"configured", "https://chat.example", {"https://chat.example"}, "127.0.0.1:4242", true},
        {"configured with a slash", "https://chat.example", {"https://chat.example/"}, "127.0.0.1:4242", true},
        {"configured, other scheme", "http://chat.example", {"https://chat.example"}, "127.0.0.1:4242", false},
        {"longer than configured", "https://chat.example.evil", {"https://chat.example"}, "127.0.0.1:4242", false},
        {"any", "https://evil.example", {"*"}, "127.0.0.1:4242", true},
        {"null", "null", {}, "127.0.0.1:4242", false},
        {"null is not in any", "null", {"*"}, "127.0.0.1:4242", false},
        {"null configured", "null", {"null"}, "127.0.0.1:4242", true},
        {"empty", "", {}, "127.0.0.1:4242", false},
        {"extension", "chrome-extension://abc", {"chrome-extension://abc"}, "127.0.0.1:4242", true},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(origin_allowed(c.origin, c.cors, c.host), c.want);
    }
}

std::string value(const Headers& headers, std::string_view name) {
    for (const auto& [key, text] : headers) {
        if (key == name) return text;
    }
    return "(none)";
}

TEST(Origin, CorsHeaders) {
    const Strings cors = {"https://chat.example"};
    EXPECT_TRUE(cors_headers("https://chat.example", {}).empty());
    const auto good = cors_headers("https://chat.example", cors);
    EXPECT_EQ(value(good, "access-control-allow-origin"), "https://chat.example");
    EXPECT_EQ(value(good, "vary"), "origin");
    EXPECT_EQ(value(good, "access-control-allow-credentials"), "(none)");
    EXPECT_EQ(value(cors_headers("https://evil.example", cors), "access-control-allow-origin"), "(none)");
    EXPECT_EQ(value(cors_headers(std::nullopt, cors), "vary"), "origin");
}

TEST(Origin, Preflight) {
    const Strings cors = {"https://chat.example"};
    const Preflight good{"https://chat.example", "POST", "authorization, content-type", false};
    const auto answer = preflight(good, cors);
    ASSERT_TRUE(answer);
    EXPECT_EQ(value(*answer, "access-control-allow-origin"), "https://chat.example");
    EXPECT_EQ(value(*answer, "access-control-allow-headers"), "authorization, content-type");
    EXPECT_NE(value(*answer, "access-control-allow-methods").find("POST"), std::string::npos);
    EXPECT_EQ(value(*answer, "access-control-allow-private-network"), "(none)");

    auto local = good;
    local.private_network = true;
    EXPECT_EQ(value(*preflight(local, cors), "access-control-allow-private-network"), "true");

    auto split = good;
    split.request_headers = "a\r\nset-cookie: x";
    EXPECT_EQ(value(*preflight(split, cors), "access-control-allow-headers"), "(none)");

    EXPECT_FALSE(preflight(good, {}));
    EXPECT_FALSE(preflight({"https://evil.example", "POST", "", false}, cors));
    EXPECT_FALSE(preflight({"https://chat.example", "", "", false}, cors));
    EXPECT_FALSE(preflight({"", "POST", "", false}, cors));
}

}  // namespace lc::access
