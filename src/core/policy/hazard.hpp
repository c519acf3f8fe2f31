// How likely a stretch of cached prompt is to be wanted again, by its age: a discrete hazard over bins of age, learned
// online by logistic regression over what is known of the stretch. Nothing here is fitted beforehand: with no
// observations every bin of age is alike, and the resulting order is that of least recent use.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/policy/trace.hpp"

namespace lc::policy {

inline constexpr std::size_t age_bins = 22;

/// Where bin `b` begins, in ms: 0, 1 s, then each twice the one before (the last begins at 12 days).
[[nodiscard]] std::int64_t bin_begin(std::size_t b);
[[nodiscard]] std::size_t bin_of(std::int64_t age_ms);

/// What is known of a stretch when it was last touched. Times in ms, -1: none.
struct Facts {
    Kind kind = Kind::main;
    Finish finish = Finish::unknown;
    bool has_parent = false, has_session = false;
    bool leaf = false;       ///< the request ended in it
    bool is_new = false;     ///< first touched by this request
    bool partial = false;    ///< a last block that is not full
    bool bypassed = false;   ///< a request turned off inside it: this is what was left
    std::uint32_t turn = 0;  ///< how often its session had come before
    std::uint32_t touches = 1, forks = 0;
    std::uint32_t grown = 0, path = 0, output = 0;  ///< blocks new in this request, blocks of it, tokens answered
    std::int64_t gap = -1;                          ///< since the session's previous request
    std::int64_t own_gap = -1;                      ///< since this stretch's previous touch
    std::int64_t interval = -1;                     ///< mean between its touches
};

inline constexpr std::size_t n_features = 12;
using Features = std::array<std::uint16_t, n_features>;  ///< hashed; the age is mixed in when they are used

[[nodiscard]] Features features_of(const Facts& facts);

class Hazard {
  public:
    Hazard();
    /// Whether it was touched while its age was in bin `b`. `weight`: how much of a stretch (0 to 1).
    void learn(const Features& features, std::size_t b, bool touched, float weight);
    /// The chance that it is touched in each bin from `from` on, given that it was not before.
    void predict(const Features& features, std::size_t from, std::span<float, age_bins> out) const;
    /// Touches per second of keeping, by the best moment to stop: max over T of P(touched within T) / E[time kept].
    [[nodiscard]] float index(const Features& features, std::size_t from) const;
    [[nodiscard]] std::uint64_t seen() const { return seen_; }

    /// What was learned, for the next start. `restore` refuses what is not of this version or not finite.
    [[nodiscard]] std::vector<float> save() const;
    bool restore(std::span<const float> numbers);

  private:
    std::vector<float> weights_, gradients_;
    std::uint64_t seen_ = 0;
};

}  // namespace lc::policy
