// Where the server listens: IPv4, IPv6, both, Unix sockets; and what it says when it cannot.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "support.hpp"

namespace lc::net::test {
namespace {

Listen at(std::string host, std::uint16_t port = 0) {
    Listen l;
    l.host = std::move(host);
    l.port = port;
    return l;
}

Listen at_path(std::string path) {
    Listen l;
    l.unix_path = std::move(path);
    return l;
}

bool has_ipv6() {
    asio::io_context io;
    return serve(io.get_executor(), {at("::1")}, {}).has_value();
}

Result<std::vector<std::string>> try_to(const std::vector<Listen>& listens) {
    asio::io_context io;
    auto server = serve(io.get_executor(), listens, {});
    if (!server) return tl::unexpected(server.error());
    return addresses(**server);
}

TEST(Listen, Addresses) {
    const auto v4 = try_to({at("127.0.0.1")});
    ASSERT_TRUE(v4);
    EXPECT_TRUE(v4->front().starts_with("http://127.0.0.1:"));
    EXPECT_FALSE(v4->front().ends_with(":0"));
    if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
    const auto both = try_to({at("localhost")});
    ASSERT_TRUE(both);
    ASSERT_EQ(both->size(), 2u);
    EXPECT_TRUE((*both)[1].starts_with("http://[::1]:"));
    EXPECT_EQ((*both)[0].substr((*both)[0].rfind(':')), (*both)[1].substr((*both)[1].rfind(':'))) << "one port";
}

TEST(Listen, Ipv6Works) {
    if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
    TestServer server(echo, {}, {at("::1")});
    Loop loop;
    PoolPtr pool;
    loop.call([&] { pool = make_pool(loop.io.get_executor()); });
    Request request;
    request.method = "GET";
    request.target = "/echo";
    const auto got = loop.run(fetch(*pool, *parse_url(server.address()), {}, request));
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_TRUE(get(got->fields, "X-Peer").starts_with("[::1]:"));
    EXPECT_TRUE(get(got->fields, "X-Got-Host").starts_with("[::1]:"));
    loop.call([&] { pool.reset(); });
}

TEST(Listen, Faults) {
    TestServer first(echo);
    TempDir dir;
    std::ofstream(dir.path("file")) << "precious";
    const struct { const char* name; Listen listen; std::string says; } cases[] = {
        {"port taken", at("127.0.0.1", first.port()), "port " + std::to_string(first.port()) + " is taken by another program"},
        {"what to do", at("127.0.0.1", first.port()), "choose another port"},
        {"a name", at("example.org"), "give an IP address"},
        {"not our address", at("192.0.2.1"), "no such address"},
        {"a file in the way", at_path(dir.path("file")), "is not a socket"},
        {"path too long", at_path(dir.path(std::string(120, 'x'))), "107"},
        {"no such folder", at_path(dir.path("no/socket")), "No such file"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto result = try_to({at("127.0.0.1"), c.listen});
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, Errc::bad_request);
        EXPECT_NE(result.error().detail.find(c.says), std::string::npos) << result.error().detail;
    }
    EXPECT_EQ(std::filesystem::file_size(dir.path("file")), 8u);
}

TEST(Listen, UnixSocket) {
    TempDir dir;
    const std::string path = dir.path("s");
    {
        TestServer server(echo, {}, {at_path(path)});
        EXPECT_EQ(server.address(), "unix:" + path);
        struct stat info {};
        ASSERT_EQ(lstat(path.c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0600u);
        Raw client = Raw::unix_socket(path);
        client.send(get_request("/echo"));
        const std::string got = client.read_until("\r\n\r\n");
        EXPECT_EQ(status_of(got), 200);
        EXPECT_NE(got.find("X-Peer: unix\r\n"), std::string::npos);
        client.close();

        const auto second = try_to({at_path(path)});
        ASSERT_FALSE(second) << "a living server's socket stays its own";
        EXPECT_NE(second.error().detail.find("in use by a running server"), std::string::npos) << second.error().detail;
        server.drain_for(1s);
        EXPECT_NE(lstat(path.c_str(), &info), 0) << "removed at drain";
    }
    {
        SCOPED_TRACE("stale");
        const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        ASSERT_EQ(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ::close(dead);
        ASSERT_TRUE(std::filesystem::exists(path));
        EXPECT_TRUE(try_to({at_path(path)})) << "a dead server's socket is replaced";
    }
    {
        SCOPED_TRACE("someone else's by now");
        auto server = std::make_unique<TestServer>(echo, ServerLimits{}, std::vector<Listen>{at_path(path)});
        std::filesystem::remove(path);
        std::ofstream(path) << "not ours";
        server.reset();
        EXPECT_TRUE(std::filesystem::exists(path)) << "not removed";
    }
}

TEST(Listen, ClientOverAUnixSocket) {
    TempDir dir;
    TestServer server(echo, {}, {at_path(dir.path("s"))});
    Loop loop;
    PoolPtr pool;
    loop.call([&] { pool = make_pool(loop.io.get_executor()); });
    for (int i = 0; i < 2; ++i) {
        Request request;
        request.method = "POST";
        request.target = "/echo";
        request.body = "hello";
        const auto got = loop.run(fetch(*pool, *parse_url(server.address()), {}, std::move(request)));
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(got->body, "hello");
        EXPECT_EQ(get(got->fields, "X-Got-Host"), "localhost");
    }
    EXPECT_EQ(server.connections(), 1u);
    loop.call([&] { pool.reset(); });
}

}  // namespace
}  // namespace lc::net::test
