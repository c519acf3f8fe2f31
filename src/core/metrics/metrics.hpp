// Counters, gauges and histograms as a value, and their text in Prometheus' exposition format 0.0.4.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lc::metrics {

using Label = std::pair<std::string_view, std::string_view>;
using Labels = std::initializer_list<Label>;

struct Histogram {
    std::vector<std::uint64_t> counts;  ///< by bucket, not cumulative; the last is +Inf
    double sum = 0;
    std::uint64_t count = 0;
};

struct Family {
    std::string help;
    const char* type = "counter";
    std::map<std::string, double> values;         ///< by rendered labels
    std::map<std::string, Histogram> histograms;  ///< by rendered labels
};

struct Metrics {
    std::map<std::string, Family, std::less<>> families;
};

/// Upper bounds in seconds of every histogram: from 1 ms to 10 minutes.
[[nodiscard]] std::span<const double> buckets();

/// Declares a family; needed once before it is used, so that it is shown (as 0) before its first event.
void declare(Metrics& metrics, std::string_view name, const char* type, std::string_view help);

/// `name` without the prefix `localcode_`. At most 1,000 label sets a family: what comes later counts as label "other".
void add(Metrics& metrics, std::string_view name, Labels labels, double value = 1);
void set(Metrics& metrics, std::string_view name, Labels labels, double value);
void observe(Metrics& metrics, std::string_view name, Labels labels, double seconds);

[[nodiscard]] std::string render(const Metrics& metrics);

}  // namespace lc::metrics
