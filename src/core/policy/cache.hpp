// A cache without contents: which chunks would be kept under an order of eviction. Shadows of the store are such
// caches, and so is what the simulator measures.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/policy/forest.hpp"

namespace lc::policy {

enum class Order : std::uint8_t {
    lru,     ///< least recent touch goes first
    lru2,    ///< least recent touch but one; what was touched once goes before all others
    hazard,  ///< least chance of touch a second, weighed by the prefill that a byte saves
};
[[nodiscard]] std::string_view name_of(Order order);
[[nodiscard]] std::optional<Order> order_named(std::string_view name);

/// What goes first: lower keys; of equal ones what was touched longest ago.
[[nodiscard]] double key_of(Order order, const Segment& segment);

struct Hit {
    std::uint32_t chunks = 0;  ///< of the path, from its beginning
    std::uint64_t bytes = 0;
    double ms = 0;              ///< of prefill saved
    std::uint64_t written = 0;  ///< bytes that came in and stayed
};

/// Follows a forest: `before` and `after` around each Forest::touch, `rescored` and `forgotten` as it says.
class Cache {
  public:
    Cache(const Forest& forest, Order order, std::uint64_t capacity)
        : forest_(&forest), order_(order), capacity_(capacity) {}

    /// The path's chunks that are here, then all of it comes in and the lowest leave, deepest first.
    Hit follow(std::span<const Chunk> path, const Change& change);
    void rescored(std::uint32_t segment);
    [[nodiscard]] bool keeps(std::uint32_t segment) const {
        return segment < parts_.size() && parts_[segment].resident > 0;
    }

    /// The order from now on; what is kept stays.
    void reorder(Order order);
    void resize(std::uint64_t capacity) { capacity_ = capacity; }
    [[nodiscard]] Order order() const { return order_; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
    [[nodiscard]] std::uint64_t bytes_of_memory() const;

  private:
    /// Of a segment: how many of its nodes are here (from its top), the last of them, and how many kept segments hang
    /// below it.
    struct Part {
        std::uint32_t resident = 0, edge = none, below = 0, heap = none;
    };
    struct Entry {
        double key;
        std::uint64_t order;
        std::uint32_t segment;
    };
    static bool lower(const Entry& a, const Entry& b) { return a.key != b.key ? a.key < b.key : a.order < b.order; }
    void put(std::uint32_t segment);   ///< into the heap where it belongs, or out of it
    void take(std::uint32_t segment);  ///< out of the heap
    void up(std::size_t at);
    void down(std::size_t at);
    void place(std::size_t at, const Entry& entry);
    void evict();

    const Forest* forest_;
    Order order_;
    std::uint64_t capacity_, bytes_ = 0;
    std::vector<Part> parts_;
    std::vector<Entry> heap_;
};

/// Follows whichever would have saved more prefill time lately. A value: no clock.
class Chooser {
  public:
    explicit Chooser(Order first = Order::hazard) : now_(first) {}
    /// What each would have saved of this request; `share`: what came in, as a share of the capacity. True: changed.
    bool see(const double (&saved_ms)[3], double share);
    [[nodiscard]] Order now() const { return now_; }
    [[nodiscard]] double saved_ms(Order order) const { return saved_[static_cast<std::size_t>(order)]; }  ///< lately

  private:
    Order now_;
    double saved_[3] = {0, 0, 0};
    double spread_[3][3] = {};  ///< sums of squared differences: how much of a gain is chance
};

}  // namespace lc::policy
