#include "support.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace lc::net::test {

TestServer::TestServer(Handler handler, ServerLimits limits, std::vector<Listen> listens) {
    loop.call([&] {
        ServerOptions options;
        options.limits = limits;
        options.handler = std::move(handler);
        options.error_page = [](const Error& error, int status) {
            Response page{status, {{"Content-Type", "text/plain"}}, error.detail};
            if (error.retry_after_s != 0) page.fields.push_back({"Retry-After", std::to_string(error.retry_after_s)});
            return page;
        };
        options.log_error = [this](std::string_view text) { logged.emplace_back(text); };
        auto made = serve(loop.io.get_executor(), std::move(listens), std::move(options));
        if (!made) throw std::runtime_error(made.error().detail);
        server_ = std::move(*made);
        addresses_ = addresses(*server_);
    });
}

TestServer::~TestServer() {
    loop.call([this] { server_.reset(); });
}

std::uint16_t TestServer::port() const {
    return static_cast<std::uint16_t>(std::stoi(addresses_.front().substr(addresses_.front().rfind(':') + 1)));
}

std::size_t TestServer::connections() {
    std::size_t n = 0;
    loop.call([&] { n = open_connections(*server_); });
    return n;
}

void TestServer::drain_for(std::chrono::milliseconds grace) { loop.run(drain(*server_, grace)); }

Raw::Raw(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("connect");
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Raw Raw::unix_socket(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("connect");
    return Raw(fd);
}

Raw::~Raw() { close(); }

bool Raw::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

std::string Raw::read_some(std::chrono::milliseconds limit) {
    if (!kept_.empty()) return std::exchange(kept_, {});
    pollfd p{fd_, POLLIN, 0};
    if (poll(&p, 1, static_cast<int>(limit.count())) != 1) return {};
    char bytes[16 << 10];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    closed_ = n <= 0;
    reset_ = n < 0;
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : std::string();
}

std::string Raw::read_until(std::string_view end, std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    std::string got;
    while (!closed_ && Clock::now() < until) {
        const std::size_t from = got.size() - std::min(got.size(), end.size());
        got += read_some(std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()));
        if (const std::size_t at = got.find(end, from); at != std::string::npos && !end.empty()) {
            kept_ = got.substr(at + end.size());
            got.resize(at + end.size());
            break;
        }
    }
    return got;
}

std::string Raw::read_all(std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    std::string got;
    while (!closed_ && Clock::now() < until) {
        got += read_some(std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()));
    }
    return got;
}

void Raw::half_close() { ::shutdown(fd_, SHUT_WR); }

void Raw::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

void Raw::reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
}

void Raw::small_buffers() {
    const int size = 4096;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

RawServer::RawServer(std::function<void(Raw&, int)> script) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(fd_, 64) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        throw std::runtime_error("listen");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, script = std::move(script)] {
        for (;;) {
            const int fd = ::accept(fd_, nullptr, nullptr);
            if (fd < 0) return;
            const int number = accepted_++;
            scripts_.emplace_back([fd, number, script] {
                Raw connection(fd);
                script(connection, number);
            });
        }
    });
}

RawServer::~RawServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
    for (std::thread& one : scripts_) one.join();
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
    const auto until = Clock::now() + limit;
    while (!condition()) {
        if (Clock::now() > until) return false;
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

std::string get_request(std::string_view path, std::string_view fields) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields) + "\r\n";
}

std::string post_request(std::string_view path, std::string_view body, std::string_view fields) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

int status_of(std::string_view answer) {
    return answer.starts_with("HTTP/1.1 ") && answer.size() > 12 ? std::atoi(std::string(answer.substr(9, 3)).c_str()) : 0;
}

std::string body_of(std::string_view answer) {
    const std::size_t at = answer.find("\r\n\r\n");
    return at == std::string_view::npos ? "" : std::string(answer.substr(at + 4));
}

Response answer(int status, std::string body, Fields fields) { return {status, std::move(fields), std::move(body)}; }

ResponseHead event_stream() { return {200, {{"Content-Type", "text/event-stream"}}}; }

awaitable<void> echo(Exchange& x) {
    Request& in = request(x);
    if (!in.target.starts_with("/echo")) {
        co_await respond(x, answer(200, in.target));
        co_return;
    }
    Response out = answer(200, std::move(in.body));
    set(out.fields, "X-Method", in.method);
    set(out.fields, "X-Target", in.target);
    set(out.fields, "X-Peer", in.peer);
    for (const Field& field : in.fields) out.fields.push_back({"X-Got-" + field.name, field.value});
    co_await respond(x, std::move(out));
}

TempDir::TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lc-net-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
}

TempDir::~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::size_t resident() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#endif
    std::ifstream in("/proc/self/statm");
    std::size_t total = 0, pages = 0;
    in >> total >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace lc::net::test
