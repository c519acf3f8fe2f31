// Who a request claims to speak to, and from which web page: the guards against DNS rebinding and foreign pages.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lc::access {

/// A Host field, or the host part of an origin, taken apart.
struct HostPort {
    std::string host;  ///< lower case, without brackets and without a final dot
    int port = 0;      ///< 0: none was given
    bool operator==(const HostPort&) const = default;
};

/// "name", "name:port", "1.2.3.4:port", "[v6]:port". Empty: malformed.
[[nodiscard]] std::optional<HostPort> parse_host(std::string_view text);

/// Whether the name or address means this machine only: localhost and names below it, 127.0.0.0/8, ::1 and the mapped
/// forms. With or without brackets.
[[nodiscard]] bool loopback(std::string_view host);

/// Whether it is an IP address, with or without brackets.
[[nodiscard]] bool ip_address(std::string_view host);

/// Whether a request may name this server so. A page that makes its own name point to 127.0.0.1 still sends that name,
/// so names are refused unless they are known; addresses cannot be rebound. Fine: loopback, the listening address, with
/// a wildcard listener ("0.0.0.0", "::") any address, and `allowed`: "name", "name:port", "*.example.com", "*".
/// `host`: the Host field, or nothing when there is none; then only HTTP/1.0 (`http_version` 10) is fine.
/// Not for Unix sockets, which no browser can reach.
[[nodiscard]] bool host_allowed(std::optional<std::string_view> host, int http_version, std::string_view listen_host,
                                std::span<const std::string> allowed);

}  // namespace lc::access
