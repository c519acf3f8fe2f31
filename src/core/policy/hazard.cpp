#include "core/policy/hazard.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lc::policy {

namespace {

constexpr std::size_t table_size = 1u << 15;
constexpr float rate = 0.1f;    // of learning, Adagrad
constexpr float prior = -2.5f;  // log odds of a bin before anything was seen: 8%
constexpr std::size_t group_bins = 3;
/// These features have weights for each bin of age of their own; the others for groups of bins.
constexpr std::size_t fine_features = 7;

struct Edges {
    std::array<std::int64_t, age_bins + 1> begin{};
    std::array<float, age_bins> seconds{};
    Edges() {
        double edge = 1000;
        begin[0] = 0;
        for (std::size_t b = 1; b <= age_bins; ++b, edge *= 2) begin[b] = static_cast<std::int64_t>(edge);
        for (std::size_t b = 0; b < age_bins; ++b) seconds[b] = static_cast<float>(begin[b + 1] - begin[b]) / 1000;
    }
};
const Edges edges;

std::uint32_t scramble(std::uint32_t x) {
    x = (x ^ (x >> 16)) * 0x7feb'352du;
    x = (x ^ (x >> 15)) * 0x846c'a68bu;
    return x ^ (x >> 16);
}

std::uint32_t log_bucket(std::uint32_t n) {
    return static_cast<std::uint32_t>(std::bit_width(n));
}
std::uint32_t time_bucket(std::int64_t ms) {
    return ms < 0 ? 99 : static_cast<std::uint32_t>(bin_of(ms));
}

std::size_t place(std::uint16_t feature, std::size_t f, std::size_t b) {
    const std::size_t age = f < fine_features ? b : 64 + b / group_bins;
    return scramble(static_cast<std::uint32_t>(feature) << 16 | static_cast<std::uint32_t>(f << 8 | age)) % table_size;
}

float chance(float log_odds) {
    return 1 / (1 + std::exp(-log_odds));
}

}  // namespace

std::int64_t bin_begin(std::size_t b) {
    return edges.begin[std::min(b, age_bins)];
}

std::size_t bin_of(std::int64_t age_ms) {
    const auto after = std::upper_bound(edges.begin.begin() + 1, edges.begin.begin() + age_bins, age_ms);
    return static_cast<std::size_t>(after - edges.begin.begin()) - 1;
}

Features features_of(const Facts& k) {
    const std::uint32_t touches = std::min(log_bucket(k.touches), 6u), forks = std::min(log_bucket(k.forks), 6u);
    const std::uint32_t turn = k.turn < 4 ? k.turn : std::min(log_bucket(k.turn), 8u) + 2;
    const auto kind = static_cast<std::uint32_t>(k.kind), finish = static_cast<std::uint32_t>(k.finish);
    const std::uint32_t form =
        (k.leaf ? 1u : 0u) | (k.is_new ? 2u : 0u) | (k.partial ? 4u : 0u) | (k.bypassed ? 8u : 0u);
    const std::uint32_t asked = kind * 8 + finish;
    const auto grown = log_bucket(k.grown), path = log_bucket(k.path), output = log_bucket(k.output);
    const auto gap = time_bucket(k.gap), own = time_bucket(k.own_gap), every = time_bucket(k.interval);
    const auto hash = [](std::initializer_list<std::uint32_t> values) {
        std::uint32_t h = 17;
        for (const auto v : values) h = scramble(h * 31 + v);
        return static_cast<std::uint16_t>(h);
    };
    return {
        // Fine in age.
        hash({0, form & 12}),
        hash({1, own, std::min(forks, 2u)}),
        hash({2, asked, k.leaf, k.has_parent}),
        hash({3, output, k.leaf}),
        hash({4, every, std::min(forks, 2u)}),
        hash({10, gap, k.turn > 1, asked}),
        hash({11, turn, asked, k.has_parent}),
        // Coarse in age.
        hash({5, form, forks}),
        hash({6, turn, std::min(forks, 2u)}),
        hash({7, grown, k.turn > 0}),
        hash({8, touches, forks}),
        hash({9, path, k.turn > 0}),
    };
}

Hazard::Hazard() : weights_(table_size, 0), gradients_(table_size, 1) {}

void Hazard::learn(const Features& features, std::size_t b, bool touched, float weight) {
    std::array<std::size_t, n_features> at{};
    float sum = prior;
    for (std::size_t f = 0; f < n_features; ++f) sum += weights_[at[f] = place(features[f], f, b)];
    const float gradient = (chance(sum) - (touched ? 1.0f : 0.0f)) * weight;
    for (const std::size_t i : at) {
        gradients_[i] += gradient * gradient;
        weights_[i] -= rate * gradient / std::sqrt(gradients_[i]);
    }
    ++seen_;
}

void Hazard::predict(const Features& features, std::size_t from, std::span<float, age_bins> out) const {
    float coarse = 0;
    for (std::size_t b = from; b < age_bins; ++b) {
        if (b == from || b % group_bins == 0) {
            coarse = prior;
            for (std::size_t f = fine_features; f < n_features; ++f) coarse += weights_[place(features[f], f, b)];
        }
        float sum = coarse;
        for (std::size_t f = 0; f < fine_features; ++f) sum += weights_[place(features[f], f, b)];
        out[b] = chance(sum);
    }
}

float Hazard::index(const Features& features, std::size_t from) const {
    std::array<float, age_bins> p{};
    predict(features, from, p);
    float best = 0, left = 1, gained = 0, kept = 1e-3f;
    for (std::size_t b = from; b < age_bins; ++b) {
        gained += left * p[b];
        kept += left * (1 - p[b] / 2) * edges.seconds[b];
        left *= 1 - p[b];
        best = std::max(best, gained / kept);
        if (left < 1e-3f) break;
    }
    return best;
}

std::vector<float> Hazard::save() const {
    std::vector<float> out(weights_);
    out.insert(out.end(), gradients_.begin(), gradients_.end());
    return out;
}

bool Hazard::restore(std::span<const float> numbers) {
    if (numbers.size() != 2 * table_size) return false;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const bool good = i < table_size ? std::fabs(numbers[i]) < 100 : numbers[i] >= 1;
        if (!good || !std::isfinite(numbers[i])) return false;
    }
    weights_.assign(numbers.begin(), numbers.begin() + table_size);
    gradients_.assign(numbers.begin() + table_size, numbers.end());
    return true;
}

}  // namespace lc::policy
