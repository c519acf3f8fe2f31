#include "app/commands/top_view.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "app/commands/json_view.hpp"
#include "app/commands/text.hpp"
#include "base/text.hpp"

namespace lc::commands {

namespace json = boost::json;

namespace {

constexpr std::string_view prefix = "localcode_";

double at(const Counters& counters, std::string_view name) {
    const auto found = counters.find(name);
    return found != counters.end() ? found->second : 0;
}

std::string number(double value, const char* format) {
    char text[48];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

/// Cut at `width` characters; colour codes are not counted and are closed again.
std::string fit(std::string_view line, std::size_t width) {
    std::string out;
    std::size_t used = 0;
    bool coloured = false;
    for (std::size_t i = 0; i < line.size();) {
        if (line[i] == '\x1b') {
            const auto end = std::min(line.find('m', i), line.size() - 1) + 1;
            coloured = line.substr(i, end - i) != "\x1b[0m";
            out += line.substr(i, end - i);
            i = end;
            continue;
        }
        std::size_t bytes = 1;
        while (i + bytes < line.size() && (static_cast<unsigned char>(line[i + bytes]) & 0xc0) == 0x80) ++bytes;
        if (used++ == width) break;
        out += line.substr(i, bytes);
        i += bytes;
    }
    return coloured ? out + "\x1b[0m" : out;
}

void add_lines(std::vector<std::string>& to, const std::string& text) {
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        to.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
}

std::string engines_text(const json::value& status, bool colour) {
    std::vector<Row> rows;
    for (const auto& e : items_at(status, "engines")) {
        const auto phase = text_at(e, "phase");
        const auto in_use = integer_at(e, "in_use"), slots = integer_at(e, "slots");
        rows.push_back({{text_at(e, "name"), "1"},
                        {phase, phase == "ready"         ? "32"
                                : phase == "backing_off" ? "31"
                                : phase == "stopped"     ? "2"
                                                         : "33"},
                        {slots > 0 ? std::to_string(std::min(in_use, slots)) + "/" + std::to_string(slots) : ""},
                        {in_use > slots && slots > 0 ? std::to_string(in_use - slots) : ""},
                        {count_text(integer_at(e, "context"))},
                        {bytes_text(integer_at(e, "rss_bytes"))},
                        {count_text(integer_at(e, "restarts"))}});
    }
    return rows.empty() ? std::string()
                        : table({{"ENGINE"},
                                 {"STATE"},
                                 {"SLOTS", Align::right},
                                 {"QUEUE", Align::right},
                                 {"CONTEXT", Align::right},
                                 {"MEMORY", Align::right},
                                 {"RESTARTS", Align::right}},
                                rows, colour) +
                              "\n";
}

std::string running_text(const json::value& requests, bool colour) {
    std::vector<Row> rows;
    for (const auto& r : items_at(requests, "running")) {
        rows.push_back({{text_at(r, "model"), "1"},
                        {text_at(r, "kind")},
                        {text_at(r, "session"), "2"},
                        {duration_text(integer_at(r, "ms") / 1000)},
                        {text_at(r, "waiting_for")}});
    }
    return rows.empty() ? "no request is running\n\n"
                        : table({{"RUNNING"}, {"KIND"}, {"SESSION", Align::left, 34}, {"SINCE", Align::right}, {"NOW"}},
                                rows, colour) +
                              "\n";
}

std::string latest_text(const json::value& requests, bool colour) {
    std::vector<Row> rows;
    for (const auto& r : items_at(requests, "requests")) {
        const auto* usage = member(r, "usage");
        const auto status = integer_at(r, "status");
        const auto in_usage = [&](std::string_view key) {
            return usage != nullptr ? count_text(integer_at(*usage, key)) : std::string();
        };
        rows.push_back({{text_at(r, "model_used"), "1"},
                        {text_at(r, "kind")},
                        {std::to_string(status), status < 400 ? "32" : "31"},
                        {in_usage("prompt")},
                        {in_usage("cached")},
                        {in_usage("completion")},
                        {text_at(r, "session"), "2"}});
    }
    return rows.empty() ? std::string()
                        : table({{"LATEST"},
                                 {"KIND"},
                                 {"STATUS"},
                                 {"PROMPT", Align::right},
                                 {"CACHED", Align::right},
                                 {"ANSWER", Align::right},
                                 {"SESSION", Align::left, 34}},
                                rows, colour);
}

std::size_t sessions_of(const json::value& requests) {
    std::set<std::string> ids;
    for (const auto& r : items_at(requests, "running")) {
        if (auto id = text_at(r, "session"); !id.empty()) ids.insert(std::move(id));
    }
    return ids.size();
}

}  // namespace

Counters counters_of(std::string_view metrics) {
    Counters out;
    while (!metrics.empty()) {
        const auto line = metrics.substr(0, metrics.find('\n'));
        metrics.remove_prefix(std::min(metrics.size(), line.size() + 1));
        if (!line.starts_with(prefix)) continue;
        const auto name = line.substr(prefix.size(), line.find_first_of("{ ") - prefix.size());
        const auto space = line.rfind(' ');
        if (space == std::string_view::npos || name.ends_with("_bucket")) continue;
        out[std::string(name)] += std::atof(std::string(line.substr(space + 1)).c_str());
    }
    return out;
}

Rates rates_of(const Sample& before, const Sample& now) {
    Rates out;
    const double seconds = now.seconds - before.seconds;
    const auto rate = [&](std::string_view name) {
        return seconds > 0 ? std::max(0.0, at(now.counters, name) - at(before.counters, name)) / seconds : 0;
    };
    out.generated = rate("inter_token_seconds_count");
    out.requests = rate("requests_total");
    const double prompt = at(now.counters, "prompt_tokens_total");
    if (prompt > 0) out.hit_share = at(now.counters, "prompt_tokens_cached_total") / prompt;
    return out;
}

json::value top_json(const Sample& before, const Sample& now) {
    const auto rates = rates_of(before, now);
    json::object out{{"status", now.status},
                     {"running", items_at(now.requests, "running")},
                     {"tokens_per_second", rates.generated},
                     {"requests_per_second", rates.requests},
                     {"sessions", sessions_of(now.requests)}};
    out["hit_share"] = rates.hit_share < 0 ? json::value(nullptr) : json::value(rates.hit_share);
    return out;
}

std::vector<std::string> top_lines(const Sample& before, const Sample& now, std::size_t width, std::size_t height,
                                   bool colour) {
    const auto rates = rates_of(before, now);
    const auto& s = now.status;
    std::vector<std::string> lines;
    lines.push_back(paint("LocalCode " + clean(text_at(s, "version")), "1", colour) + "  up " +
                    duration_text(integer_at(s, "uptime_s")) + "  " + std::to_string(integer_at(s, "requests_total")) +
                    " requests, " + std::to_string(integer_at(s, "streams_open")) + " streams, " +
                    std::to_string(sessions_of(now.requests)) + " sessions");
    lines.push_back(number(rates.generated, "%.1f tokens/s  ") + number(rates.requests, "%.1f requests/s  ") +
                    (rates.hit_share < 0 ? "no prompt yet"
                                         : number(rates.hit_share * 100, "%.0f%% of all prompt tokens from cache")));
    lines.emplace_back();
    add_lines(lines, engines_text(s, colour));
    add_lines(lines, running_text(now.requests, colour));
    add_lines(lines, latest_text(now.requests, colour));
    if (lines.size() > height) lines.resize(height);
    for (auto& line : lines) line = fit(line, width);
    return lines;
}

}  // namespace lc::commands
