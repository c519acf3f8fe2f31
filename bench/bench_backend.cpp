// A backend that costs as little as possible: reads a request, answers at once. So what a measurement adds to it is what
// stands in between. Streams: `tokens` frames at once, or at a rate when the body says "bench_rate":N ("bench_tokens":N).
#include <boost/asio.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using namespace std::chrono;

namespace {

constexpr auto use = asio::as_tuple(asio::use_awaitable);

std::string chunked(std::string_view data) {
    char size[20];
    const int n = std::snprintf(size, sizeof size, "%zx\r\n", data.size());
    return std::string(size, static_cast<std::size_t>(n)).append(data).append("\r\n");
}

std::string token_frame() {
    return R"(data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]})"
           "\n\n";
}

std::string last_frames() {
    return R"(data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7000,"completion_tokens":16,"total_tokens":7016}})"
           "\n\ndata: [DONE]\n\n";
}

std::string whole_answer() {
    const std::string body =
        R"({"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"ok ok ok ok ok ok ok ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7000,"completion_tokens":8,"total_tokens":7008}})";
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

constexpr std::string_view stream_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The number behind `"name":` in a JSON text, or `fallback`.
long number_in(std::string_view body, std::string_view name, long fallback) {
    const auto at = body.find(name);
    if (at == std::string_view::npos) return fallback;
    const char* from = body.data() + at + name.size();
    std::from_chars(from, body.data() + body.size(), fallback);
    return fallback;
}

/// Content-Length of a head whose field names may be in any case.
std::size_t content_length(std::string_view head) {
    for (const std::string_view name : {"\r\ncontent-length:", "\r\nContent-Length:"}) {
        if (const auto at = head.find(name); at != std::string_view::npos) {
            return static_cast<std::size_t>(std::strtoul(head.data() + at + name.size(), nullptr, 10));
        }
    }
    return 0;
}

awaitable<bool> stream_at_rate(tcp::socket& socket, long tokens, long rate) {
    const std::string frame = chunked(token_frame());
    asio::steady_timer timer(socket.get_executor());
    const auto began = steady_clock::now();
    for (long i = 0; i < tokens; ++i) {
        timer.expires_at(began + i * nanoseconds(1'000'000'000 / rate));
        co_await timer.async_wait(use);
        if (auto [ec, n] = co_await asio::async_write(socket, asio::buffer(frame), use); ec) co_return false;
    }
    co_return true;
}

awaitable<void> serve(tcp::socket socket) {
    static const std::string whole = whole_answer();
    static const std::string burst = [] {
        std::string all(stream_head);
        for (int i = 0; i < 16; ++i) all += chunked(token_frame());
        return all + chunked(last_frames()) + "0\r\n\r\n";
    }();
    socket.set_option(tcp::no_delay(true));
    std::string buffer;
    while (true) {
        auto [ec, head_size] = co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n\r\n", use);
        if (ec) co_return;
        const std::size_t size = head_size + content_length(std::string_view(buffer).substr(0, head_size));
        if (buffer.size() < size) {
            auto [ec2, n] = co_await asio::async_read(socket, asio::dynamic_buffer(buffer),
                                                      asio::transfer_exactly(size - buffer.size()), use);
            if (ec2) co_return;
        }
        const auto body = std::string_view(buffer).substr(head_size, size - head_size);
        const bool streamed = body.find("\"stream\":true") != std::string_view::npos;
        const long rate = number_in(body, "\"bench_rate\":", 0);
        const long tokens = number_in(body, "\"bench_tokens\":", 0);
        buffer.erase(0, size);
        if (streamed && rate > 0) {
            auto [ec3, n] = co_await asio::async_write(socket, asio::buffer(stream_head), use);
            if (ec3 || !co_await stream_at_rate(socket, tokens, rate)) co_return;
            const std::string end = chunked(last_frames()) + "0\r\n\r\n";
            auto [ec4, m] = co_await asio::async_write(socket, asio::buffer(end), use);
            if (ec4) co_return;
            continue;
        }
        auto [ec5, n] = co_await asio::async_write(socket, asio::buffer(streamed ? burst : whole), use);
        if (ec5) co_return;
    }
}

awaitable<void> accept_all(tcp::acceptor& acceptor) {
    while (true) {
        auto [ec, socket] = co_await acceptor.async_accept(use);
        if (ec) co_return;
        asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: bench_backend PORT\n");
        return 2;
    }
    asio::io_context io(1);
    tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), static_cast<unsigned short>(std::atoi(argv[1]))});
    asio::co_spawn(io, accept_all(acceptor), asio::detached);
    asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&io](auto, int) { io.stop(); });
    io.run();
}
