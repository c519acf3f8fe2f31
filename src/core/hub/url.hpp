// URLs of a download, and where its secret may go. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lc::hub {

struct Url {
    bool tls = true;
    std::string host;  ///< lower case; IPv6 without brackets
    std::uint16_t port = 443;
    std::string target;  ///< origin form: path and query, as sent
    bool operator==(const Url&) const = default;
};

/// An absolute http or https URL; a fragment is dropped. bad_request otherwise. Characters that no URL may hold but
/// servers send all the same (spaces, '|', bytes over 127) are percent-encoded; control characters are refused.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

/// A base URL as in HF_ENDPOINT: no query; its path, if any, without trailing '/'.
[[nodiscard]] Result<Url> parse_endpoint(std::string_view text);

/// "https://host:port/path": without the query, which may hold a signature. For messages.
[[nodiscard]] std::string to_text(const Url& url);

/// The same server as `endpoint`, or the same host one step safer (http, port 80, to https, port 443).
[[nodiscard]] bool may_carry_token(const Url& url, const Url& endpoint);

inline constexpr int max_redirects = 10;

[[nodiscard]] bool is_redirect(int status);

/// Where a redirect or a link leads, seen from `from`. `followed`: how many redirects were followed before.
/// upstream_error: no usable target, https to http, or one redirect too many.
[[nodiscard]] Result<Url> follow(const Url& from, std::string_view location, int followed);

/// Each segment of a path percent-encoded, the '/' kept.
[[nodiscard]] std::string encode_path(std::string_view path);

/// The list of a repository's files, and one file, on the branch "main".
[[nodiscard]] Url listing_url(const Url& endpoint, std::string_view org, std::string_view repo);
[[nodiscard]] Url file_url(const Url& endpoint, std::string_view org, std::string_view repo, std::string_view path);

}  // namespace lc::hub
