#include "core/hub/url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <optional>

#include "base/text.hpp"

namespace lc::hub {
namespace {

namespace urls = boost::urls;

constexpr char hex_digits[] = "0123456789ABCDEF";

void append_encoded(std::string& out, char c) {
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex_digits[byte >> 4];
    out += hex_digits[byte & 15];
}

/// Control characters are no accident: a request line must never be split by them.
std::optional<std::string> tolerate(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) return std::nullopt;
        if (byte > 0x7f || std::string_view(" \"<>\\^`{|}").find(c) != std::string_view::npos) {
            append_encoded(out, c);
        } else {
            out += c;
        }
    }
    return out;
}

Result<Url> from_view(const urls::url_view_base& view, std::string_view text) {
    const auto bad = [text](std::string_view why) {
        // What stands behind '?' may be a signature.
        return fail(Errc::bad_request, "\"" + preview(text.substr(0, text.find('?')), 120) +
                                           "\" is not a usable URL: " + std::string(why));
    };
    const auto scheme = view.scheme_id();
    if (scheme != urls::scheme::http && scheme != urls::scheme::https)
        return bad("it must begin with https:// or http://");
    if (view.has_userinfo()) return bad("it must hold no user name or password");
    Url out{.tls = scheme == urls::scheme::https, .host = to_lower(view.host_address())};
    if (out.host.empty()) return bad("it has no host");
    if (out.host.find_first_of(" \t\r\n/\\@") != std::string::npos || out.host.find('\0') != std::string::npos) {
        return bad("its host has characters that no host has");
    }
    out.port = out.tls ? 443 : 80;
    if (view.has_port() && !view.port().empty()) {
        // Not port_number(): it wraps around.
        const std::string_view port(view.port().data(), view.port().size());
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (error != std::errc{} || end != port.data() + port.size() || out.port == 0) {
            return bad("its port must be from 1 to 65535");
        }
    }
    out.target = std::string(view.encoded_path());
    if (out.target.empty()) out.target = "/";
    // Boost.URL lets a path begin right behind the port: "https://host:1!path".
    if (!out.target.starts_with('/')) return bad("its path must begin with '/'");
    if (view.has_query()) out.target += "?" + std::string(view.encoded_query());
    return out;
}

std::string origin(const Url& url) {
    std::string out = url.tls ? "https://" : "http://";
    out += url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
    if (url.port != (url.tls ? 443 : 80)) out += ":" + std::to_string(url.port);
    return out;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
    if (const auto clean = tolerate(text)) {
        if (const auto parsed = urls::parse_uri(*clean)) return from_view(*parsed, text);
    }
    return fail(Errc::bad_request, "\"" + preview(text.substr(0, text.find('?')), 120) +
                                       "\" is not a usable URL: it should look like https://host/path");
}

Result<Url> parse_endpoint(std::string_view text) {
    auto url = parse_url(trim(text));
    if (!url) return url;
    if (url->target.find('?') != std::string::npos) {
        return fail(Errc::bad_request, "\"" + preview(text, 120) + "\" is not a usable hub: it must have no query");
    }
    while (url->target.ends_with('/')) url->target.pop_back();
    return url;
}

std::string to_text(const Url& url) {
    return origin(url) + url.target.substr(0, url.target.find('?'));
}

bool may_carry_token(const Url& url, const Url& endpoint) {
    if (url.host != endpoint.host) return false;
    if (url.tls == endpoint.tls) return url.port == endpoint.port;
    return url.tls && url.port == 443 && endpoint.port == 80;
}

bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Result<Url> follow(const Url& from, std::string_view location, int followed) {
    const auto bad = [&from](std::string_view why) {
        return fail(Errc::upstream_error, to_text(from) + " redirects " + std::string(why));
    };
    if (followed >= max_redirects) return bad("once more after " + std::to_string(max_redirects) + " redirects");
    const auto clean = tolerate(trim(location));
    if (!clean || clean->empty()) return bad("to nowhere");
    const auto reference = urls::parse_uri_reference(*clean);
    if (!reference) return bad("to something that is not a URL");
    const std::string base_text = origin(from) + from.target;
    const auto base = urls::parse_uri(base_text);
    if (!base) return bad("from a URL that cannot be read");
    urls::url resolved;
    if (!urls::resolve(*base, *reference, resolved)) return bad("to something that is not a URL");
    auto to = from_view(resolved, *clean);
    if (!to) return bad("badly: " + to.error().detail);
    if (from.tls && !to->tls) return bad("to " + to_text(*to) + ", which is not encrypted; this is not followed");
    return to;
}

std::string encode_path(std::string_view path) {
    std::string out;
    for (const char c : path) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view("-._~/").find(c) != std::string_view::npos;
        if (plain) {
            out += c;
        } else {
            append_encoded(out, c);
        }
    }
    return out;
}

Url listing_url(const Url& endpoint, std::string_view org, std::string_view repo) {
    Url out = endpoint;
    out.target += "/api/models/" + encode_path(org) + "/" + encode_path(repo) + "/tree/main?recursive=true";
    return out;
}

Url file_url(const Url& endpoint, std::string_view org, std::string_view repo, std::string_view path) {
    Url out = endpoint;
    out.target += "/" + encode_path(org) + "/" + encode_path(repo) + "/resolve/main/" + encode_path(path);
    return out;
}

}  // namespace lc::hub
