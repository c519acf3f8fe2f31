#include "app/commands/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace lc::commands {

namespace {

bool continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// Characters, which is the width but for wide East Asian ones.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continuation(c); }));
}

std::string cut(std::string text, std::size_t max_width) {
    if (max_width == 0 || width(text) <= max_width) return text;
    std::size_t seen = 0, end = 0;
    while (end < text.size() && (continuation(text[end]) || ++seen < max_width)) ++end;
    return text.substr(0, end) + "\xe2\x80\xa6";  // an ellipsis
}

std::string format(const char* pattern, double value) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, pattern, value);
    return buffer;
}

std::string two_digits(std::int64_t value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
}

}  // namespace

std::string clean(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c1) ++i;
        out += c1 || byte < 0x20 || byte == 0x7f ? ' ' : text[i];
    }
    return out;
}

std::string paint(std::string_view text, std::string_view sgr, bool colour) {
    if (!colour || sgr.empty() || text.empty()) return std::string(text);
    return "\x1b[" + std::string(sgr) + "m" + std::string(text) + "\x1b[0m";
}

std::string table(const std::vector<Column>& columns, const std::vector<Row>& rows, bool colour) {
    std::vector<std::size_t> widths(columns.size(), 0);
    std::vector<std::vector<std::string>> texts;
    for (const Row& row : rows) {
        auto& line = texts.emplace_back(columns.size());
        for (std::size_t i = 0; i < std::min(row.size(), columns.size()); ++i) {
            line[i] = cut(clean(row[i].text), columns[i].max_width);
            widths[i] = std::max(widths[i], width(line[i]));
        }
    }
    std::string out;
    const auto add_line = [&](const auto& text_of, const auto& sgr_of) {
        std::string line, pending;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (widths[i] == 0) continue;
            const std::string text = text_of(i);
            const std::string pad(std::max(widths[i], width(columns[i].title)) - width(text), ' ');
            if (columns[i].align == Align::right) pending += pad;
            if (!text.empty()) line += std::exchange(pending, "") + paint(text, sgr_of(i), colour);
            if (columns[i].align == Align::left) pending += pad;
            pending += "  ";
        }
        out += line + "\n";
    };
    add_line([&](std::size_t i) { return std::string(columns[i].title); }, [](std::size_t) { return "2"; });
    for (std::size_t r = 0; r < rows.size(); ++r) {
        add_line([&](std::size_t i) { return texts[r][i]; },
                 [&](std::size_t i) { return i < rows[r].size() ? rows[r][i].sgr : std::string_view{}; });
    }
    return out;
}

std::string bytes_text(std::int64_t bytes) {
    if (bytes <= 0) return "";
    constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1000 && unit + 1 < std::size(units)) value /= 1000, ++unit;
    return format(unit == 0 || value >= 100 ? "%.0f " : "%.1f ", value) + units[unit];
}

std::string ms_text(const std::optional<double>& milliseconds) {
    if (!milliseconds) return "";
    if (*milliseconds < 1000) return format(*milliseconds < 10 ? "%.1f ms" : "%.0f ms", *milliseconds);
    const double seconds = *milliseconds / 1000;
    if (seconds < 60) return format("%.1f s", seconds);
    return duration_text(static_cast<std::int64_t>(std::lround(seconds)));
}

std::string duration_text(std::int64_t seconds) {
    if (seconds < 60) return std::to_string(seconds) + "s";
    if (seconds < 3600) return std::to_string(seconds / 60) + "m " + two_digits(seconds % 60) + "s";
    if (seconds < 86'400) return std::to_string(seconds / 3600) + "h " + two_digits(seconds % 3600 / 60) + "m";
    return std::to_string(seconds / 86'400) + "d " + std::to_string(seconds % 86'400 / 3600) + "h";
}

std::string count_text(std::int64_t number) {
    if (number == 0) return "";
    std::string digits = std::to_string(number);
    const std::size_t first = number < 0 ? 1 : 0;
    for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, ",");
    return digits;
}

std::string time_text(std::int64_t unix_ms) {
    const std::time_t seconds = unix_ms / 1000;
    std::tm local{};
    char buffer[32];
    if (localtime_r(&seconds, &local) == nullptr) return std::to_string(unix_ms);
    const std::size_t size = std::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S", &local);
    return {buffer, size};
}

std::string list_text(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
    return out;
}

bool colour_on() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    const bool dumb = term == nullptr || std::string_view(term) == "dumb" || *term == '\0';
    return ::isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0') && !dumb;
}

}  // namespace lc::commands
