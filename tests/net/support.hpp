// What the socket tests share: a network thread, a server on it, and raw sockets with nothing clever about them.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "shell/net/http_client.hpp"
#include "shell/net/http_server.hpp"

namespace lc::net::test {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// The network thread.
class Loop {
  public:
    Loop() : work_(io.get_executor()), thread_([this] { io.run(); }) {}
    ~Loop() {
        work_.reset();
        io.stop();
        thread_.join();
    }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Runs the coroutine on the network thread and waits for it.
    template <class T>
    T run(awaitable<T> coroutine) {
        return asio::co_spawn(io, std::move(coroutine), asio::use_future).get();
    }
    /// Calls the function on the network thread and waits for it.
    void call(const std::function<void()>& function) {
        std::promise<void> done;
        asio::post(io, [&] {
            function();
            done.set_value();
        });
        done.get_future().get();
    }
    asio::io_context io{1};

  private:
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

/// A server on a loop of its own, on a free port of 127.0.0.1 unless told otherwise.
class TestServer {
  public:
    explicit TestServer(Handler handler, ServerLimits limits = {}, std::vector<Listen> listens = {Listen{}});
    ~TestServer();
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] std::string address() const { return addresses_.front(); }
    [[nodiscard]] std::size_t connections();
    void drain_for(std::chrono::milliseconds grace);
    Loop loop;
    std::vector<std::string> logged;  ///< by log_error; read it on the loop, or when nothing runs

  private:
    ServerPtr server_;
    std::vector<std::string> addresses_;
};

/// A blocking socket.
class Raw {
  public:
    explicit Raw(std::uint16_t port);
    explicit Raw(int fd) : fd_(fd) {}
    ~Raw();
    Raw(Raw&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;
    static Raw unix_socket(const std::string& path);

    /// False when the other side has closed.
    bool send(std::string_view bytes);
    /// What comes until `end` has come, the other side closes, or `limit` is over.
    std::string read_until(std::string_view end, std::chrono::milliseconds limit = 5s);
    /// What comes until the other side closes; `closed` says whether it did.
    std::string read_all(std::chrono::milliseconds limit = 5s);
    std::string read_some(std::chrono::milliseconds limit = 5s);
    [[nodiscard]] bool closed() const { return closed_; }
    [[nodiscard]] bool was_reset() const { return reset_; }
    void half_close();
    void close();
    void reset();  ///< closes with RST
    void small_buffers();
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_ = -1;
    bool closed_ = false, reset_ = false;
    std::string kept_;  ///< read beyond an `end`
};

/// A scripted server: `script(connection, number of the connection)` runs in a thread of its own for each.
class RawServer {
  public:
    explicit RawServer(std::function<void(Raw&, int)> script);
    ~RawServer();
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] int accepted() const { return accepted_; }

  private:
    int fd_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> accepted_{0};
    std::thread thread_;
    std::vector<std::thread> scripts_;
};

/// Waits until the condition holds; false after `limit`.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = 5s);

/// "GET /path HTTP/1.1" with Host, further fields as given ("Name: value\r\n...").
std::string get_request(std::string_view path, std::string_view fields = "");
std::string post_request(std::string_view path, std::string_view body, std::string_view fields = "");

[[nodiscard]] int status_of(std::string_view answer);
[[nodiscard]] std::string body_of(std::string_view answer);

/// Made in functions of their own: g++ 12 rejects braced lists of fields inside a co_await expression.
[[nodiscard]] Response answer(int status, std::string body, Fields fields = {});
[[nodiscard]] ResponseHead event_stream();

/// Answers /echo with the body (and method, target and fields in X- fields), everything else with its target.
awaitable<void> echo(Exchange& exchange);

/// A folder of its own, removed at the end.
class TempDir {
  public:
    TempDir();
    ~TempDir();
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    [[nodiscard]] std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }

  private:
    std::string path_;
};

/// Resident memory of this process in bytes; 0 under a sanitizer, whose own memory it would mostly be.
[[nodiscard]] std::size_t resident();

}  // namespace lc::net::test
