// What `top` shows, from two samples of a gateway. Pure.
#pragma once

#include <boost/json/value.hpp>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lc::commands {

/// Sums over all labels by name, from Prometheus' text; of a histogram its _sum and _count.
using Counters = std::map<std::string, double, std::less<>>;
[[nodiscard]] Counters counters_of(std::string_view metrics);

struct Sample {
    double seconds = 0;  ///< when it was taken, on any clock
    boost::json::value status, requests;
    Counters counters;
};

struct Rates {
    double generated = 0;   ///< pieces of streamed answers a second
    double requests = 0;    ///< requests a second
    double hit_share = -1;  ///< prompt tokens that needed no prefill, since the start; -1: no prompt yet
};
[[nodiscard]] Rates rates_of(const Sample& before, const Sample& now);

[[nodiscard]] boost::json::value top_json(const Sample& before, const Sample& now);

/// Lines of at most `width` columns (colour not counted), at most `height` of them.
[[nodiscard]] std::vector<std::string> top_lines(const Sample& before, const Sample& now, std::size_t width,
                                                 std::size_t height, bool colour);

}  // namespace lc::commands
