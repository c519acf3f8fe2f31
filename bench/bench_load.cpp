// A load generator for one kind of request: keep-alive connections that each send the next request when the answer is
// whole. Every answer is checked: status 200 and, when streamed, the last chunk after [DONE]. Prints one line of JSON.
//
//   bench_load PORT BODY-FILE CONNECTIONS REQUESTS      latency: REQUESTS in all, after 50 that are not counted
//   bench_load PORT BODY-FILE STREAMS --tokens N        one request on each of STREAMS connections; counts N token frames
//   ... --path PATH                                     instead of /v1/chat/completions; comes last
#include <algorithm>
#include <boost/asio.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
using asio::awaitable;
using asio::ip::tcp;
using namespace std::chrono;

namespace {

constexpr auto use = asio::as_tuple(asio::use_awaitable);
constexpr auto time_limit = seconds(300);  // of the whole run: it must end

struct Run {
    std::string request;
    long warm_up = 50, left = 0, errors = 0;
    long tokens_expected = 0;  ///< per stream; 0: not counted
    std::vector<double> us, first_us;
};

struct Answer {
    bool ok = false;
    long tokens = 0;
    steady_clock::time_point first_byte{};
};

bool head_says(std::string_view head, std::string_view lower_case_field) {
    return std::search(head.begin(), head.end(), lower_case_field.begin(), lower_case_field.end(),
                       [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; }) != head.end();
}

std::size_t length_of(std::string_view head) {
    constexpr std::string_view name = "content-length:";
    const auto at = std::search(head.begin(), head.end(), name.begin(), name.end(),
                                [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
    return at == head.end() ? 0 : static_cast<std::size_t>(std::strtoul(&*at + name.size(), nullptr, 10));
}

/// Reads one answer; what follows it stays in `buffer`.
awaitable<Answer> read_answer(tcp::socket& socket, std::string& buffer) {
    Answer answer;
    auto [ec, head_size] = co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n\r\n", use);
    if (ec) co_return answer;
    answer.first_byte = steady_clock::now();
    const std::string head = buffer.substr(0, head_size);
    buffer.erase(0, head_size);
    const bool good = head.compare(0, 12, "HTTP/1.1 200") == 0;
    if (!head_says(head, "transfer-encoding: chunked")) {
        const auto size = length_of(head);
        if (buffer.size() < size) {
            auto [ec2, n] = co_await asio::async_read(socket, asio::dynamic_buffer(buffer),
                                                      asio::transfer_exactly(size - buffer.size()), use);
            if (ec2) co_return answer;
        }
        buffer.erase(0, size);
        answer.ok = good;
        co_return answer;
    }
    std::string frames;  // unchunked bytes that are no whole frame yet
    bool done = !head_says(head, "text/event-stream");  // only an event stream has a last event
    while (true) {
        const auto line_end = buffer.find("\r\n");
        std::size_t size = 0;
        if (line_end != std::string::npos) std::from_chars(buffer.data(), buffer.data() + line_end, size, 16);
        if (line_end == std::string::npos || buffer.size() < line_end + 2 + size + 2) {
            char piece[16384];
            auto [ec3, n] = co_await socket.async_read_some(asio::buffer(piece), use);
            if (ec3) co_return answer;
            buffer.append(piece, n);
            continue;
        }
        if (size == 0) {
            buffer.erase(0, line_end + 4);
            answer.ok = good && done;
            co_return answer;
        }
        frames.append(buffer, line_end + 2, size);
        buffer.erase(0, line_end + 2 + size + 2);
        std::size_t begin = 0;
        for (auto end = frames.find("\n\n"); end != std::string::npos; end = frames.find("\n\n", begin)) {
            const auto frame = std::string_view(frames).substr(begin, end - begin);
            if (frame.find("\" token\"") != std::string_view::npos) ++answer.tokens;
            if (frame == "data: [DONE]") done = true;
            begin = end + 2;
        }
        frames.erase(0, begin);
    }
}

awaitable<void> client(Run& run, unsigned short port) {
    const auto executor = co_await asio::this_coro::executor;
    tcp::socket socket(executor);
    std::string buffer;
    bool open = false;
    while (run.left > 0) {
        --run.left;
        if (!open) {
            auto [ec] = co_await socket.async_connect({asio::ip::make_address("127.0.0.1"), port}, use);
            if (ec) {
                ++run.errors;
                co_return;
            }
            socket.set_option(tcp::no_delay(true));
            open = true;
        }
        const auto began = steady_clock::now();
        auto [ec, n] = co_await asio::async_write(socket, asio::buffer(run.request), use);
        Answer answer;
        if (!ec) answer = co_await read_answer(socket, buffer);
        const auto ended = steady_clock::now();
        if (!answer.ok || (run.tokens_expected > 0 && answer.tokens != run.tokens_expected)) {
            ++run.errors;
            socket.close();
            socket = tcp::socket(executor);
            buffer.clear();
            open = false;
            continue;
        }
        if (run.warm_up > 0) {
            --run.warm_up;
            continue;
        }
        run.us.push_back(duration<double, std::micro>(ended - began).count());
        run.first_us.push_back(duration<double, std::micro>(answer.first_byte - began).count());
    }
}

double at(std::vector<double>& sorted, double share) {
    if (sorted.empty()) return 0;
    return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

}  // namespace

int main(int argc, char** argv) {
    std::string path = "/v1/chat/completions";
    if (argc > 2 && std::strcmp(argv[argc - 2], "--path") == 0) {
        path = argv[argc - 1];
        argc -= 2;
    }
    if (argc < 5) {
        std::fprintf(stderr, "usage: bench_load PORT BODY-FILE CONNECTIONS REQUESTS | STREAMS --tokens N  [--path PATH]\n");
        return 2;
    }
    std::ifstream file(argv[2], std::ios::binary);
    const std::string body((std::istreambuf_iterator<char>(file)), {});
    const int connections = std::atoi(argv[3]);
    Run run;
    if (std::strcmp(argv[4], "--tokens") == 0 && argc == 6) {
        run.tokens_expected = std::atol(argv[5]);
        run.warm_up = 0;
        run.left = connections;
    } else {
        run.left = std::atol(argv[4]) + run.warm_up;
    }
    if (body.empty() || connections < 1 || run.left < 1) {
        std::fprintf(stderr, "bench_load: nothing to do (empty body file, or a number that is none)\n");
        return 2;
    }
    run.request = "POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body;

    asio::io_context io(1);
    const auto began = steady_clock::now();
    const auto port = static_cast<unsigned short>(std::atoi(argv[1]));
    // In stream mode each connection sends one request; `left` counts them down.
    for (int i = 0; i < connections; ++i) asio::co_spawn(io, client(run, port), asio::detached);
    io.run_for(time_limit);
    const double seconds_taken = duration<double>(steady_clock::now() - began).count();
    if (run.left > 0) run.errors += run.left;

    std::sort(run.us.begin(), run.us.end());
    std::sort(run.first_us.begin(), run.first_us.end());
    std::printf(R"({"requests":%zu,"errors":%ld,"seconds":%.3f,"p50_us":%.1f,"p90_us":%.1f,"p99_us":%.1f,"first_p50_us":%.1f})"
                "\n",
                run.us.size(), run.errors, seconds_taken, at(run.us, 0.5), at(run.us, 0.9), at(run.us, 0.99), at(run.first_us, 0.5));
    return run.errors == 0 ? 0 : 1;
}
