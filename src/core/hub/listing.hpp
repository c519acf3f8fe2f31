// The hub's answer to "what is in this repository": foreign bytes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace lc::hub {

struct RepoFile {
    std::string path;
    std::int64_t size = 0;
    std::string sha256;  ///< lower-case hexadecimal; empty: the hub published none (a file outside LFS)
    bool operator==(const RepoFile&) const = default;
};

/// One page of `GET /api/models/{repo}/tree/{revision}`: the GGUF files in it, in its order. Errors: upstream_error
/// when it is not such a listing, or names a GGUF file by a path that is_safe_path refuses.
[[nodiscard]] Result<std::vector<RepoFile>> parse_listing(std::string_view json);

/// The target of rel="next" in a Link header (RFC 8288); empty: none.
[[nodiscard]] std::string next_link(std::string_view header);

}  // namespace lc::hub
