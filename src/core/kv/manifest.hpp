// Manifest files: one stored state. Format: docs/formats/manifest.md. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/kv/head.hpp"

namespace lc::kv {

enum class KeyKind : std::uint32_t { head = 1, message = 2, answer = 3 };  ///< frozen

/// A message key (core/kv/keys) and how many tokens the prompt has up to and including that message; of an answer: up to
/// and including what the model generated (core/kv/keys/answer.hpp).
struct StateKey {
    Digest key{};
    std::uint32_t n_tokens = 0;
    KeyKind kind = KeyKind::message;
    bool operator==(const StateKey&) const = default;
};

struct SnapshotRef {
    Digest name{};
    std::uint32_t n_tokens = 0;
    std::uint64_t bytes = 0;  ///< of the file
    bool operator==(const SnapshotRef&) const = default;
};

struct Manifest {
    Scope scope;
    Digest rendering{};          ///< of the chat template; zero: unknown
    std::int64_t saved_ms = 0;   ///< for people only
    std::string session, model;  ///< at most 512 bytes each
    std::vector<Token> tokens;
    std::vector<Media> media;
    bool has_chunks = true;              ///< false: nothing of this state can be cut
    std::vector<SnapshotRef> snapshots;  ///< ascending by tokens
    std::vector<StateKey> keys;          ///< ascending by tokens
    bool operator==(const Manifest&) const = default;
};

struct ParsedManifest {
    Manifest manifest;
    Digest name{}, mac{};
    std::vector<Digest> chunks;  ///< names, in order
};

/// Errors (bad_request): what parse_manifest would refuse.
[[nodiscard]] Result<std::string> encode_manifest(const Manifest& manifest);

/// Full validation of a whole file, chunk names recomputed. Errors as parse_chunk.
[[nodiscard]] Result<ParsedManifest> parse_manifest(std::string_view file);

[[nodiscard]] Digest manifest_name(std::string_view file);  ///< of a valid file

}  // namespace lc::kv
