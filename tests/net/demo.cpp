// A small server on shell/net, for tests from outside: net_demo [--port N] [--upstream URL]
// GET /health, POST /echo (the body back), GET /stream (ten events); with --upstream every other request is relayed.
// Prints "listening on http://127.0.0.1:PORT" once it does, and ends on SIGTERM or SIGINT.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "shell/net/http_client.hpp"
#include "shell/net/http_server.hpp"

namespace {

using namespace lc;
using namespace lc::net;

struct Demo {
    PoolPtr pool;
    std::optional<Target> upstream;
};

Response answer(int status, std::string body) { return {status, {{"Content-Type", "text/plain"}}, std::move(body)}; }
ResponseHead event_stream() { return {200, {{"Content-Type", "text/event-stream"}}}; }

awaitable<void> relay(Demo& demo, Exchange& x) {
    const CallPtr call = make_call(*demo.pool, *demo.upstream, {});
    on_gone(x, [c = call.get()] { cancel(*c); });
    Request out;
    out.method = request(x).method;
    out.target = request(x).target;
    out.fields = std::move(request(x).fields);
    out.body = std::move(request(x).body);
    net::erase(out.fields, "Connection");
    Result<ResponseHead> head = co_await exchange(*call, std::move(out));
    if (!head) {
        co_await respond(x, answer(502, head.error().detail + "\n"));
        co_return;
    }
    if (!get(head->fields, "Content-Length").empty()) {
        Result<std::string> body = co_await read_all(*call);
        if (body) co_await respond(x, Response{head->status, std::move(head->fields), std::move(*body)});
        co_return;
    }
    if (!co_await start(x, std::move(*head))) co_return;
    for (;;) {
        const Result<std::string_view> piece = co_await read_some(*call);
        if (!piece) co_return co_await net::abort(x);
        if (piece->empty()) break;
        if (!co_await send(x, *piece)) co_return;
    }
    co_await finish(x);
}

awaitable<void> handle(Demo& demo, Exchange& x) {
    const std::string& target = request(x).target;
    if (target == "/health") {
        co_await respond(x, answer(200, "ok\n"));
    } else if (target == "/echo") {
        co_await respond(x, answer(200, std::move(request(x).body)));
    } else if (target == "/stream") {
        co_await start(x, event_stream());
        for (int i = 0; i < 10; ++i) co_await send(x, "data: " + std::to_string(i) + "\n\n");
        co_await finish(x);
    } else if (demo.upstream) {
        co_await relay(demo, x);
    } else {
        co_await respond(x, answer(404, "no such path\n"));
    }
}

awaitable<void> stop(Server& server, Demo& demo, boost::asio::io_context& io) {
    co_await drain(server, std::chrono::seconds(2));
    demo.pool.reset();
    io.stop();
}

}  // namespace

int main(int argc, char** argv) {
    boost::asio::io_context io(1);
    Demo demo{make_pool(io.get_executor()), {}};
    Listen listen;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (std::strcmp(argv[i], "--port") == 0) {
            std::from_chars(argv[i + 1], argv[i + 1] + std::strlen(argv[i + 1]), listen.port);
        } else if (std::strcmp(argv[i], "--upstream") == 0) {
            Result<Target> target = parse_url(argv[i + 1]);
            if (!target) return std::fprintf(stderr, "%s\n", target.error().detail.c_str()), 2;
            demo.upstream = std::move(*target);
        } else {
            return std::fprintf(stderr, "unknown option %s\n", argv[i]), 2;
        }
    }
    ServerOptions options;
    options.limits.request_time = std::chrono::milliseconds(500);
    options.handler = [&demo](Exchange& x) { return handle(demo, x); };
    Result<ServerPtr> server = serve(io.get_executor(), {listen}, std::move(options));
    if (!server) return std::fprintf(stderr, "%s\n", server.error().detail.c_str()), 1;
    std::printf("listening on %s\n", addresses(**server).front().c_str());
    std::fflush(stdout);
    boost::asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([&](const boost::system::error_code&, int) {
        boost::asio::co_spawn(io, stop(**server, demo, io), boost::asio::detached);
    });
    io.run();
    server->reset();
}
