#include "shell/net/stream.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>

namespace lc::net {

void keep_from_children(int descriptor) { fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

void prepare(Socket& socket, error_code& ec) {
    keep_from_children(socket.native_handle());
    socket.non_blocking(true, ec);
    if (ec) return;
    const int family = socket.local_endpoint(ec).protocol().family();
    if (!ec && family != AF_UNIX) socket.set_option(asio::ip::tcp::no_delay(true), ec);
}

void close(Stream& stream) {
    error_code ignored;  // nothing can be done about a close that fails
    stream.socket.close(ignored);
}

std::string to_text(const Endpoint& endpoint) {
    if (endpoint.size() < sizeof(sa_family_t)) return "unix";  // an unnamed Unix peer
    const sockaddr* address = endpoint.data();
    if (address->sa_family == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(address);
        const asio::ip::address_v4 v4(ntohl(in->sin_addr.s_addr));
        return v4.to_string() + ':' + std::to_string(ntohs(in->sin_port));
    }
    if (address->sa_family == AF_INET6) {
        const auto* in = reinterpret_cast<const sockaddr_in6*>(address);
        asio::ip::address_v6::bytes_type bytes;
        std::copy_n(in->sin6_addr.s6_addr, bytes.size(), bytes.begin());
        const asio::ip::address_v6 v6(bytes, in->sin6_scope_id);
        if (v6.is_v4_mapped()) {
            return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string() + ':' + std::to_string(ntohs(in->sin6_port));
        }
        return '[' + v6.to_string() + "]:" + std::to_string(ntohs(in->sin6_port));
    }
    return "unix";
}

bool peer_closed(Stream& stream) {
    pollfd p{stream.socket.native_handle(), POLLRDHUP, 0};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool quiet(Stream& stream) {
    if (!stream.socket.is_open()) return false;
    char byte;
    const ssize_t n = recv(stream.socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

}  // namespace lc::net
