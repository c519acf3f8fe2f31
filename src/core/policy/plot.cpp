#include "core/policy/plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lc::policy {

namespace {

constexpr double width = 720, height = 420, left = 64, right = 130, top = 44, bottom = 52;

std::string number(double value, int digits = 1) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '<')
            out += "&lt;";
        else if (c == '&')
            out += "&amp;";
        else if (static_cast<unsigned char>(c) >= 0x20)
            out += c;
    }
    return out;
}

std::string colour_of(const std::string& name) {
    if (name == "lru") return "#777777";
    if (name == "lru2") return "#c2791e";
    if (name == "hazard") return "#1f6fb4";
    if (name == "adaptive") return "#2a8f3d";
    return "#b02a37";
}

std::string text_at(double x, double y, const std::string& text, const std::string& more = "") {
    return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\"" + more + ">" + escaped(text) + "</text>\n";
}

std::string line_from(double x1, double y1, double x2, double y2, const std::string& stroke) {
    return "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" + number(y2) +
           "\" stroke=\"" + stroke + "\"/>\n";
}

}  // namespace

std::string plot(const std::string& title, const std::vector<std::pair<double, std::vector<Row>>>& unsorted) {
    auto runs = unsorted;
    std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    double most = 0.01;
    for (const auto& [share, rows] : runs) {
        for (const Row& row : rows) most = std::max(most, row.hit_rate());
    }
    const double step = most > 0.5 ? 0.2 : most > 0.2 ? 0.1 : most > 0.05 ? 0.02 : 0.01;
    most = std::ceil(most / step) * step;
    const auto x_of = [&](double share) {
        if (runs.size() < 2 || runs.front().first <= 0) return left + (width - left - right) / 2;
        const double span = std::log(runs.back().first / runs.front().first);
        return span <= 0 ? left : left + 16 + (width - left - right - 32) * std::log(share / runs.front().first) / span;
    };
    const auto y_of = [&](double rate) { return height - bottom - (height - top - bottom) * rate / most; };

    std::string out =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width, 0) + " " + number(height, 0) +
        "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    out += text_at(left, 24, title, " font-size=\"15\"");
    for (double rate = 0; rate <= most + 1e-9; rate += step) {
        out += line_from(left, y_of(rate), width - right, y_of(rate), "#dddddd");
        out += text_at(left - 8, y_of(rate) + 4, number(rate * 100, 0) + "%", " text-anchor=\"end\"");
    }
    for (const auto& run : runs) {
        const double percent = run.first * 100;
        out += text_at(x_of(run.first), height - bottom + 20, number(percent, percent < 1 ? 2 : 0) + "%",
                       " text-anchor=\"middle\"");
    }
    out += text_at((left + width - right) / 2, height - 12, "capacity, share of the unique blocks",
                   " text-anchor=\"middle\"");
    double last_label = -100;
    std::vector<std::pair<double, std::string>> labels;
    for (const std::string& name : policy_names()) {
        std::string points;
        double end = 0;
        for (const auto& [share, rows] : runs) {
            for (const Row& row : rows) {
                if (row.name != name) continue;
                end = y_of(row.hit_rate());
                points += number(x_of(share)) + "," + number(end) + " ";
                out += "<circle cx=\"" + number(x_of(share)) + "\" cy=\"" + number(end) + "\" r=\"3\" fill=\"" +
                       colour_of(name) + "\"/>\n";
            }
        }
        if (points.empty()) continue;
        out += "<polyline points=\"" + points + "\" fill=\"none\" stroke-width=\"2\" stroke=\"" + colour_of(name) +
               "\"/>\n";
        labels.emplace_back(end, name);
    }
    std::sort(labels.begin(), labels.end());
    for (const auto& [y, name] : labels) {
        last_label = std::max(y, last_label + 15);
        out += text_at(width - right + 10, last_label + 4, name, " fill=\"" + colour_of(name) + "\"");
    }
    return out + "</svg>\n";
}

}  // namespace lc::policy
