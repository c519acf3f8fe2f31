#include "core/kv/keys/media.hpp"

#include "base/base64.hpp"

namespace lc::kv {

Digest media_bytes_digest(std::string_view text, bool bare_base64) {
    std::string_view data = text;
    if (data.starts_with("data:")) {
        const std::size_t comma = data.find(',');
        if (comma == std::string_view::npos || !data.substr(0, comma).ends_with(";base64")) return sha256(text);
        data.remove_prefix(comma + 1);
    } else if (!bare_base64) {
        return sha256(text);
    }
    const auto bytes = from_base64(data);
    return bytes ? sha256(*bytes) : sha256(text);
}

}  // namespace lc::kv
