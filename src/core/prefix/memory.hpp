// What the steps remember between requests, as one bounded value, and its entries as JSON for the disk. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/prefix/pins.hpp"
#include "core/prefix/tools.hpp"

namespace lc::prefix {

/// Of one session of one client, model and namespace.
struct SessionMemory {
    Pins pins;
    std::vector<std::string> tools;  ///< in the order in which they were sent
    bool operator==(const SessionMemory&) const = default;
};

/// JSON; reading what is none, or another's, gives nothing.
[[nodiscard]] std::string to_json(const SessionMemory& memory);
[[nodiscard]] std::optional<SessionMemory> session_from_json(std::string_view json);
[[nodiscard]] std::string to_json(const KnownTools& known);
[[nodiscard]] std::optional<KnownTools> known_from_json(std::string_view json);

/// A map of bounded count and size that forgets what was used longest ago.
template <class T>
struct Recent {
    struct Entry {
        T value;
        std::uint64_t used = 0;
        std::size_t bytes = 0;
    };
    std::map<std::string, Entry, std::less<>> all;
    std::uint64_t order = 0;
    std::size_t bytes = 0;

    [[nodiscard]] T* find(std::string_view key) {
        const auto it = all.find(key);
        if (it == all.end()) return nullptr;
        it->second.used = ++order;
        return &it->second.value;
    }
    /// `size`: about what the value takes. Returns the keys that had to go.
    std::vector<std::string> put(const std::string& key, T value, std::size_t size, std::size_t most, std::size_t most_bytes) {
        auto& entry = all[key];
        bytes += size - entry.bytes;
        entry = {std::move(value), ++order, size};
        std::vector<std::string> gone;
        while (all.size() > most || (bytes > most_bytes && all.size() > 1)) {
            auto oldest = all.begin();
            for (auto it = all.begin(); it != all.end(); ++it) {
                if (it->second.used < oldest->second.used) oldest = it;
            }
            bytes -= oldest->second.bytes;
            gone.push_back(oldest->first);
            all.erase(oldest);
        }
        return gone;
    }
};

}  // namespace lc::prefix
