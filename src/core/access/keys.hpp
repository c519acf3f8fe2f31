// API keys: who may ask. Keys are kept and compared as SHA-256 digests only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/sha256.hpp"

namespace lc::access {

struct KeyDigest {
    std::string name;  ///< the holder's, for the log
    Digest digest{};
};

[[nodiscard]] KeyDigest make_key(std::string name, std::string_view key);

/// Fields of a request that may carry a key; empty: absent. Any one that is right suffices, since clients send several.
struct Credentials {
    std::string_view authorization;  ///< "Bearer KEY"
    std::string_view x_api_key;
    std::string_view api_key;
};

enum class Verdict : std::uint8_t {
    open,     ///< no keys are configured: everybody may
    granted,  ///< by keys[key]
    missing,  ///< no key came
    wrong,    ///< one came, and is none of ours
};

struct Decision {
    Verdict verdict = Verdict::missing;
    std::size_t key = 0;  ///< granted: index into the keys
    bool operator==(const Decision&) const = default;
};

/// Pure. Compares with every key in constant time, so that neither the key nor its place can be found by timing.
[[nodiscard]] Decision authorise(const Credentials& credentials, std::span<const KeyDigest> keys);

[[nodiscard]] constexpr bool allowed(Verdict verdict) {
    return verdict == Verdict::open || verdict == Verdict::granted;
}

/// Whether a path (without query) asks for a key when keys are configured. Only the health checks do not.
[[nodiscard]] bool needs_key(std::string_view path);

}  // namespace lc::access
