// Requests that a browser makes for a web page: which pages may, and what CORS answers they get. Off unless configured.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lc::access {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Whether a request with this Origin may go on. No Origin (not a browser, or a plain navigation): yes. Same origin as
/// `host` (the Host field, which host_allowed has accepted): yes. Else only when `cors_origins` has it, or "*". Other
/// ports of localhost are other origins: any program of this machine could have served the page.
/// "null" (sandboxed frames, local files) needs to be listed literally; "*" does not include it.
[[nodiscard]] bool origin_allowed(std::optional<std::string_view> origin, std::span<const std::string> cors_origins,
                                  std::string_view host);

/// Headers to add to every answer of a cross-origin request that was allowed; empty when CORS is off or the origin is
/// not configured. With CORS on, `vary: origin` stands in every answer, so that caches keep them apart.
[[nodiscard]] Headers cors_headers(std::optional<std::string_view> origin, std::span<const std::string> cors_origins);

/// Fields of an OPTIONS request.
struct Preflight {
    std::string_view origin;
    std::string_view request_method;   ///< access-control-request-method; empty: this is no preflight
    std::string_view request_headers;  ///< access-control-request-headers
    bool private_network = false;      ///< access-control-request-private-network: true
};

/// The headers of the answer (status 204), or nothing: refuse with 403. Preflights carry no key and need none.
[[nodiscard]] std::optional<Headers> preflight(const Preflight& request, std::span<const std::string> cors_origins);

}  // namespace lc::access
