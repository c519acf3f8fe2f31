// `sessions` and `cache`: the stored KV states. `cache stats|verify|gc` work without a gateway too, under the state lock.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include "app/commands/admin_client.hpp"
#include "app/commands/cache_parts.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/json_view.hpp"
#include "app/commands/load_config.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"
#include "shell/kv/store.hpp"
#include "shell/sys/os.hpp"
#include "shell/sys/paths.hpp"
#include "shell/sys/state_lock.hpp"

namespace lc::commands {

namespace {

namespace json = boost::json;

struct Options {
    config::CliOptions cli;
    bool json = false, deep = false;
    std::string dir;
};

constexpr auto patience = std::chrono::hours(2);  // a check of 50 GB on a slow disk

int print_sessions(const Options& options) {
    const auto place = find_place(options.cli);
    if (!place) return complain("sessions", place.error());
    const auto answer = ask_json(*place, "sessions");
    if (!answer) return complain("sessions", answer.error());
    if (options.json) {
        std::cout << json::serialize(*answer) << '\n';
        return ok;
    }
    const bool colour = colour_on();
    std::vector<Row> rows;
    for (const json::value& s : items_at(*answer, "sessions")) {
        const auto used = integer_at(s, "last_used");
        rows.push_back({{text_at(s, "id"), "1"},
                        {text_at(s, "model")},
                        {count_text(integer_at(s, "tokens"))},
                        {bytes_text(integer_at(s, "bytes"))},
                        {bytes_text(integer_at(s, "shared_bytes"))},
                        {text_at(s, "where")},
                        {used > 0 ? time_text(used) : ""}});
    }
    if (rows.empty()) {
        std::cout << "no sessions\n";
        return ok;
    }
    std::cout << table({{"SESSION", Align::left, 40},
                        {"MODEL", Align::left, 30},
                        {"TOKENS", Align::right},
                        {"STORED", Align::right},
                        {"SHARED", Align::right},
                        {"WHERE"},
                        {"LAST USED"}},
                       rows, colour);
    return ok;
}

std::string zero_or(std::int64_t bytes) {
    const auto text = bytes_text(bytes);
    return text.empty() ? "0 B" : text;
}

std::string stats_text(const json::value& s) {
    const auto number = [&](std::string_view key) { return std::to_string(integer_at(s, key)); };
    std::string out = "states       " + number("states") + " (" + number("chunks") + " chunks, " + number("snapshots") +
                      " snapshots)\n";
    out += "size         " + zero_or(integer_at(s, "bytes")) + " of at most " + zero_or(integer_at(s, "max_bytes")) + "\n";
    out += "looked up    " + number("hits") + " found, " + number("misses") + " not found\n";
    out += "saved        " + number("saves") + " times, " + zero_or(integer_at(s, "bytes_written")) + " written\n";
    out += "evicted      " + number("evicted_states") + " states, " + zero_or(integer_at(s, "evicted_bytes")) + "\n";
    out += "policy       " + text_at(s, "policy") + ", in force: " + text_at(s, "policy_why") + "\n";
    out += "today        " + zero_or(integer_at(s, "written_today")) + " written" +
           (integer_at(s, "writes_per_day") > 0 ? " of at most " + zero_or(integer_at(s, "writes_per_day")) : std::string()) + ", " +
           number("writes_refused") + " saves refused\n";
    out += "quarantined  " + number("quarantined") + " (" + number("quarantine_files") + " files kept to look at)\n";
    return out;
}

/// Without a gateway: the store itself, under the lock that a gateway would hold.
Result<json::value> alone(const Options& options, const std::string& what) {
    auto loaded = load_config(options.cli);
    if (!loaded) return tl::unexpected(loaded.error());
    auto paths = sys::prepare(loaded->paths);
    if (!paths) return tl::unexpected(paths.error());
    const auto lock = sys::lock_state_dir(paths->state_dir);
    if (!lock) return tl::unexpected(lock.error());
    kv::StoreOptions store_options;
    store_options.dir = loaded->config.kv.dir.empty() ? paths->state_dir + "/kv" : loaded->config.kv.dir;
    store_options.max_bytes = static_cast<std::uint64_t>(loaded->config.kv.max_bytes);
    store_options.policy = loaded->config.kv.policy;
    store_options.policy_path = paths->state_dir + "/policy.db";
    store_options.writes_per_day = static_cast<std::uint64_t>(loaded->config.kv.writes_per_day);
    store_options.report = [](std::string_view line) { std::cerr << line << '\n'; };
    std::error_code ec;
    if (!std::filesystem::is_directory(store_options.dir, ec)) {
        return fail(Errc::not_found, "nothing is stored yet: there is no folder " + store_options.dir);
    }
    const auto store_lock = sys::lock_dir(store_options.dir, "the folder of KV states", "give this one its own [kv] dir");
    if (!store_lock) return tl::unexpected(store_lock.error());
    const auto store = kv::open_store(std::move(store_options));
    if (!store) return tl::unexpected(store.error());
    if (what == "verify") {
        const auto report = kv::verify(**store);
        if (!report) return tl::unexpected(report.error());
        return json::value{{"files", report->blobs}, {"bytes", report->bytes}, {"bad", report->bad}};
    }
    if (what == "gc") {
        const auto freed = kv::gc(**store);
        if (!freed) return tl::unexpected(freed.error());
        return json::value{{"freed_bytes", *freed}};
    }
    const auto stats = kv::stats(**store);
    if (!stats) return tl::unexpected(stats.error());
    return json::value{{"states", stats->states},       {"chunks", stats->chunks},
                       {"snapshots", stats->snapshots}, {"bytes", stats->bytes},
                       {"max_bytes", stats->max_bytes}, {"quarantine_files", stats->quarantine_files},
                       {"policy", stats->policy},       {"policy_in_force", stats->policy_in_force},
                       {"policy_why", stats->policy_why}, {"policy_bytes", stats->policy_bytes},
                       {"written_today", stats->written_today}, {"writes_per_day", stats->writes_per_day},
                       {"writes_refused", stats->writes_refused}};
}

Result<json::value> ask_cache(const Place& place, const std::string& what, const std::string& body = {}) {
    const auto answer = ask(place, what == "stats" ? "GET" : "POST", "cache/" + what, patience, body);
    if (!answer) return tl::unexpected(answer.error());
    boost::system::error_code ec;
    auto value = json::parse(*answer, ec);
    if (ec) return fail(Errc::internal, "the gateway's answer is no JSON");
    return value;
}

int run_cache(const Options& options, const std::string& what) {
    const std::string name = "cache " + what;
    const auto place = find_place(options.cli);
    if (!place) return complain(name, place.error());
    Result<json::value> answer = fail(Errc::not_found, "");
    const bool can_be_alone = what == "stats" || what == "gc" || (what == "verify" && !options.deep);
    if (place->socket.empty() && can_be_alone) {
        answer = alone(options, what);
    } else if (what == "export" || what == "import") {
        const auto dir = std::filesystem::absolute(options.dir).lexically_normal().string();
        answer = ask_cache(*place, what, json::serialize(json::value{{"dir", dir}}));
    } else if (what == "verify" && options.deep) {
        answer = ask_cache(*place, what, R"({"deep":true})");
    } else {
        answer = ask_cache(*place, what);
    }
    if (!answer) return complain(name, answer.error());
    if (options.json) {
        std::cout << json::serialize(*answer) << '\n';
    } else if (what == "stats") {
        std::cout << stats_text(*answer);
    } else if (what == "verify") {
        std::cout << integer_at(*answer, "files") << " files (" << zero_or(integer_at(*answer, "bytes")) << ") checked, "
                  << integer_at(*answer, "bad") << " bad" << (integer_at(*answer, "bad") > 0 ? " (set aside)" : "") << '\n';
        for (const json::value& s : items_at(*answer, "deep")) {
            std::cout << "  " << clean(text_at(s, "session")) << ": " << clean(text_at(s, "result")) << '\n';
        }
    } else if (what == "export" || what == "import") {
        std::cout << integer_at(*answer, "states") << " states copied\n";
    } else {
        std::cout << zero_or(integer_at(*answer, "freed_bytes")) << " freed\n";
    }
    return integer_at(*answer, "bad") > 0 ? failed : ok;
}

}  // namespace

void add_sessions(CLI::App& app, int& status) {
    add_place_verb<Options>(app, status, "sessions", "List the sessions whose KV states are kept",
                            "STORED is what a session's states take on disk, SHARED the part that other sessions use too.\n"
                            "Examples:\n  localcode sessions\n  localcode sessions --json",
                            print_sessions);
}

void add_cache(CLI::App& app, int& status) {
    auto* cache = app.add_subcommand("cache", "Look after the stored KV states");
    cache->require_subcommand(1);
    const auto add = [&](const char* name, const char* about, const char* footer) {
        const auto run = [what = std::string(name)](const Options& options) { return run_cache(options, what); };
        const auto made = add_place_verb<Options>(*cache, status, name, about, footer, run);
        add_state_option(*made.first, made.second->cli);
        return made;
    };
    add("stats", "Show what is stored and how it served", "Works without a gateway, too.\nExample:\n  localcode cache stats");
    const auto [verify, verify_options] =
        add("verify", "Read and check every stored file; bad ones are set aside",
            "Works without a gateway, too. Exit status 1: something was bad.\n"
            "Examples:\n  localcode cache verify\n  localcode cache verify --deep");
    verify->add_flag("--deep", verify_options->deep,
                     "Let running engines recompute the end of their models' states, too, and compare");
    add("gc", "Remove what no state needs, and what is in quarantine", "Works without a gateway, too.\nExample:\n  localcode cache gc");
    add("clear", "Remove all stored states", "Example:\n  localcode cache clear");
    const auto [exporting, export_options] =
        add("export", "Copy all states into a folder", "Example:\n  localcode cache export /backup/states");
    exporting->add_option("DIR", export_options->dir, "The folder; made when it is not there")->required();
    const auto [importing, import_options] =
        add("import", "Take in the states of such a folder; bad ones are left out", "Example:\n  localcode cache import /backup/states");
    importing->add_option("DIR", import_options->dir, "The folder")->required();
    add_cache_simulate(*cache, status);
}

}  // namespace lc::commands
