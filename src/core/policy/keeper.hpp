// What the store asks: which of what it keeps is worth least. The forest of all prompts seen, shadows of the three
// orders, and the choice between them. Metadata only, no clock.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/policy/cache.hpp"

namespace lc::policy {

/// `fixed`: always this order; empty: adaptive.
class Keeper {
  public:
    Keeper(std::optional<Order> fixed, std::uint64_t capacity);
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    /// A request used this path. Returns the order that is in force from now on when it is another one than before.
    std::optional<Order> note(std::span<const Chunk> path, const Touch& touch);
    /// The same from memory (a start): nothing is learned from it.
    void recall(std::span<const Chunk> path, const Touch& touch);
    void resize(std::uint64_t capacity);

    /// What goes first has the lowest; of a path, that of its last chunk. Nothing: this chunk is not known.
    [[nodiscard]] std::optional<double> worth(std::uint64_t chunk) const;
    void advance(std::int64_t now_ms) { forest_.advance(now_ms); }

    [[nodiscard]] Order in_force() const { return fixed_.value_or(chooser_.now()); }
    [[nodiscard]] bool adaptive() const { return !fixed_; }
    /// "hazard: would have saved 12.3 s of prefill lately, lru2 11.0 s, lru 9.1 s"
    [[nodiscard]] std::string why() const;
    [[nodiscard]] double saved_ms(Order order) const { return chooser_.saved_ms(order); }
    [[nodiscard]] std::uint64_t bytes_of_memory() const;
    [[nodiscard]] std::size_t chunks() const { return forest_.n_nodes(); }
    [[nodiscard]] Hazard& hazard() { return forest_.hazard; }

  private:
    void follow(std::span<const Chunk> path, const Touch& touch, double (&saved)[3], double& share);

    std::optional<Order> fixed_;
    Forest forest_;
    std::array<Cache, 3> shadows_;
    Chooser chooser_;
    Change change_;
};

/// Writes of one day against the limit: an SSD bears only so many.
struct Writes {
    std::int64_t day = 0;     ///< since 1970, UTC
    std::uint64_t bytes = 0;  ///< written on it
};
struct WriteAsked {
    std::uint64_t limit = 0;  ///< bytes a day; 0: none
    double prefill_ms = 0;    ///< what computing it again would cost
    bool at_shutdown = false;
};
/// Pure. Beyond the limit nothing is written. Within it, what took more than 2 s of prefill and what is saved at
/// shutdown always is; the rest only while the day's writes are no more than a quarter of the limit ahead of the time
/// of day.
[[nodiscard]] bool may_write(const Writes& writes, const WriteAsked& asked, std::int64_t now_ms);
[[nodiscard]] Writes add_writes(Writes writes, std::uint64_t bytes, std::int64_t now_ms);

}  // namespace lc::policy
