#include "core/access/keys.hpp"

#include <array>

#include "base/text.hpp"

namespace lc::access {

namespace {

std::string_view bytes(const Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// The key of "Bearer KEY" (the scheme's case does not matter); empty for other schemes.
std::string_view bearer(std::string_view authorization) {
    constexpr std::string_view scheme = "bearer ";
    if (authorization.size() <= scheme.size() || !iequals(authorization.substr(0, scheme.size()), scheme)) return {};
    return trim(authorization.substr(scheme.size()));
}

}  // namespace

KeyDigest make_key(std::string name, std::string_view key) {
    return {std::move(name), sha256(key)};
}

Decision authorise(const Credentials& credentials, std::span<const KeyDigest> keys) {
    if (keys.empty()) return {Verdict::open, 0};
    const std::array<std::string_view, 3> given = {bearer(credentials.authorization), trim(credentials.x_api_key),
                                                   trim(credentials.api_key)};
    Decision decision;
    for (const std::string_view key : given) {
        if (key.empty()) continue;
        const Digest digest = sha256(key);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            // No early exit: the time depends on how many keys there are, not on which one matched.
            if (equal_constant_time(bytes(digest), bytes(keys[i].digest))) decision = {Verdict::granted, i};
        }
        if (decision.verdict == Verdict::missing) decision.verdict = Verdict::wrong;
    }
    // A header of another scheme ("Basic ...") is a key that is not ours.
    if (decision.verdict == Verdict::missing && !trim(credentials.authorization).empty()) {
        decision.verdict = Verdict::wrong;
    }
    return decision;
}

bool needs_key(std::string_view path) {
    if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    return path != "/health" && path != "/v1/health";
}

}  // namespace lc::access
