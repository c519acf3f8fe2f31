#include "core/hub/progress.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/text.hpp"

namespace lc::hub {
namespace {

constexpr double window_s = 5;

int percent(std::int64_t part, std::int64_t whole) {
    if (whole <= 0) return 100;
    // Rounded down: 100% means that it is all there.
    return static_cast<int>(
        std::clamp<double>(std::floor(100.0 * static_cast<double>(part) / static_cast<double>(whole)), 0, 100));
}

std::string_view base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string which(const Progress& p) {
    std::string out = p.count > 1 ? std::to_string(p.index) + "/" + std::to_string(p.count) + " " : std::string();
    return out + std::string(base_name(p.file));
}

/// "43%  1.9 of 4.4 GB  35 MB/s  1 min 12 s left"
std::string figures(const Progress& p) {
    const bool checking = p.stage == Stage::checking;
    const std::int64_t part = checking ? p.file_bytes : p.bytes, whole = checking ? p.file_total : p.total;
    std::string out = std::to_string(percent(part, whole)) + "%  " + human_bytes(part) + " of " + human_bytes(whole);
    if (checking) return out;
    if (p.bytes_per_s > 0) out += "  " + human_bytes(static_cast<std::int64_t>(p.bytes_per_s)) + "/s";
    if (p.eta_s >= 0) out += "  " + human_seconds(p.eta_s) + " left";
    return out;
}

std::string sentence(const Progress& p) {
    switch (p.stage) {
        case Stage::listing: return "asking the hub for the list of files" + (p.note.empty() ? "" : ": " + p.note);
        case Stage::waiting: return "waiting: another localcode is loading " + std::string(base_name(p.file));
        case Stage::checking: return "checking " + which(p);
        case Stage::downloading: return which(p);
        case Stage::retrying: return p.note;
        case Stage::done: return "complete: " + human_bytes(p.total);
    }
    return {};
}

}  // namespace

void note_bytes(Speed& speed, double now_s, std::int64_t bytes) {
    // Going back (a file that starts over) makes what was measured worthless.
    if (!speed.samples.empty() && bytes < speed.samples.back().second) speed.samples.clear();
    speed.samples.emplace_back(now_s, bytes);
    while (speed.samples.size() > 2 && speed.samples[1].first <= now_s - window_s) speed.samples.pop_front();
}

double bytes_per_second(const Speed& speed) {
    if (speed.samples.size() < 2) return 0;
    const double seconds = speed.samples.back().first - speed.samples.front().first;
    if (seconds < 0.2) return 0;
    return static_cast<double>(speed.samples.back().second - speed.samples.front().second) / seconds;
}

std::string human_bytes(std::int64_t bytes) {
    constexpr std::array<const char*, 6> units = {"B", "kB", "MB", "GB", "TB", "PB"};
    if (bytes < 1000) return std::to_string(bytes) + " B";
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    // 999.95 would be printed as "1000.0".
    while (value >= 999.95 && unit + 1 < units.size()) {
        value /= 1000;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %s", value, units[unit]);
    return text;
}

std::string human_seconds(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::ceil(std::clamp(seconds, 0.0, 1e9)));
    if (whole < 60) return std::to_string(whole) + " s";
    if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
    return std::to_string(whole / 3600) + " h " + std::to_string(whole / 60 % 60) + " min";
}

std::string plain_line(const Progress& p) {
    const bool counts = p.stage == Stage::downloading || p.stage == Stage::checking;
    return sentence(p) + (counts ? "  " + figures(p) : std::string());
}

std::string terminal_line(const Progress& p, int width) {
    const auto columns = static_cast<std::size_t>(std::max(width, 20));
    const auto fit = [columns](std::string text) {
        return text.size() <= columns ? text : std::string(cut_utf8(text, columns));
    };
    if (p.stage != Stage::downloading && p.stage != Stage::checking) return fit(sentence(p));
    const std::string right = figures(p);
    std::string left = sentence(p);
    // The figures always, then the name, then a bar in what is left.
    const std::size_t room = columns > right.size() + 2 ? columns - right.size() - 2 : 0;
    const std::size_t name_room =
        std::min<std::size_t>(left.size(), std::max<std::size_t>(room / 2, room > 30 ? room - 25 : 0));
    left = std::string(cut_utf8(left, name_room));
    std::string line = left.empty() ? std::string() : left + "  ";
    if (room > left.size() + 2 + 8) {
        const std::size_t cells = std::min<std::size_t>(room - left.size() - 4, 40);
        const bool checking = p.stage == Stage::checking;
        const auto filled =
            static_cast<std::size_t>(percent(checking ? p.file_bytes : p.bytes, checking ? p.file_total : p.total)) *
            cells / 100;
        line += "[" + std::string(filled, '=') + std::string(cells - filled, ' ') + "] ";
    }
    return fit(line + right);
}

}  // namespace lc::hub
