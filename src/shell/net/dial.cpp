#include "shell/net/dial.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace lc::net {
namespace {

using namespace std::chrono_literals;
using tcp = asio::ip::tcp;
using DialingPtr = std::shared_ptr<Dialing>;

constexpr auto attempt_delay = 250ms;  // RFC 8305, 5

void start_attempt(const DialingPtr& d);

void on_attempt(const DialingPtr& d, const std::shared_ptr<Socket>& socket, const error_code& ec) {
    --d->running;
    if (d->winner || d->aborted) return;
    if (!ec) {
        d->winner.emplace(std::move(*socket));
        error_code ignored;
        for (const auto& other : d->attempts) other->close(ignored);
    } else {
        d->fault = ec;
        if (d->next < d->endpoints.size()) start_attempt(d);
    }
    d->changed.cancel();
}

void start_attempt(const DialingPtr& d) {
    const auto socket = std::make_shared<Socket>(d->executor);
    d->attempts.push_back(socket);
    ++d->running;
    const Endpoint& endpoint = d->endpoints[d->next++];
    error_code fault;
    socket->open(endpoint.protocol(), fault);  // a failure shows again in the attempt
    if (!fault) keep_from_children(socket->native_handle());
    socket->async_connect(endpoint, [d, socket](const error_code& ec) { on_attempt(d, socket, ec); });
    if (d->next == d->endpoints.size()) return;
    d->stagger.expires_after(attempt_delay);
    d->stagger.async_wait([d](const error_code& ec) {
        if (!ec && !d->winner && !d->aborted && d->next < d->endpoints.size()) start_attempt(d);
    });
}

/// In the look-up's order, but with the families taking turns, so that a dead one costs one delay and not one per address.
void add_endpoints(Dialing& d, const tcp::resolver::results_type& results) {
    std::vector<tcp::endpoint> first, second;
    for (const auto& entry : results) {
        const bool same = first.empty() || first.front().protocol() == entry.endpoint().protocol();
        (same ? first : second).push_back(entry.endpoint());
    }
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) d.endpoints.emplace_back(first[i]);
        if (i < second.size()) d.endpoints.emplace_back(second[i]);
    }
}

awaitable<void> wait_for_change(Dialing& d) {
    d.changed.expires_at(std::chrono::steady_clock::time_point::max());
    co_await d.changed.async_wait(asio::as_tuple(asio::use_awaitable));
}

/// The look-up runs in a thread of Asio's and cannot be interrupted; so it is left behind when it is no longer wanted.
awaitable<Result<void>> resolve(const DialingPtr& d, const std::string& host, std::uint16_t port) {
    d->resolver.async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                              [d](const error_code& ec, const tcp::resolver::results_type& results) {
                                  d->resolved = true;
                                  d->fault = ec;
                                  if (!ec) add_endpoints(*d, results);
                                  d->changed.cancel();
                              });
    while (!d->resolved && !d->aborted) co_await wait_for_change(*d);
    if (d->aborted) co_return fail(Errc::cancelled, "cancelled");
    if (d->endpoints.empty()) {
        co_return fail(Errc::upstream_error, "cannot find the address of " + host + ": " + d->fault.message());
    }
    co_return Result<void>();
}

}  // namespace

std::string to_text(const Target& target) {
    if (!target.unix_path.empty()) return "unix:" + target.unix_path;
    const bool v6 = target.host.find(':') != std::string::npos;
    return (target.tls ? "https://" : "http://") + (v6 ? '[' + target.host + ']' : target.host) + ':' +
           std::to_string(target.port);
}

void abort(Dialing& d) {
    d.aborted = true;
    error_code ignored;
    for (const auto& attempt : d.attempts) attempt->close(ignored);
    d.resolver.cancel();
    d.stagger.cancel();
    d.changed.cancel();
}

awaitable<Result<Socket>> dial(DialingPtr d, const Target& target) {
    error_code not_numeric;
    if (!target.unix_path.empty()) {
        if (target.unix_path.size() > 107) {
            co_return fail(Errc::upstream_error, "the socket path " + target.unix_path + " is too long: at most 107 bytes");
        }
        d->endpoints.emplace_back(asio::local::stream_protocol::endpoint(target.unix_path));
    } else if (const auto address = asio::ip::make_address(target.host, not_numeric); !not_numeric) {
        d->endpoints.emplace_back(tcp::endpoint(address, target.port));
    } else {
        const Result<void> found = co_await resolve(d, target.host, target.port);
        if (!found) co_return tl::unexpected(found.error());
    }
    start_attempt(d);
    while (!d->winner && !d->aborted && (d->running != 0 || d->next < d->endpoints.size())) co_await wait_for_change(*d);
    d->stagger.cancel();
    if (d->aborted) co_return fail(Errc::cancelled, "cancelled");
    if (!d->winner) {
        co_return fail(Errc::upstream_error, "cannot connect to " + to_text(target) + ": " + d->fault.message());
    }
    co_return std::move(*d->winner);
}

}  // namespace lc::net
