// Snapshot files: state that cannot be cut, at an exact number of tokens. Format: docs/formats/snapshot.md. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/kv/head.hpp"

namespace lc::kv {

/// Opaque bytes; only who wrote them knows what they mean. Names are at most 48 of a-z 0-9 . _ -
struct Section {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t sum = 0;  ///< checksum(the bytes)
    bool operator==(const Section&) const = default;
};

struct Snapshot {
    Scope scope;
    Digest prefix{};  ///< prefix_name(scope, the tokens before it)
    std::uint32_t n_tokens = 0;
    std::vector<Section> sections;  ///< ascending by name
    bool operator==(const Snapshot&) const = default;
};

struct ParsedSnapshot {
    Snapshot snapshot;
    Digest name{}, mac{};
    std::uint32_t header_bytes = 0;
    std::uint64_t payload_bytes = 0;
    std::vector<std::uint64_t> offsets;  ///< of each section, from the beginning of the file
};

/// The name of the last chunk when exactly these tokens are cut into chunks; zero for no tokens.
[[nodiscard]] Digest prefix_name(const Scope& scope, std::span<const Token> tokens, std::span<const Media> media = {});

[[nodiscard]] Digest snapshot_name(const Snapshot& snapshot);

/// Errors (bad_request): what parse_snapshot would refuse. The sections' bytes follow the header in their order.
[[nodiscard]] Result<std::string> encode_snapshot_header(const Snapshot& snapshot, std::uint32_t align = page);

/// Full validation of the header; `bytes` is the beginning of the file, at least the whole header. Errors as
/// parse_chunk.
[[nodiscard]] Result<ParsedSnapshot> parse_snapshot(std::string_view bytes, std::uint64_t file_bytes);

/// `file` is the whole file: do all sections have their checksums?
[[nodiscard]] Result<void> check_sections(const ParsedSnapshot& snapshot, std::string_view file);

[[nodiscard]] inline std::string_view section(const ParsedSnapshot& s, std::size_t i, std::string_view file) {
    return file.substr(s.offsets[i], s.snapshot.sections[i].bytes);
}

}  // namespace lc::kv
