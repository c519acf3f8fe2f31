#include "core/metrics/metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace lc::metrics {

namespace {

constexpr std::size_t max_label_sets = 1'000;
constexpr std::array<double, 16> bounds = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                           1,     2.5,   5,    10,    30,   60,  120,  600};

std::string render_labels(Labels labels) {
    std::string out;
    for (const auto& [key, value] : labels) {
        if (!out.empty()) out += ',';
        out += key;
        out += "=\"";
        for (const char c : value) {
            if (c == '\\' || c == '"') out += '\\';
            if (c == '\n') {
                out += "\\n";
            } else {
                out += c;
            }
        }
        out += '"';
    }
    return out;
}

Family& family(Metrics& metrics, std::string_view name) {
    const auto it = metrics.families.find(name);
    if (it != metrics.families.end()) return it->second;
    return metrics.families.emplace(name, Family{}).first->second;
}

/// Bounded, because some labels come from clients.
template <class Map>
typename Map::mapped_type& slot(Map& map, Labels labels) {
    std::string key = render_labels(labels);
    if (map.size() >= max_label_sets && !map.contains(key)) key = labels.size() == 0 ? "" : "overflow=\"other\"";
    return map[std::move(key)];
}

std::string number(double value) {
    std::array<char, 32> text{};
    const auto [end, ec] = std::to_chars(text.data(), text.data() + text.size(), value);
    return ec == std::errc{} ? std::string(text.data(), end) : std::string("NaN");
}

void line(std::string& out, std::string_view name, std::string_view labels, std::string_view extra, double value) {
    out += "localcode_";
    out += name;
    if (!labels.empty() || !extra.empty()) {
        out += '{';
        out += labels;
        if (!labels.empty() && !extra.empty()) out += ',';
        out += extra;
        out += '}';
    }
    out += ' ';
    out += number(value);
    out += '\n';
}

}  // namespace

std::span<const double> buckets() { return bounds; }

void declare(Metrics& metrics, std::string_view name, const char* type, std::string_view help) {
    auto& f = family(metrics, name);
    f.type = type;
    f.help = help;
}

void add(Metrics& metrics, std::string_view name, Labels labels, double value) {
    slot(family(metrics, name).values, labels) += value;
}

void set(Metrics& metrics, std::string_view name, Labels labels, double value) {
    slot(family(metrics, name).values, labels) = value;
}

void observe(Metrics& metrics, std::string_view name, Labels labels, double seconds) {
    auto& histogram = slot(family(metrics, name).histograms, labels);
    if (histogram.counts.empty()) histogram.counts.resize(bounds.size() + 1);
    const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
    ++histogram.counts[static_cast<std::size_t>(bucket)];
    histogram.sum += seconds;
    ++histogram.count;
}

std::string render(const Metrics& metrics) {
    std::string out;
    for (const auto& [name, f] : metrics.families) {
        out += "# HELP localcode_" + name + " " + f.help + "\n# TYPE localcode_" + name + " " + f.type + "\n";
        for (const auto& [labels, value] : f.values) line(out, name, labels, "", value);
        for (const auto& [labels, histogram] : f.histograms) {
            std::uint64_t cumulative = 0;
            for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
                cumulative += histogram.counts[i];
                const std::string le = i < bounds.size() ? number(bounds[i]) : "+Inf";
                line(out, name + "_bucket", labels, "le=\"" + le + "\"", static_cast<double>(cumulative));
            }
            line(out, name + "_sum", labels, "", histogram.sum);
            line(out, name + "_count", labels, "", static_cast<double>(histogram.count));
        }
        if (f.values.empty() && f.histograms.empty() && std::string_view(f.type) != "histogram") {
            line(out, name, "", "", 0);
        }
    }
    return out;
}

}  // namespace lc::metrics
