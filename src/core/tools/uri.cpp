#include "core/tools/uri.hpp"

#include <cstdlib>

namespace lc::tools {

SplitUri split_fragment(std::string_view uri) {
    const std::size_t hash = uri.find('#');
    if (hash == std::string_view::npos) return {uri, {}};
    return {uri.substr(0, hash), uri.substr(hash + 1)};
}

namespace {

struct Parts {
    std::string_view scheme, authority, path, query;  ///< scheme with ':', authority with "//", query with '?'
};

Parts split(std::string_view uri) {
    Parts parts;
    const std::size_t colon = uri.find(':');
    if (colon != std::string_view::npos && colon < uri.find_first_of("/?#")) {
        parts.scheme = uri.substr(0, colon + 1);
        uri.remove_prefix(colon + 1);
    }
    if (uri.starts_with("//")) {
        const std::size_t end = uri.find_first_of("/?", 2);
        parts.authority = uri.substr(0, end);
        uri = end == std::string_view::npos ? std::string_view{} : uri.substr(end);
    }
    const std::size_t query = uri.find('?');
    parts.path = uri.substr(0, query);
    if (query != std::string_view::npos) parts.query = uri.substr(query);
    return parts;
}

std::string without_dots(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        if (path.starts_with("/../") || path == "/..") {
            path = path.size() > 3 ? path.substr(3) : std::string_view("/");
            const std::size_t slash = out.rfind('/');
            out.resize(slash == std::string::npos ? 0 : slash);
        } else if (path.starts_with("/./")) {
            path.remove_prefix(2);
        } else if (path == "/.") {
            path = "/";
        } else {
            const std::size_t next = path.find('/', 1);
            out += path.substr(0, next);
            path = next == std::string_view::npos ? std::string_view{} : path.substr(next);
        }
    }
    return out;
}

std::string join(std::string_view scheme, std::string_view authority, std::string_view path, std::string_view query) {
    return std::string(scheme).append(authority).append(path).append(query);
}

}  // namespace

std::string resolve_uri(std::string_view base, std::string_view reference) {
    const auto [plain, fragment] = split_fragment(reference);
    const bool has_fragment = reference.find('#') != std::string_view::npos;
    const std::string tail = has_fragment ? "#" + std::string(fragment) : "";
    const Parts from = split(split_fragment(base).uri);
    const Parts to = split(plain);
    if (plain.empty()) return std::string(split_fragment(base).uri) + tail;
    if (!to.scheme.empty()) return join(to.scheme, to.authority, without_dots(to.path), to.query) + tail;
    if (!to.authority.empty()) return join(from.scheme, to.authority, without_dots(to.path), to.query) + tail;
    if (to.path.empty()) return join(from.scheme, from.authority, from.path, to.query) + tail;
    if (to.path.starts_with('/')) return join(from.scheme, from.authority, without_dots(to.path), to.query) + tail;
    const std::size_t slash = from.path.rfind('/');
    std::string path = slash == std::string_view::npos ? (from.authority.empty() ? "" : "/")
                                                       : std::string(from.path.substr(0, slash + 1));
    path += to.path;
    return join(from.scheme, from.authority, path.starts_with('/') ? without_dots(path) : path, to.query) + tail;
}

std::string percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            const std::string hex(text.substr(i + 1, 2));
            char* end = nullptr;
            const long code = std::strtol(hex.c_str(), &end, 16);
            if (end == hex.c_str() + 2) {
                out += static_cast<char>(code);
                i += 2;
                continue;
            }
        }
        out += text[i];
    }
    return out;
}

std::string escape_pointer(std::string_view key) {
    std::string out;
    for (const char c : key) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

}  // namespace lc::tools
