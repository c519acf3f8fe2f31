// `recommend`: models that suit this machine.
#include "core/recommend/recommend.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

#include "app/commands/cli.hpp"
#include "app/commands/options.hpp"
#include "app/commands/survey.hpp"
#include "app/commands/text.hpp"
#include "shell/sys/fd.hpp"
#include "shell/sys/machine.hpp"
#include "shell/sys/paths.hpp"

namespace lc::commands {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Options {
    config::CliOptions cli;
    bool json = false, write = false;
    double memory = 0, gpu_memory = -1, bandwidth = 0, disk = 0;  ///< in GB and GB/s; 0 (-1): as it is here
    int cores = 0;
};

/// Bytes a second that all cores together read from memory, in about half a second.
double measure_bandwidth(int cores) {
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t words = std::size_t{64} << 17;  // 64 MiB for each core: larger than caches
    std::vector<double> rates(static_cast<std::size_t>(cores));
    std::vector<std::thread> threads;
    for (auto& rate : rates) {
        threads.emplace_back([&rate] {
            const std::vector<std::uint64_t> block(words, 1);
            std::uint64_t sum = 0;
            std::size_t rounds = 0;
            const auto begin = Clock::now();
            double seconds = 0;
            do {
                for (std::size_t i = 0; i < words; i += 8) {
                    sum += block[i] + block[i + 1] + block[i + 2] + block[i + 3] + block[i + 4] + block[i + 5] +
                           block[i + 6] + block[i + 7];
                }
                ++rounds;
                seconds = std::chrono::duration<double>(Clock::now() - begin).count();
            } while (seconds < 0.4);
            rate = sum == 0 ? 0 : static_cast<double>(rounds * words * sizeof(std::uint64_t)) / seconds;
        });
    }
    for (auto& thread : threads) thread.join();
    double all = 0;
    for (const double rate : rates) all += rate;
    return all;
}

std::int64_t free_disk(fs::path folder) {
    std::error_code ec;
    while (!folder.empty() && folder != folder.root_path() && !fs::exists(folder, ec)) folder = folder.parent_path();
    struct statvfs space {};
    if (folder.empty() || ::statvfs(folder.c_str(), &space) != 0) return 0;
    return static_cast<std::int64_t>(space.f_bavail) * static_cast<std::int64_t>(space.f_frsize);
}

struct Seen {
    recommend::Machine machine;
    std::vector<sys::Card> cards;
};

Seen look(const Options& options, const sys::Paths& paths) {
    Seen out;
    auto& m = out.machine;
    m.cores = options.cores > 0 ? options.cores : sys::cores();
    m.memory =
        options.memory > 0 ? static_cast<std::int64_t>(options.memory * 1e9) : sys::memory_available().value_or(0);
    m.bandwidth = options.bandwidth > 0 ? options.bandwidth * 1e9 : measure_bandwidth(m.cores);
    m.disk = options.disk > 0 ? static_cast<std::int64_t>(options.disk * 1e9) : free_disk(paths.cache_dir);
    out.cards = survey_cards();
    if (options.gpu_memory >= 0) {
        m.gpu_memory = static_cast<std::int64_t>(options.gpu_memory * 1e9);
    } else {
        for (const auto& card : out.cards) m.gpu_memory += card.memory;
    }
    for (const auto& card : out.cards)
        m.gpu_bandwidth = std::max(m.gpu_bandwidth, recommend::bandwidth_of_card(card.name));
    // A card that is not in the table: a modest one.
    if (m.gpu_memory > 0 && m.gpu_bandwidth == 0) m.gpu_bandwidth = 300e9;
    return out;
}

std::string one_decimal(double value) {
    char text[32];
    std::snprintf(text, sizeof text, value < 10 ? "%.1f" : "%.0f", value);
    return text;
}

json::value as_json(const Seen& seen, const std::vector<recommend::Choice>& choices) {
    const auto& m = seen.machine;
    json::array models;
    for (const auto& c : choices) {
        models.push_back({{"role", recommend::name_of(c.entry.role)},
                          {"name", c.entry.name},
                          {"hf", c.entry.hf},
                          {"bytes", static_cast<std::int64_t>(c.entry.gigabytes * 1e9)},
                          {"on_gpu", c.on_gpu},
                          {"context", c.context},
                          {"slots", c.slots},
                          {"tokens_per_second", c.tokens_per_second},
                          {"first_prompt_seconds", c.first_prompt_seconds},
                          {"too_slow", c.too_slow}});
    }
    return {{"table", recommend::table_date()},
            {"machine",
             {{"memory", m.memory},
              {"gpu_memory", m.gpu_memory},
              {"cores", m.cores},
              {"bandwidth", static_cast<std::int64_t>(m.bandwidth)},
              {"disk", m.disk}}},
            {"models", std::move(models)},
            {"config", recommend::config_of(choices)}};
}

void print(const Seen& seen, const std::vector<recommend::Choice>& choices) {
    const auto& m = seen.machine;
    std::cout << "this machine: " << m.cores << (m.cores == 1 ? " core" : " cores") << ", " << bytes_text(m.memory)
              << " of memory free, " << one_decimal(m.bandwidth / 1e9) << " GB/s from memory";
    for (const auto& card : seen.cards)
        std::cout << ", " << clean(card.name) << (card.memory > 0 ? " " + bytes_text(card.memory) : "");
    std::cout << "\n\n";
    std::vector<Row> rows;
    for (const auto& c : choices) {
        rows.push_back(
            {{std::string(recommend::name_of(c.entry.role)), "1"},
             {std::string(c.entry.name)},
             {bytes_text(static_cast<std::int64_t>(c.entry.gigabytes * 1e9))},
             {c.on_gpu ? "GPU" : "CPU"},
             {count_text(c.context) + (c.slots > 1 ? " x" + std::to_string(c.slots) : "")},
             {c.entry.role == recommend::Role::coder || c.entry.role == recommend::Role::small
                  ? one_decimal(c.tokens_per_second)
                  : ""},
             {c.entry.role == recommend::Role::coder ? duration_text(std::lround(c.first_prompt_seconds)) : "",
              c.too_slow ? "33" : ""},
             {std::string(c.entry.hf), "2"}});
    }
    std::cout << table({{"ROLE"},
                        {"MODEL"},
                        {"SIZE", Align::right},
                        {"ON"},
                        {"CONTEXT", Align::right},
                        {"TOKENS/S", Align::right},
                        {"FIRST PROMPT", Align::right},
                        {"PULL"}},
                       rows, colour_on());
    if (!choices.empty() && choices.front().too_slow) {
        std::cout << "\nThis machine is slow for a coding agent: its first prompt has 7,700 tokens. A remote model may "
                     "serve you better.\n";
    }
    std::cout << "\nSpeeds are estimates. Table of " << recommend::table_date()
              << ". `localcode recommend --write` puts this into the config file.\n";
}

int run_recommend(const Options& options) {
    auto paths = sys::paths_from(sys::process_env(), ::getuid(), {options.cli.state_dir, options.cli.config_file});
    if (!paths) return complain("recommend", paths.error());
    const auto seen = look(options, *paths);
    const auto choices = recommend::recommend(seen.machine);
    if (choices.empty() || choices.front().entry.role != recommend::Role::coder) {
        return complain("recommend",
                        {Errc::not_found, "no model of the table fits into " + bytes_text(seen.machine.memory) +
                                              " of free memory; use a remote one (`localcode serve --upstream URL`)"});
    }
    if (options.json) {
        std::cout << json::serialize(as_json(seen, choices)) << '\n';
    } else {
        print(seen, choices);
    }
    if (!options.write) return ok;
    const auto& file = paths->config_file;
    std::error_code ec;
    if (file.empty())
        return complain("recommend", {Errc::bad_request, "no home folder is known; name the file with --config"});
    if (fs::exists(file, ec)) {
        return complain("recommend", {Errc::internal,
                                      file + " is there already and is not changed; here is what to put into it:\n\n" +
                                          recommend::config_of(choices)});
    }
    if (auto made = sys::ensure_private_dir(fs::path(file).parent_path().string(), sys::Symlink::follow); !made) {
        return complain("recommend", made.error());
    }
    if (auto written = sys::replace_file(file, recommend::config_of(choices)); !written)
        return complain("recommend", written.error());
    std::cerr << "wrote " << file << "; `localcode serve` fetches the models that are not here yet\n";
    return ok;
}

}  // namespace

void add_recommend(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("recommend", "Name models that suit this machine");
    const auto options = std::make_shared<Options>();
    command->add_flag("--write", options->write, "Write the config file, when there is none yet");
    command->add_option("--memory", options->memory, "Plan for so much free memory")
        ->type_name("GB")
        ->check(CLI::PositiveNumber.description(""));
    command->add_option("--gpu-memory", options->gpu_memory, "Plan for so much memory on the GPU (0: none)")
        ->type_name("GB")
        ->check(CLI::NonNegativeNumber.description(""));
    command->add_option("--disk", options->disk, "Plan for so much free disk")
        ->type_name("GB")
        ->check(CLI::PositiveNumber.description(""));
    command->add_option("--cores", options->cores, "Plan for so many cores")
        ->type_name("N")
        ->check(CLI::Range(1, 4096).description(""));
    command->add_option("--bandwidth", options->bandwidth, "Plan for this speed of memory instead of measuring it")
        ->type_name("GB/S")
        ->check(CLI::PositiveNumber.description(""));
    add_config_option(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer(
        "Reads memory, GPU and cores, measures the speed of memory, and chooses from a table in the program: a coder, "
        "a\n"
        "small model for titles, one for embeddings and one for reranking, with the context that fits.\n\n"
        "Examples:\n  localcode recommend\n  localcode recommend --write\n  localcode recommend --memory 64 "
        "--gpu-memory 24");
    command->callback([options, &status] { status = run_recommend(*options); });
}

}  // namespace lc::commands
