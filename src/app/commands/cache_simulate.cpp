// `cache simulate`: what the cache policies would have made of a trace.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>

#include "app/commands/cache_parts.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"
#include "base/text.hpp"
#include "core/log/prefix.hpp"
#include "core/policy/plot.hpp"
#include "core/policy/read_trace.hpp"
#include "core/policy/simulate.hpp"
#include "core/policy/workload.hpp"
#include "shell/store/requests_db.hpp"

namespace lc::commands {

namespace {

namespace json = boost::json;

struct Options {
    config::CliOptions cli;
    bool json = false;
    std::string trace, capacity = "1%,3%,10%", policies, svg;
    std::uint32_t bytes_per_token = 24'576;
};

std::vector<std::string> words_of(const std::string& list) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= list.size();) {
        const auto end = std::min(list.find(',', at), list.size());
        if (const auto word = trim(std::string_view(list).substr(at, end - at)); !word.empty()) out.emplace_back(word);
        at = end + 1;
    }
    return out;
}

/// "3%" of the unique blocks, or "2000" blocks. Errors: bad_request.
Result<std::vector<std::uint64_t>> capacities_of(const std::string& list, std::uint64_t unique) {
    std::vector<std::uint64_t> out;
    for (const std::string& word : words_of(list)) {
        const bool percent = word.ends_with('%');
        double number = 0;
        const char* end = word.data() + word.size() - (percent ? 1 : 0);
        const auto [stop, bad] = std::from_chars(word.data(), end, number);
        if (bad != std::errc() || stop != end || !(number > 0) || number > 1e12 || (percent && number > 100)) {
            return fail(Errc::bad_request, "'" + preview(word, 40) +
                                               "' is no capacity; give shares of the unique blocks (1%,3%) or blocks");
        }
        const double blocks = percent ? static_cast<double>(unique) * number / 100 : number;
        out.push_back(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(blocks + 0.5)));
    }
    if (out.empty()) return fail(Errc::bad_request, "no capacity is given");
    if (out.size() > 64) return fail(Errc::bad_request, "too many capacities");
    return out;
}

Result<std::vector<std::string>> policies_of(const std::string& list) {
    const auto& all = policy::policy_names();
    if (list.empty()) return all;
    std::vector<std::string> out = words_of(list);
    for (const std::string& name : out) {
        if (std::find(all.begin(), all.end(), name) != all.end()) continue;
        return fail(Errc::bad_request, "there is no policy '" + preview(name, 40) + "'; there are " + list_text(all));
    }
    return out;
}

/// A line on standard error that rewrites itself; nothing when that is no terminal.
struct Ticker {
    std::string what;
    bool on = ::isatty(2) == 1, shown = false;
    std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
    void show(double share) {
        const auto now = std::chrono::steady_clock::now();
        if (!on || now - last < std::chrono::milliseconds(300)) return;
        last = now;
        shown = true;
        std::cerr << '\r' << what << ' ' << static_cast<int>(share * 100) << "% " << std::flush;
    }
    ~Ticker() {
        if (shown) std::cerr << "\r\033[K" << std::flush;
    }
};

Result<policy::Trace> read_log(const std::string& path) {
    // Texts are kept as they are needed only once all is read.
    std::vector<log::RequestRecord> records;
    const auto done = store::each(path, [&](log::RequestRecord&& r) {
        r.messages.clear(), r.tools.clear(), r.calls.clear();
        if (!r.prefix.empty()) records.push_back(std::move(r));
        return records.size() < policy::max_trace_requests;
    });
    if (!done) return tl::unexpected(done.error());
    std::vector<policy::LoggedRequest> out;
    for (const auto& r : records) {
        policy::LoggedRequest& to = out.emplace_back();
        to.at_ms = r.unix_ms;
        to.prefix = log::prefix_of(r.prefix);
        to.model = r.model_used;
        to.name_space = r.key;
        to.session = r.session;
        to.parent = r.parent;
        to.kind = r.kind;
        to.finish_reason = r.finish_reason;
        to.cancelled = r.cancelled;
        const auto tokens = [](std::int64_t n) {
            return static_cast<std::uint32_t>(std::clamp<std::int64_t>(n, 0, 1'000'000'000));
        };
        if (!r.usage) continue;
        to.prompt = tokens(r.usage->prompt);
        to.output = tokens(r.usage->completion);
        to.prefilled = tokens(r.usage->prompt - r.usage->cached.value_or(0));
        if (r.ms.first_token) to.prefill_ms = *r.ms.first_token - r.ms.wait.value_or(0);
    }
    if (out.empty()) return fail(Errc::not_found, path + " has no request to a local model whose prompt could be kept");
    return policy::trace_of(out);
}

Result<policy::Trace> read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::error_code ec;
    if (!in || std::filesystem::is_directory(path, ec)) return fail(Errc::not_found, "cannot read " + path);
    std::string head(16, '\0');
    in.read(head.data(), 16);
    if (in.gcount() == 16 && head == std::string_view("SQLite format 3\0", 16)) return read_log(path);
    in.clear();
    in.seekg(0);
    policy::Trace trace;
    std::string line, block(1u << 16, '\0');
    const auto size = static_cast<double>(std::filesystem::file_size(path, ec)) + 1;
    Ticker ticker{"reading"};
    std::size_t number = 0, pending = 0;
    double done = 0;
    const auto take = [&](std::string_view text) { return policy::read_line(trace, text, ++number); };
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())), in.gcount() > 0) {
        line.append(block, 0, static_cast<std::size_t>(in.gcount()));
        done += static_cast<double>(in.gcount());
        ticker.show(std::min(done / size, 1.0));
        std::size_t begin = 0;
        for (auto end = line.find('\n', pending); end != std::string::npos; end = line.find('\n', begin)) {
            std::string_view text = std::string_view(line).substr(begin, end - begin);
            if (text.ends_with('\r')) text.remove_suffix(1);
            if (auto read = take(text); !read) return tl::unexpected(read.error());
            begin = end + 1;
        }
        line.erase(0, begin);
        pending = line.size();
        if (line.size() > policy::max_trace_line) break;
    }
    if (auto read = take(line); !read) return tl::unexpected(read.error());
    policy::finish(trace);
    if (trace.requests.empty()) return fail(Errc::bad_request, path + " has no requests");
    return trace;
}

Result<policy::Trace> read_trace(const Options& options) {
    if (const auto colon = options.trace.find(':'); colon != std::string::npos) {
        std::error_code ec;
        const auto workload = policy::workload_named(options.trace.substr(0, colon));
        if (workload && !std::filesystem::exists(options.trace, ec)) {
            std::uint64_t seed = 0;
            const char* end = options.trace.data() + options.trace.size();
            const auto [stop, bad] = std::from_chars(options.trace.data() + colon + 1, end, seed);
            if (bad != std::errc() || stop != end)
                return fail(Errc::bad_request, "the seed behind ':' must be a whole number");
            return policy::make_workload(*workload, seed);
        }
    }
    if (!options.trace.empty()) return read_file(options.trace);
    const auto path = request_log(options.cli);
    if (!path) return tl::unexpected(path.error());
    std::error_code ec;
    if (!std::filesystem::exists(*path, ec)) {
        return fail(Errc::not_found, "there is no request log (" + *path + ") yet; give a trace");
    }
    return read_log(*path);
}

int simulate(const Options& options) {
    constexpr auto name = "cache simulate";
    const auto policies = policies_of(options.policies);
    if (!policies) return complain(name, policies.error());
    if (const auto checked = capacities_of(options.capacity, 1); !checked) return complain(name, checked.error());
    const auto trace = read_trace(options);
    if (!trace) return complain(name, trace.error());
    const auto unique = policy::unique_blocks(*trace);
    const auto capacities = capacities_of(options.capacity, unique);
    if (!capacities) return complain(name, capacities.error());

    std::vector<std::pair<double, std::vector<policy::Row>>> runs;
    for (std::size_t i = 0; i < capacities->size(); ++i) {
        Ticker ticker{"simulating"};
        const auto progress = [&](double share) {
            ticker.show((static_cast<double>(i) + share) / static_cast<double>(capacities->size()));
            return true;
        };
        runs.emplace_back(static_cast<double>((*capacities)[i]) / static_cast<double>(unique),
                          policy::simulate(*trace, (*capacities)[i], *policies, options.bytes_per_token, progress));
    }
    if (!options.svg.empty()) {
        std::ofstream out(options.svg, std::ios::binary | std::ios::trunc);
        out << policy::plot(
            options.trace.empty() ? "request log" : std::filesystem::path(options.trace).filename().string(), runs);
        out.close();
        if (!out) return complain(name, {Errc::internal, "cannot write " + options.svg});
    }
    if (options.json) {
        json::array rows;
        for (const auto& [share, run] : runs) {
            for (const auto& row : run) {
                json::object one{{"name", row.name},
                                 {"capacity_blocks", row.capacity_blocks},
                                 {"hit_rate", row.hit_rate()},
                                 {"prefill_tokens_saved", row.prefill_tokens_saved},
                                 {"bytes_written", row.bytes_written}};
                if (!row.followed.empty()) one["followed"] = row.followed;
                rows.push_back(std::move(one));
            }
        }
        std::cout << json::serialize(json::object{{"requests", trace->requests.size()},
                                                  {"blocks", trace->blocks.size()},
                                                  {"unique_blocks", unique},
                                                  {"block_tokens", trace->block_tokens},
                                                  {"policies", std::move(rows)}})
                  << '\n';
        return ok;
    }
    std::cout << count_text(static_cast<std::int64_t>(trace->requests.size())) << " requests, "
              << count_text(static_cast<std::int64_t>(trace->blocks.size())) << " blocks of " << trace->block_tokens
              << " tokens, " << count_text(static_cast<std::int64_t>(unique)) << " of them unique\n\n";
    std::vector<Row> rows;
    for (const auto& [share, run] : runs) {
        char percent[32], hit[32];
        std::snprintf(percent, sizeof percent, "%.3g%%", share * 100);
        for (const auto& row : run) {
            std::snprintf(hit, sizeof hit, "%.2f%%", row.hit_rate() * 100);
            rows.push_back({{percent},
                            {std::to_string(row.capacity_blocks)},
                            {row.name},
                            {hit},
                            {std::to_string(row.prefill_tokens_saved)},
                            {bytes_text(static_cast<std::int64_t>(row.bytes_written))},
                            {row.followed}});
        }
    }
    std::cout << table({{"CAPACITY", Align::right},
                        {"BLOCKS", Align::right},
                        {"POLICY"},
                        {"HIT RATE", Align::right},
                        {"TOKENS SAVED", Align::right},
                        {"WRITTEN", Align::right},
                        {"AT LAST"}},
                       rows, colour_on());
    return ok;
}

}  // namespace

void add_cache_simulate(CLI::App& cache, int& status) {
    auto* command = cache.add_subcommand("simulate", "Replay a trace against the cache policies and the best possible");
    const auto options = std::make_shared<Options>();
    command->add_option(
        "TRACE", options->trace,
        "JSON lines (Mooncake's format), a requests.db, or agents:SEED, chat:SEED, documents:SEED, batch:SEED "
        "(default: this machine's request log)");
    command->add_option("--capacity", options->capacity, "Of the unique blocks, or blocks (default: 1%,3%,10%)")
        ->type_name("LIST");
    command->add_option("--policy", options->policies, "Only these (lru, lru2, hazard, adaptive, bound)")
        ->type_name("LIST");
    command->add_option("--svg", options->svg, "Plot the hit rates into this file")->type_name("FILE");
    command->add_option("--bytes-per-token", options->bytes_per_token, "For the bytes written (default: 24576)")
        ->type_name("N")
        ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{4} << 20).description(""));
    add_state_option(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer(
        "HIT RATE: blocks found in the kept beginnings of prompts, of all blocks. bound: what no policy can exceed, "
        "for it\n"
        "knows the future. adaptive: what the store does.\n"
        "Examples:\n  localcode cache simulate\n  localcode cache simulate trace.jsonl --capacity 1%,3%,10% --svg "
        "plot.svg\n"
        "  localcode cache simulate agents:1 --policy lru,adaptive,bound --json");
    command->callback([options, &status] { status = simulate(*options); });
}

}  // namespace lc::commands
