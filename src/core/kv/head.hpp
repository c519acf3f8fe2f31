// The head that chunk, snapshot and manifest files share (docs/formats/chunk.md), and names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/sha256.hpp"

namespace lc::kv {

inline constexpr std::uint32_t format_version = 1;
inline constexpr std::uint32_t chunk_tokens = 256;
inline constexpr std::uint32_t page = 4096;
inline constexpr std::size_t head_bytes = 128;

using Token = std::int32_t;
inline constexpr Token media_token = -1;

enum class BlobKind : std::uint8_t { chunk = 1, snapshot = 2, manifest = 3 };  ///< frozen: stored in kv.db
[[nodiscard]] std::string_view name_of(BlobKind kind);

/// Whose state it is and what its bytes mean. Two states are never mixed when either differs.
struct Scope {
    Digest name_space{};  ///< namespace_digest(tenant)
    Digest identity{};    ///< identity_digest(...)
    bool operator==(const Scope&) const = default;
};

/// An image or sound in the prompt: its tokens are media_token.
struct Media {
    std::uint32_t start = 0, n_tokens = 0;
    Digest digest{};  ///< of its bytes
    bool operator==(const Media&) const = default;
};

/// What every head says, once it has been checked.
struct Head {
    BlobKind kind = BlobKind::chunk;
    std::uint32_t header_bytes = 0;
    std::uint64_t payload_bytes = 0;
    Digest mac{};
    Scope scope;
};

/// Bytes that a reader needs to see before it knows how long the header is.
inline constexpr std::size_t head_probe_bytes = head_bytes;

/// Checks magic, version, sizes (against `file_bytes`) and, when `bytes` holds the whole header, its checksum. `bytes`
/// is the beginning of the file. Errors: bad_request (damaged), unsupported (another format version: leave it alone).
[[nodiscard]] Result<Head> parse_head(std::string_view bytes, std::uint64_t file_bytes, BlobKind kind);

/// The first 128 bytes, with checksum still zero: `seal` fills that in when the header is complete.
[[nodiscard]] std::string begin_header(BlobKind kind, const Scope& scope);
/// Pads the header to a multiple of `align` and writes sizes and checksum.
void seal(std::string& header, std::uint32_t align, std::uint64_t payload_bytes);

[[nodiscard]] bool is_alignment(std::uint32_t align);  ///< a power of two up to 65,536

[[nodiscard]] Digest namespace_digest(std::string_view tenant);

/// Zero when no item overlaps the `n` tokens from `start`.
[[nodiscard]] Digest media_digest(std::span<const Media> media, std::uint32_t start, std::uint32_t n);
[[nodiscard]] Digest chunk_name(const Scope& scope, const Digest& parent, const Digest& media,
                                std::span<const Token> tokens);

/// Names of the chunks that hold `tokens`, in order; the last one may be partial. Empty for no tokens. `media`
/// ascending.
[[nodiscard]] std::vector<Digest> chunk_names(const Scope& scope, std::span<const Token> tokens,
                                              std::span<const Media> media = {});

/// ascending, not overlapping, inside the tokens, and exactly the media_tokens are covered.
[[nodiscard]] bool media_fit(std::span<const Media> media, std::span<const Token> tokens);

[[nodiscard]] inline bool is_zero(const Digest& digest) {
    return digest == Digest{};
}

}  // namespace lc::kv
