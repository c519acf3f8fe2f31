// `status`, `models`, `stop`: what a running gateway tells about itself.
#include <sys/types.h>

#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "app/commands/admin_client.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/json_view.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"
#include "shell/sys/os.hpp"

namespace lc::commands {

namespace {

namespace json = boost::json;

struct Options {
    config::CliOptions cli;
    bool json = false;
    std::int64_t timeout_s = 60;
};

std::string_view phase_colour(std::string_view phase) {
    if (phase == "ready") return "32";
    if (phase == "starting" || phase == "stopping") return "33";
    return phase == "backing_off" ? "31" : "2";
}

/// Errors below a table, one a line: they are too long for a column.
std::string remarks(const json::array& items, std::string_view name_key, std::string_view text_key,
                    std::string_view sgr, bool colour) {
    std::string out;
    for (const json::value& item : items) {
        const std::string name = clean(text_at(item, name_key));
        if (const std::string text = clean(text_at(item, text_key)); !text.empty()) {
            out += paint("  " + name + ": " + text, sgr, colour) + "\n";
        }
    }
    return out;
}

std::string engines_table(const json::array& engines, bool colour) {
    std::vector<Row> rows;
    for (const json::value& e : engines) {
        const std::string phase = text_at(e, "phase");
        const auto pid = integer_at(e, "pid");
        rows.push_back({{text_at(e, "name"), "1"},
                        {phase, phase_colour(phase)},
                        {pid > 0 ? std::to_string(pid) : ""},
                        {std::to_string(integer_at(e, "in_use")) + "/" + std::to_string(integer_at(e, "slots"))},
                        {count_text(integer_at(e, "context"))},
                        {bytes_text(integer_at(e, "rss_bytes"))},
                        {count_text(integer_at(e, "restarts"))}});
    }
    return table({{"ENGINE"},
                  {"STATE"},
                  {"PID", Align::right},
                  {"BUSY", Align::right},
                  {"CONTEXT", Align::right},
                  {"MEMORY", Align::right},
                  {"RESTARTS", Align::right}},
                 rows, colour) +
           remarks(engines, "name", "error", "31", colour);
}

std::string backends_table(const json::array& backends, bool colour) {
    std::vector<Row> rows;
    for (const json::value& b : backends) {
        rows.push_back({{text_at(b, "name"), "1"}, {text_at(b, "url")}, {list_text(texts_at(b, "models"))}});
    }
    return table({{"BACKEND"}, {"URL"}, {"MODELS", Align::left, 60}}, rows, colour) +
           remarks(backends, "name", "error", "31", colour);
}

std::string status_text(const json::value& s, bool colour) {
    std::string out = paint("LocalCode " + clean(text_at(s, "version")), "1", colour) + ", pid " +
                      std::to_string(integer_at(s, "pid")) + ", up " + duration_text(integer_at(s, "uptime_s")) + "\n";
    const auto line = [&](std::string_view label, const std::string& value) {
        if (!value.empty()) out += std::string(label) + clean(value) + "\n";
    };
    line("listening      ", list_text(texts_at(s, "listen")));
    line("default model  ", text_at(s, "default_model"));
    line("state          ", text_at(s, "state_dir"));
    line("requests       ", std::to_string(integer_at(s, "requests_total")) + " so far, " +
                                std::to_string(integer_at(s, "streams_open")) + " streams open, " +
                                std::to_string(integer_at(s, "connections")) + " connections");
    if (const auto* log = member(s, "request_log")) {
        if (integer_at(*log, "dropped") > 0)
            line("request log    ", count_text(integer_at(*log, "dropped")) + " records lost");
        line("request log    ", text_at(*log, "error"));
    }
    if (const auto& engines = items_at(s, "engines"); !engines.empty()) out += "\n" + engines_table(engines, colour);
    if (const auto& backends = items_at(s, "backends"); !backends.empty())
        out += "\n" + backends_table(backends, colour);
    return out;
}

/// Without those that every model for chats has.
std::vector<std::string> abilities(std::vector<std::string> all) {
    if (all.size() > 1) std::erase(all, "completion");
    return all;
}

std::string models_text(const json::array& models, bool colour) {
    std::vector<Row> rows;
    std::string notes;
    for (const json::value& m : models) {
        const std::string id = text_at(m, "id");
        const std::string phase = text_at(m, "phase");
        rows.push_back({{flag_at(m, "default") ? "*" : ""},
                        {id, "1"},
                        {text_at(m, "kind")},
                        {phase, phase_colour(phase)},
                        {count_text(integer_at(m, "context"))},
                        {count_text(integer_at(m, "slots"))},
                        {text_at(m, "kind") == "local" ? text_at(m, "path") : text_at(m, "backend")},
                        {text_at(m, "quantisation")},
                        {bytes_text(integer_at(m, "size_bytes"))},
                        {list_text(abilities(texts_at(m, "capabilities")))},
                        {list_text(texts_at(m, "aliases"))}});
        std::vector<std::string> remarks = texts_at(m, "notes");
        if (const auto text = text_at(m, "template"); !text.empty()) remarks.push_back(text);
        if (const auto text = text_at(m, "error"); !text.empty()) remarks.push_back("error: " + text);
        for (const std::string& remark : remarks) notes += "  " + clean(id) + ": " + clean(remark) + "\n";
    }
    std::string out = table({{""},
                             {"MODEL"},
                             {"KIND"},
                             {"STATE"},
                             {"CONTEXT", Align::right},
                             {"SLOTS", Align::right},
                             {"FROM", Align::left, 60},
                             {"QUANT"},
                             {"SIZE", Align::right},
                             {"CAN"},
                             {"ALIASES", Align::left, 40}},
                            rows, colour);
    if (!notes.empty()) out += "\n" + paint(notes, "2", colour);
    return out;
}

int show(const Options& options, const std::string& what, std::string_view command) {
    const auto place = find_place(options.cli);
    if (!place) return complain(command, place.error());
    const auto answer = ask_json(*place, what);
    if (!answer) return complain(command, answer.error());
    if (options.json) {
        std::cout << json::serialize(*answer) << '\n';
    } else if (what == "status") {
        std::cout << status_text(*answer, colour_on());
    } else {
        const auto& models = items_at(*answer, "models");
        std::cout << (models.empty() ? "no models\n" : models_text(models, colour_on()));
    }
    return ok;
}

int stop(const Options& options) {
    const auto place = find_place(options.cli);
    if (!place) return complain("stop", place.error());
    const auto before = ask_json(*place, "status");
    if (!before) return complain("stop", before.error());
    const auto pid = static_cast<pid_t>(integer_at(*before, "pid"));
    if (const auto answer = ask(*place, "POST", "shutdown"); !answer) return complain("stop", answer.error());

    if (!sys::wait_for_exit(pid, static_cast<int>(options.timeout_s) * 1000)) {
        return complain("stop",
                        {Errc::overloaded, "the gateway (pid " + std::to_string(pid) + ") is still finishing after " +
                                               std::to_string(options.timeout_s) + " s"});
    }
    if (options.json) {
        std::cout << json::serialize(json::value{{"stopped", true}, {"pid", pid}}) << '\n';
    } else {
        std::cout << "stopped the gateway on port " << place->port << " (pid " << pid << ")\n";
    }
    return ok;
}

}  // namespace

void add_status(CLI::App& app, int& status) {
    const auto add = [&](const char* name, const char* about, const char* footer, auto run_command) {
        return add_place_verb<Options>(app, status, name, about, footer, run_command);
    };
    add("status", "Show what the running gateway does",
        "Examples:\n  localcode status\n  localcode status --port 4243 --json",
        [](const Options& o) { return show(o, "status", "status"); });
    add("models", "List the models of the running gateway",
        "The default model has a star. Examples:\n  localcode models\n  localcode models --json",
        [](const Options& o) { return show(o, "models", "models"); });
    const auto [command, options] =
        add("stop", "Stop the running gateway; its requests may finish first",
            "Waits until it has ended. Examples:\n  localcode stop\n  localcode stop --port 4243", stop);
    command->add_option("--timeout", options->timeout_s, "Seconds to wait for its end (default: 60)")
        ->type_name("N")
        ->check(CLI::Range(1, 86'400).description(""));
}

}  // namespace lc::commands
