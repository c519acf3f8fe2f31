#include "core/access/host.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/text.hpp"

namespace lc::access {

namespace {

std::string_view without_brackets(std::string_view host) {
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') return host.substr(1, host.size() - 2);
    return host;
}

std::string_view without_zone(std::string_view host) {
    return host.substr(0, host.find('%'));
}

// inet_pton only reads text; it neither resolves names nor touches the network.
std::optional<in_addr> ipv4(std::string_view text) {
    in_addr out{};
    const std::string copy(text);
    if (copy.find('\0') != std::string::npos || inet_pton(AF_INET, copy.c_str(), &out) != 1) return std::nullopt;
    return out;
}

std::optional<in6_addr> ipv6(std::string_view text) {
    in6_addr out{};
    const std::string copy(without_zone(without_brackets(text)));
    if (copy.find('\0') != std::string::npos || inet_pton(AF_INET6, copy.c_str(), &out) != 1) return std::nullopt;
    return out;
}

bool wildcard(std::string_view host) {
    if (const auto v4 = ipv4(host)) return v4->s_addr == 0;
    const auto v6 = ipv6(host);
    return v6 && std::memcmp(&*v6, &in6addr_any, sizeof *v6) == 0;
}

bool same_host(std::string_view a, std::string_view b) {
    if (iequals(a, b)) return true;
    if (const auto x = ipv4(a), y = ipv4(b); x && y) return x->s_addr == y->s_addr;
    const auto x = ipv6(a), y = ipv6(b);
    return x && y && std::memcmp(&*x, &*y, sizeof *x) == 0;
}

/// "name", "name:port", "*.example.com", "*".
bool matches(const HostPort& host, std::string_view pattern) {
    if (pattern == "*") return true;
    if (pattern.starts_with("*.")) {
        const std::string tail = to_lower(pattern.substr(1));
        return host.host.size() > tail.size() && host.host.ends_with(tail);
    }
    if (same_host(host.host, without_brackets(pattern))) return true;
    const auto parsed = parse_host(pattern);
    return parsed && same_host(host.host, parsed->host) && (parsed->port == 0 || parsed->port == host.port);
}

}  // namespace

std::optional<HostPort> parse_host(std::string_view text) {
    HostPort out;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos || !ipv6(text.substr(1, end - 1))) return std::nullopt;
        out.host = to_lower(text.substr(1, end - 1));
        if (end + 1 < text.size()) {
            if (text[end + 1] != ':') return std::nullopt;
            has_port = true;
            port = text.substr(end + 2);
        }
    } else {
        const auto colon = text.find(':');
        out.host = to_lower(text.substr(0, colon));
        if (colon != std::string_view::npos) {
            has_port = true;
            port = text.substr(colon + 1);
        }
        if (out.host.ends_with('.')) out.host.pop_back();  // "localhost." is the same name, written absolutely
        const auto good = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        };
        if (out.host.empty() || out.host.size() > 255 || !std::ranges::all_of(out.host, good)) return std::nullopt;
    }
    if (has_port) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        const bool digit = !port.empty() && port.front() >= '0' && port.front() <= '9';
        if (!digit || error != std::errc{} || end != port.data() + port.size() || out.port > 65535) return std::nullopt;
    }
    return out;
}

bool loopback(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    if (iequals(host, "localhost") || to_lower(host).ends_with(".localhost")) return true;
    if (const auto v4 = ipv4(host)) return (ntohl(v4->s_addr) >> 24) == 127;
    const auto v6 = ipv6(host);
    if (!v6) return false;
    if (std::memcmp(&*v6, &in6addr_loopback, sizeof *v6) == 0) return true;
    return IN6_IS_ADDR_V4MAPPED(&*v6) && v6->s6_addr[12] == 127;
}

bool ip_address(std::string_view host) {
    return ipv4(host).has_value() || ipv6(host).has_value();
}

bool host_allowed(std::optional<std::string_view> host, int http_version, std::string_view listen_host,
                  std::span<const std::string> allowed) {
    if (!host) return http_version < 11;
    const auto parsed = parse_host(*host);
    if (!parsed) return false;
    if (loopback(parsed->host) || same_host(parsed->host, without_brackets(listen_host))) return true;
    if (wildcard(listen_host) && ip_address(parsed->host)) return true;
    return std::ranges::any_of(allowed, [&](const std::string& pattern) { return matches(*parsed, pattern); });
}

}  // namespace lc::access
