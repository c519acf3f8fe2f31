#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>

#include "shell/net/http_client.hpp"

namespace lc::net {

Result<Target> parse_url(std::string_view url) {
    const auto bad = [url](std::string_view why) {
        return fail(Errc::bad_request, "\"" + std::string(url) + "\" is not a usable URL: " + std::string(why));
    };
    Target target;
    constexpr std::string_view unix_scheme = "unix:";
    if (url.starts_with(unix_scheme)) {
        std::string_view path = url.substr(unix_scheme.size());
        if (path.starts_with("//")) path.remove_prefix(2);
        if (!path.starts_with('/')) return bad("unix: wants an absolute path, as in unix:/run/server.sock");
        if (path.size() > 107) return bad("the path of a Unix socket has at most 107 bytes");
        target.unix_path = path;
        return target;
    }
    const auto parsed = boost::urls::parse_uri(url);
    if (!parsed) return bad("it should look like http://host:port/path, https://host/path or unix:/path");
    const boost::urls::url_view view = *parsed;
    const auto scheme = view.scheme_id();
    if (scheme != boost::urls::scheme::http && scheme != boost::urls::scheme::https) {
        return bad("its scheme must be http, https or unix");
    }
    // These may hold secrets, so the URL is not repeated.
    if (view.has_userinfo()) {
        return fail(Errc::bad_request, "a URL must hold no user name or password; give the key in the configuration");
    }
    if (view.has_query() || view.has_fragment()) return fail(Errc::bad_request, "a URL must have no query and no fragment here");
    target.tls = scheme == boost::urls::scheme::https;
    target.host = view.host_address();  // decoded, IPv6 without brackets
    if (target.host.empty()) return bad("it has no host");
    if (target.host.find_first_of(" \t\r\n/\\") != std::string::npos) return bad("its host has characters that no host has");
    target.port = target.tls ? 443 : 80;
    // Boost.URL 1.81 takes "host:80x" for port 80 and path "x", and a port over 65535 modulo 65536.
    const std::string_view path(view.encoded_path().data(), view.encoded_path().size());
    const std::string_view port(view.port().data(), view.port().size());
    if (!path.empty() && !path.starts_with('/')) return bad("its port must be a number");
    if (!port.empty()) {
        const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), target.port);
        if (ec != std::errc() || end != port.data() + port.size() || target.port == 0) {
            return bad("its port must be from 1 to 65535");
        }
    }
    target.base_path = path;
    while (target.base_path.ends_with('/')) target.base_path.pop_back();
    return target;
}

}  // namespace lc::net
