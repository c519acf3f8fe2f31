#include "shell/net/http_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <ctime>

#include "shell/net/connection.hpp"

namespace lc::net {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto tick_interval = 250ms;
constexpr auto accept_pause = 100ms;

void start_tick(const std::shared_ptr<Core>& core) {
    if (core->ticking) return;
    core->ticking = true;
    core->tick.expires_after(tick_interval);
    core->tick.async_wait([core](const error_code& ec) {
        core->ticking = false;
        if (ec) return;
        const TimePoint now = Clock::now();
        // A copy: connections leave the list while they are looked at.
        const std::vector<ConnectionPtr> all(core->connections.begin(), core->connections.end());
        for (const ConnectionPtr& c : all) {
            if (c->phase != Phase::closed) check_deadlines(*c, now);
        }
        if (!core->connections.empty()) start_tick(core);
    });
}

void accept_next(const std::shared_ptr<Core>& core, Listener& listener);

void on_accepted(const std::shared_ptr<Core>& core, Listener& listener, const error_code& ec, Socket socket) {
    if (!listener.acceptor.is_open()) return;
    if (!ec) {
        open_connection(core, listener, std::move(socket), listener.peer);
        if (!core->connections.empty()) start_tick(core);
        return accept_next(core, listener);
    }
    if (ec == asio::error::connection_aborted || ec == asio::error::interrupted) return accept_next(core, listener);
    // No descriptors or no memory left: those who wait stay in the queue until there is room again.
    if (core->options.log_error) core->options.log_error("cannot accept a connection: " + ec.message());
    listener.pause.expires_after(accept_pause);
    listener.pause.async_wait([core, &listener](const error_code& cancelled) {
        if (!cancelled && listener.acceptor.is_open()) accept_next(core, listener);
    });
}

void accept_next(const std::shared_ptr<Core>& core, Listener& listener) {
    listener.peer = {};
    listener.acceptor.async_accept(core->executor, listener.peer, [core, &listener](const error_code& ec, Socket socket) {
        on_accepted(core, listener, ec, std::move(socket));
    });
}

}  // namespace

class Server {
  public:
    std::shared_ptr<Core> core;
};

std::string_view date_line(Core& core) {
    const std::time_t now = std::time(nullptr);
    if (now != core.date_second || core.date.empty()) {
        core.date_second = now;
        std::tm utc{};
        gmtime_r(&now, &utc);
        static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        char line[64];  // not strftime: its names follow the locale
        std::snprintf(line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[utc.tm_wday], utc.tm_mday,
                      months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
        core.date = line;
    }
    return core.date;
}

Result<ServerPtr> serve(asio::any_io_executor executor, std::vector<Listen> listens, ServerOptions options) {
    auto core = std::make_shared<Core>(executor, std::move(options));
    for (const Listen& listen : listens) {
        auto bound = bind_listen(executor, listen);
        if (!bound) {
            for (const auto& listener : core->listeners) close(*listener);
            return tl::unexpected(bound.error());
        }
        for (auto& listener : *bound) core->listeners.push_back(std::move(listener));
    }
    for (const auto& listener : core->listeners) accept_next(core, *listener);
    return ServerPtr(new Server{std::move(core)});
}

std::vector<std::string> addresses(const Server& server) {
    std::vector<std::string> out;
    for (const auto& listener : server.core->listeners) out.push_back(listener->address);
    return out;
}

std::size_t open_connections(const Server& server) { return server.core->connections.size(); }

awaitable<void> drain(Server& server, std::chrono::milliseconds grace) {
    const std::shared_ptr<Core> core = server.core;
    core->draining = true;
    for (const auto& listener : core->listeners) close(*listener);
    const std::vector<ConnectionPtr> all(core->connections.begin(), core->connections.end());
    for (const ConnectionPtr& c : all) {
        if (c->phase == Phase::handshake) close_now(*c);
        if (c->phase == Phase::idle && c->out.unsent == 0) begin_close(*c);
    }
    const TimePoint until = Clock::now() + grace;
    while (!core->connections.empty() && Clock::now() < until) {
        core->emptied.expires_at(until);
        co_await core->emptied.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    const std::vector<ConnectionPtr> rest(core->connections.begin(), core->connections.end());
    for (const ConnectionPtr& c : rest) close_now(*c);
    while (!core->connections.empty()) {  // handlers that have yet to return
        core->emptied.expires_at(TimePoint::max());
        co_await core->emptied.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

void ServerDeleter::operator()(Server* server) const {
    const std::shared_ptr<Core> core = server->core;
    delete server;
    core->draining = true;
    for (const auto& listener : core->listeners) close(*listener);
    core->tick.cancel();
    // Handlers that still run keep their connection alive themselves.
    for (const ConnectionPtr& c : std::vector<ConnectionPtr>(core->connections.begin(), core->connections.end())) {
        close_now(*c);
        c->listed = false;
    }
    core->connections.clear();
}

}  // namespace lc::net
