#include "core/access/origin.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "core/access/host.hpp"

namespace lc::access {

namespace {

// What pages may read of an answer besides its body.
constexpr std::string_view exposed =
    "retry-after, x-localcode-cache, x-localcode-cache-key, x-localcode-kind, x-localcode-request-id, "
    "x-localcode-route, x-localcode-session";
constexpr std::string_view methods = "GET, HEAD, POST, DELETE, OPTIONS";

std::string_view without_slash(std::string_view text) {
    if (text.ends_with('/')) text.remove_suffix(1);
    return text;
}

bool configured(std::string_view origin, std::span<const std::string> cors_origins) {
    return std::ranges::any_of(cors_origins, [&](const std::string& entry) {
        if (entry == "*") return origin != "null";
        return iequals(without_slash(entry), origin);
    });
}

/// Same host and port. The scheme only gives the default port: a page on http://x:443 has no business here either way.
bool same_origin(std::string_view origin, std::string_view host_field) {
    int default_port = 0;
    if (origin.starts_with("http://")) {
        default_port = 80;
        origin.remove_prefix(7);
    } else if (origin.starts_with("https://")) {
        default_port = 443;
        origin.remove_prefix(8);
    } else {
        return false;
    }
    auto page = parse_host(origin);
    auto here = parse_host(host_field);
    if (!page || !here) return false;
    if (page->port == 0) page->port = default_port;
    if (here->port == 0) here->port = default_port;
    return *page == *here;
}

/// The list of header names as it came, if it holds nothing but names, commas and spaces; else empty.
std::string_view header_list(std::string_view text) {
    const auto good = [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == ',' || c == ' ';
    };
    return text.size() <= 2048 && std::ranges::all_of(text, good) ? text : std::string_view{};
}

}  // namespace

bool origin_allowed(std::optional<std::string_view> origin, std::span<const std::string> cors_origins,
                    std::string_view host) {
    return !origin || same_origin(*origin, host) || configured(*origin, cors_origins);
}

Headers cors_headers(std::optional<std::string_view> origin, std::span<const std::string> cors_origins) {
    if (cors_origins.empty()) return {};
    Headers out{{"vary", "origin"}};
    if (origin && configured(*origin, cors_origins)) {
        out.emplace_back("access-control-allow-origin", *origin);
        out.emplace_back("access-control-expose-headers", exposed);
    }
    return out;
}

std::optional<Headers> preflight(const Preflight& request, std::span<const std::string> cors_origins) {
    if (request.origin.empty() || request.request_method.empty()) return std::nullopt;
    if (!configured(request.origin, cors_origins)) return std::nullopt;
    Headers out{{"vary", "origin, access-control-request-headers"},
                {"access-control-allow-origin", std::string(request.origin)},
                {"access-control-allow-methods", std::string(methods)},
                {"access-control-max-age", "600"}};
    if (const auto names = header_list(request.request_headers); !names.empty()) {
        out.emplace_back("access-control-allow-headers", names);
    }
    if (request.private_network) out.emplace_back("access-control-allow-private-network", "true");
    return out;
}

}  // namespace lc::access
