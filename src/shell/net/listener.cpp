#include "shell/net/listener.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstring>

#include "shell/net/stream.hpp"

namespace lc::net {
namespace {

using Listeners = std::vector<std::unique_ptr<Listener>>;
using tcp = asio::ip::tcp;

constexpr std::size_t max_unix_path = 107;  // sun_path, with its zero

std::unique_ptr<Listener> make_listener(const asio::any_io_executor& executor) {
    return std::unique_ptr<Listener>(new Listener{Acceptor(executor), asio::steady_timer(executor), {}, nullptr, {}, {}});
}

tl::unexpected<Error> bind_fault(const tcp::endpoint& endpoint, const error_code& ec) {
    const std::string port = std::to_string(endpoint.port());
    if (ec == asio::error::address_in_use) {
        return fail(Errc::bad_request, "port " + port + " is taken by another program (`ss -ltnp 'sport = :" + port +
                                           "'` shows it): stop that program, or choose another port");
    }
    if (ec == asio::error::access_denied) {
        return fail(Errc::bad_request, "port " + port + " may not be used without privileges: choose one above 1023");
    }
    const std::string where = endpoint.address().to_string() + " port " + port;
    if (ec == error_code(EADDRNOTAVAIL, boost::system::system_category())) {
        return fail(Errc::bad_request, "cannot listen on " + where + ": this machine has no such address");
    }
    return fail(Errc::bad_request, "cannot listen on " + where + ": " + ec.message());
}

Result<std::unique_ptr<Listener>> bind_tcp(const asio::any_io_executor& executor, const tcp::endpoint& endpoint,
                                           const std::shared_ptr<asio::ssl::context>& tls) {
    std::unique_ptr<Listener> listener = make_listener(executor);
    error_code ec;
    Acceptor& acceptor = listener->acceptor;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) keep_from_children(acceptor.native_handle());
    if (!ec) acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    // "::" takes IPv4 too, every other IPv6 address only itself.
    if (!ec && endpoint.address().is_v6()) {
        acceptor.set_option(asio::ip::v6_only(!endpoint.address().is_unspecified()), ec);
    }
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return bind_fault(endpoint, ec);
    listener->tls = tls;
    listener->address = (tls ? "https://" : "http://") + to_text(acceptor.local_endpoint());
    return listener;
}

/// True when something answers on the socket file.
bool answers(const std::string& path) {
    asio::io_context io;
    asio::local::stream_protocol::socket probe(io);
    error_code ec;
    probe.connect(asio::local::stream_protocol::endpoint(path), ec);
    return ec != asio::error::connection_refused && ec != asio::error::not_found;
}

/// Makes way for a new socket file: removes the one a dead server left, and nothing else.
Result<void> clear_path(const std::string& path) {
    struct stat info {};
    if (lstat(path.c_str(), &info) != 0) return {};
    if (!S_ISSOCK(info.st_mode)) return fail(Errc::bad_request, path + " is in the way: it is not a socket");
    if (answers(path)) {
        return fail(Errc::bad_request, "the socket " + path + " is in use by a running server: stop it, or choose another path");
    }
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
        return fail(Errc::bad_request, "cannot remove the stale socket " + path + ": " + std::strerror(errno));
    }
    return {};
}

Result<std::unique_ptr<Listener>> bind_unix(const asio::any_io_executor& executor, const std::string& path) {
    if (path.size() > max_unix_path) {
        return fail(Errc::bad_request, "the socket path " + path + " is too long: at most 107 bytes");
    }
    if (Result<void> clear = clear_path(path); !clear) return tl::unexpected(clear.error());
    std::unique_ptr<Listener> listener = make_listener(executor);
    Acceptor& acceptor = listener->acceptor;
    const asio::local::stream_protocol::endpoint endpoint(path);
    error_code ec;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) keep_from_children(acceptor.native_handle());
    // On Linux the file gets the descriptor's mode, so that nobody can connect before the chmod below.
    if (!ec) fchmod(acceptor.native_handle(), 0600);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec && chmod(path.c_str(), 0600) != 0) ec = error_code(errno, boost::system::system_category());
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return fail(Errc::bad_request, "cannot listen on the socket " + path + ": " + ec.message());
    struct stat info {};
    if (lstat(path.c_str(), &info) == 0) {
        listener->inode = info.st_ino;
        listener->device = info.st_dev;
    }
    listener->unix_path = path;
    listener->address = "unix:" + path;
    return listener;
}

Result<Listeners> bind_localhost(const asio::any_io_executor& executor, std::uint16_t port,
                                 const std::shared_ptr<asio::ssl::context>& tls) {
    constexpr int tries = 16;  // with port 0 the port that IPv4 was given may be taken for IPv6
    for (int i = 0;; ++i) {
        Listeners out;
        auto v4 = bind_tcp(executor, {asio::ip::address_v4::loopback(), port}, tls);
        if (!v4) return tl::unexpected(v4.error());
        const Endpoint bound = (*v4)->acceptor.local_endpoint();
        const std::string text = to_text(bound);
        const auto chosen = static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
        out.push_back(std::move(*v4));
        auto v6 = bind_tcp(executor, {asio::ip::address_v6::loopback(), chosen}, tls);
        if (v6) {
            out.push_back(std::move(*v6));
        } else if (v6.error().detail.find("is taken by") != std::string::npos) {
            if (port == 0 && i + 1 < tries) continue;
            return tl::unexpected(v6.error());
        }  // else: a machine without IPv6
        return out;
    }
}

}  // namespace

Result<Listeners> bind_listen(const asio::any_io_executor& executor, const Listen& listen) {
    Listeners out;
    if (!listen.unix_path.empty()) {
        auto one = bind_unix(executor, listen.unix_path);
        if (!one) return tl::unexpected(one.error());
        out.push_back(std::move(*one));
        return out;
    }
    if (listen.tls_certificate.empty() != listen.tls_key.empty()) {
        return fail(Errc::bad_request, "TLS needs both a certificate and a key");
    }
    std::shared_ptr<asio::ssl::context> tls;
    if (!listen.tls_certificate.empty()) {
        auto context = server_context(listen.tls_certificate, listen.tls_key);
        if (!context) return tl::unexpected(context.error());
        tls = std::move(*context);
    }
    if (listen.host == "localhost") return bind_localhost(executor, listen.port, tls);
    error_code ec;
    const asio::ip::address address = asio::ip::make_address(listen.host, ec);
    if (ec) {
        return fail(Errc::bad_request, "cannot listen on \"" + listen.host + "\": give an IP address, or localhost");
    }
    auto one = bind_tcp(executor, {address, listen.port}, tls);
    if (!one) return tl::unexpected(one.error());
    out.push_back(std::move(*one));
    return out;
}

void close(Listener& listener) {
    error_code ignored;
    if (!listener.acceptor.is_open()) return;
    listener.acceptor.close(ignored);
    listener.pause.cancel();
    if (listener.unix_path.empty()) return;
    struct stat info {};
    if (lstat(listener.unix_path.c_str(), &info) == 0 && info.st_ino == listener.inode && info.st_dev == listener.device) {
        unlink(listener.unix_path.c_str());
    }
}

}  // namespace lc::net
