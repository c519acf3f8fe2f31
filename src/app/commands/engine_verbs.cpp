// `ps`, `load`, `unload`: the engines of a running gateway.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "app/commands/admin_client.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/json_view.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"

namespace lc::commands {

namespace {

namespace json = boost::json;

struct Options {
    config::CliOptions cli;
    std::string model;
    bool json = false, force = false, all = false;
};

/// A name as a part of a path; everything but letters, digits and "-._~" as %XX.
std::string encoded(std::string_view name) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || std::string_view("-._~").find(c) != std::string_view::npos) {
            out += c;
        } else {
            out += {'%', digits[byte >> 4], digits[byte & 15]};
        }
    }
    return out;
}

/// The engines that have a process, and the requests that run.
Result<json::object> running(const Place& place) {
    const auto status = ask_json(place, "status");
    if (!status) return tl::unexpected(status.error());
    const auto requests = ask_json(place, "requests?limit=1");
    if (!requests) return tl::unexpected(requests.error());
    json::array engines;
    for (const auto& engine : items_at(*status, "engines")) {
        if (integer_at(engine, "pid") > 0) engines.push_back(engine);
    }
    return json::object{{"engines", std::move(engines)}, {"requests", items_at(*requests, "running")}};
}

std::string ps_text(const json::object& what, bool colour) {
    std::vector<Row> engines, requests;
    const json::value all(what);
    for (const auto& e : items_at(all, "engines")) {
        const auto phase = text_at(e, "phase");
        engines.push_back({{text_at(e, "name"), "1"},
                           {phase, phase == "ready" ? "32" : "33"},
                           {std::to_string(integer_at(e, "pid"))},
                           {std::to_string(integer_at(e, "in_use")) + "/" + std::to_string(integer_at(e, "slots"))},
                           {count_text(integer_at(e, "context"))},
                           {bytes_text(integer_at(e, "rss_bytes"))}});
    }
    for (const auto& r : items_at(all, "requests")) {
        requests.push_back({{text_at(r, "id")},
                            {text_at(r, "model"), "1"},
                            {text_at(r, "kind")},
                            {text_at(r, "session"), "2"},
                            {duration_text(integer_at(r, "ms") / 1000)},
                            {text_at(r, "waiting_for")}});
    }
    std::string out = engines.empty() ? "no model is loaded\n"
                                      : table({{"MODEL"},
                                               {"STATE"},
                                               {"PID", Align::right},
                                               {"IN USE", Align::right},
                                               {"CONTEXT", Align::right},
                                               {"MEMORY", Align::right}},
                                              engines, colour);
    if (!requests.empty()) {
        out += "\n" + table({{"REQUEST"},
                             {"MODEL"},
                             {"KIND"},
                             {"SESSION", Align::left, 40},
                             {"SINCE", Align::right},
                             {"NOW", Align::left, 40}},
                            requests, colour);
    }
    return out;
}

int ps(const Options& options) {
    const auto place = find_place(options.cli);
    if (!place) return complain("ps", place.error());
    const auto what = running(*place);
    if (!what) return complain("ps", what.error());
    std::cout << (options.json ? json::serialize(*what) + "\n" : ps_text(*what, colour_on()));
    return ok;
}

int load(const Options& options) {
    const auto place = find_place(options.cli);
    if (!place) return complain("load", place.error());
    const auto body = ask(*place, "POST", "models/" + encoded(options.model) + "/load", std::chrono::hours(24));
    if (!body) return complain("load", body.error());
    if (options.json) {
        std::cout << *body << '\n';
        return ok;
    }
    const auto answer = json::parse(*body);
    std::cout << "loaded " << clean(text_at(answer, "model")) << " (" << count_text(integer_at(answer, "context"))
              << " tokens in each of " << integer_at(answer, "slots") << " slots)\n";
    return ok;
}

int unload_one(const Place& place, const Options& options, const std::string& model) {
    const auto path = "models/" + encoded(model) + "/unload" + (options.force ? "?force=1" : "");
    auto body = ask(place, "POST", path, std::chrono::seconds(120));
    if (!body) {
        auto text = body.error().detail;
        if (const auto at = text.find("use force"); at != std::string::npos) text.replace(at, 9, "--force");
        return complain("unload", {body.error().code, text});
    }
    if (options.json) {
        std::cout << *body << '\n';
        return ok;
    }
    const auto answer = json::parse(*body);
    std::cout << clean(text_at(answer, "model"))
              << (flag_at(answer, "was_loaded") ? " is unloaded\n" : " was not loaded\n");
    return ok;
}

int unload(const Options& options) {
    const auto place = find_place(options.cli);
    if (!place) return complain("unload", place.error());
    if (options.all == !options.model.empty())
        return complain("unload", {Errc::bad_request, "name a model, or use --all"});
    if (!options.all) return unload_one(*place, options, options.model);
    const auto what = running(*place);
    if (!what) return complain("unload", what.error());
    const json::value all(*what);
    int result = ok;
    for (const auto& engine : items_at(all, "engines")) {
        result = std::max(result, unload_one(*place, options, text_at(engine, "name")));
    }
    return result;
}

}  // namespace

void add_engine_verbs(CLI::App& app, int& status) {
    const auto add = [&](const char* name, const char* about, const char* footer, auto run_command) {
        return add_place_verb<Options>(app, status, name, about, footer, run_command);
    };
    add("ps", "Show the loaded models and the requests that run", "Examples:\n  localcode ps\n  localcode ps --json",
        ps);
    const auto [load_command, load_options] =
        add("load", "Load a local model now, and wait until it is ready", "Examples:\n  localcode load coder", load);
    load_command->add_option("MODEL", load_options->model, "Its name or an alias")->type_name("")->required();
    const auto [unload_command, unload_options] =
        add("unload", "Stop a local model's engine; the next request starts it again",
            "Examples:\n  localcode unload coder\n  localcode unload --all", unload);
    unload_command->add_option("MODEL", unload_options->model, "Its name or an alias")->type_name("");
    unload_command->add_flag("--all", unload_options->all, "All of them");
    unload_command->add_flag("--force", unload_options->force, "Also when it is answering requests: they are cut");
}

}  // namespace lc::commands
