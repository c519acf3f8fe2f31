// Which slot of an engine answers a request. Pure decisions over plain values; the loop that owns them is app/states.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lc::slots {

/// One slot as the gateway knows it.
struct Slot {
    bool busy = false;           ///< a request has it
    std::string session;         ///< whose state it holds; empty: nothing that anybody will ask for again
    std::uint64_t unsaved = 0;   ///< tokens that are not in the store (0 when nothing can be stored)
    std::uint64_t used = 0;      ///< grows with each use: tells the order
    bool operator==(const Slot&) const = default;
};

/// A request that wants a slot.
struct Ask {
    std::string_view session;
    bool background = false;     ///< title, compaction: nobody comes back to its state
    std::uint64_t order = 0;     ///< of arrival
    double waited_s = 0;
};

struct Choice {
    std::size_t slot = 0;
    bool save_first = false;     ///< holds tokens of another session that are not stored yet
    bool displaces = false;      ///< another session's state goes
    bool operator==(const Choice&) const = default;
};

/// Pure. Nothing: all that could serve it are busy. A session keeps its slot, and waits a moment for it; a new one gets a slot that nobody's state
/// is in, else the one that was used longest ago, stored ones first. A background request spares its own session's
/// slot for three seconds when the engine has any other.
[[nodiscard]] std::optional<Choice> choose(std::span<const Slot> slots, const Ask& ask);

/// Pure. Which of the waiting asks is next in turn among those that `choose` can serve: first come, first served, but
/// background requests after the others unless they have waited for `patience_s`. Index into `asks`, nothing: none.
[[nodiscard]] std::optional<std::size_t> next(std::span<const Slot> slots, std::span<const Ask> asks,
                                              double patience_s = 15);

/// Kinds whose state nobody comes back to.
[[nodiscard]] inline bool is_background(std::string_view kind) { return kind == "title" || kind == "compaction"; }

}  // namespace lc::slots
