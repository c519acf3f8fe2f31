// What is known of all prompts: chunks in trees, cut into segments that were touched by the same requests. Metadata
// only: what is in which cache is known by cache.hpp. No clock: the caller says what time it is.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "core/policy/hazard.hpp"

namespace lc::policy {

inline constexpr std::uint32_t none = 0xffff'ffff;

/// A chunk: one block of prompt behind all that stands before it.
struct Node {
    std::uint64_t name = 0;
    std::uint32_t parent = none, segment = none;
    std::uint32_t bytes = 0;
    float ms = 0;                          ///< of prefill
    std::uint32_t children = 0;            ///< known now
    std::uint16_t forks = 0, touches = 0;  ///< different children and touches ever; saturate
};

/// A stretch of a path without forks, touched as one. Its nodes are reached from `bottom` over parents.
struct Segment {
    std::uint32_t bottom = none, length = 0, above = none;  ///< above: parent of its first node
    std::int64_t first = 0, touched = 0, since = 0;  ///< ms; since: what ages count from (touch, or being bypassed)
    std::uint64_t order = 0, before = 0;  ///< of the last touch and the one before (0: none); deeper is smaller
    Facts facts;
    Features features{};
    std::uint8_t bin = 0;
    float index = 0, worth = 0;  ///< hazard's index; ms saved per byte kept
    float weight = 1;            ///< how much of an observation this is
    std::uint32_t serial = 0;    ///< another one in the same place has another
};

/// What a caller says of a request that used a path.
struct Touch {
    std::int64_t now_ms = 0;
    std::uint64_t session = 0;  ///< 0: unknown
    bool has_parent = false;
    Kind kind = Kind::main;
    Finish finish = Finish::unknown;
    std::uint32_t output = 0;
    bool partial_tail = false;  ///< the last chunk is not full
};
struct Chunk {
    std::uint64_t name = 0;
    std::uint32_t bytes = 0;
    float ms = 0;
};

/// How a touch changed the segments: what caches must follow.
struct Change {
    struct Old {
        std::uint32_t segment, touched,
            length;  ///< nodes touched of how many; less: the rest remains under the same id
    };
    std::vector<Old> old;              ///< from the root on; those touched whole are gone
    std::vector<std::uint32_t> fresh;  ///< from the root on
};

class Forest {
  public:
    explicit Forest(std::size_t most_nodes = 2'000'000) : most_nodes_(most_nodes) {}

    /// Called for each segment whose order of eviction changed without being touched.
    std::function<void(std::uint32_t)> rescored;
    /// Whether the segment is kept by anybody; such are never forgotten.
    std::function<bool(std::uint32_t)> kept;
    /// The segment is about to be forgotten.
    std::function<void(std::uint32_t)> forgotten;

    /// Ages move on; then the request's path is touched. `change` is written anew.
    void touch(std::span<const Chunk> path, const Touch& touch, Change& change);
    /// Ages move on to now.
    void advance(std::int64_t now_ms);

    [[nodiscard]] std::uint32_t find(std::uint64_t name) const;
    [[nodiscard]] const Node& node(std::uint32_t i) const { return nodes_[i]; }
    [[nodiscard]] const Segment& segment(std::uint32_t i) const { return segments_[i]; }
    [[nodiscard]] std::size_t n_nodes() const { return used_nodes_; }
    [[nodiscard]] std::size_t segment_slots() const { return segments_.size(); }
    [[nodiscard]] std::uint64_t bytes_of_memory() const;
    Hazard hazard;
    bool learning = true;  ///< false: touches are remembered, but nothing is learned from them

  private:
    std::uint32_t add_node(const Chunk& chunk, std::uint32_t parent);
    std::uint32_t add_segment();
    void drop_segment(std::uint32_t id);
    void score(std::uint32_t id);
    void begin_age(std::uint32_t id, std::int64_t now_ms);
    void forget_some();
    void grow_table();
    void erase_name(std::uint64_t name);

    struct Aging {
        std::uint32_t segment, serial;
        std::int64_t since;
    };
    std::size_t most_nodes_, used_nodes_ = 0;
    std::vector<Node> nodes_;
    std::vector<Segment> segments_;
    std::vector<std::uint32_t> free_nodes_, free_segments_, table_;
    std::array<std::deque<Aging>, age_bins> aging_;
    std::uint64_t order_ = 0;
    std::uint32_t serial_ = 0;
    std::vector<std::uint32_t> walk_;
};

}  // namespace lc::policy
