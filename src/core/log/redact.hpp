// Takes secrets out of a text that goes to a log.
#pragma once

#include <string>
#include <string_view>

namespace lc::log {

/// Pure. Replaces by "[redacted]": values of headers and members that carry keys (authorization, x-api-key, api_key,
/// cookie, token, password, ...), words that look like keys of known kinds (sk-..., hf_..., ghp_..., JSON web tokens,
/// ...), passwords in URLs, private keys in PEM form. What names the secret stays readable.
[[nodiscard]] std::string redact(std::string_view text);

}  // namespace lc::log
