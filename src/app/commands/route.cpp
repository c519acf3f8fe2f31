// `route --explain`: where a request would go, and why, without sending it.
#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "app/commands/admin_client.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/json_view.hpp"
#include "app/commands/load_config.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"
#include "core/api/endpoint.hpp"
#include "core/route/plan.hpp"

namespace lc::commands {

namespace {

struct Options {
    config::CliOptions cli;
    std::string path = "/v1/chat/completions";
    bool explain = false, json = false;
};

/// Without a gateway there is only the configuration to go by: nothing is loaded, nothing was learned.
Result<std::string> from_config(const Options& options, const std::string& body) {
    const auto loaded = load_config(options.cli);
    if (!loaded) return tl::unexpected(loaded.error());
    const auto& config = loaded->config;
    const auto match = api::match_endpoint("POST", options.path);
    const auto view = api::parse_request(match.dialect, body);
    if (!view) return tl::unexpected(view.error());
    const auto session = api::session_of(*view, {});
    const auto features = route::features_of(*view, body, session, api::kind_of(*view, session));
    const auto facts_of = [&](const route::Choice& choice) {
        route::Facts facts;
        if (choice.place == route::Place::remote) {
            const auto& backend = config.backends[choice.index];
            facts.roles = backend.roles;
            facts.context = backend.context;
            facts.vision = backend.roles.empty() || std::ranges::find(backend.roles, "vision") != backend.roles.end();
            return facts;
        }
        const auto& model = config.models[choice.index];
        facts.roles = model.roles;
        facts.context = model.context;
        facts.vision = !model.mmproj.empty() && model.mmproj != "none";
        facts.now.local = true;
        facts.now.loaded = false;
        facts.now.slots = model.slots;
        return facts;
    };
    const auto plan = route::plan(route::table_of(config), config.routes, features, {}, facts_of);
    if (!plan) return tl::unexpected(plan.error());
    return route::to_json(*plan, features);
}

void show(const boost::json::value& plan) {
    const bool colour = colour_on();
    const auto* features = member(plan, "features");
    std::cout << "kind " << paint(text_at(plan, "kind"), "1", colour);
    if (features) {
        std::cout << ", about " << count_text(integer_at(*features, "tokens")) << " tokens, " << integer_at(*features, "tools")
                  << " tools";
        if (const auto language = text_at(*features, "language"); !language.empty()) std::cout << ", " << clean(language);
        if (const auto client = text_at(*features, "client"); !client.empty()) std::cout << ", client " << clean(client);
    }
    std::cout << "; decided by " << clean(text_at(plan, "rule")) << "\n\n";
    std::vector<Row> rows;
    bool first = true;
    for (const auto& c : items_at(plan, "candidates")) {
        const bool capable = flag_at(c, "capable");
        const auto* predicted = member(c, "predicted_ttft_ms");
        const auto ms = predicted && predicted->is_number() ? std::optional(predicted->to_number<double>()) : std::nullopt;
        rows.push_back({{capable && first ? "->" : "", "32"},
                        {text_at(c, "backend")},
                        {text_at(c, "model"), "1"},
                        {ms_text(ms)},
                        {count_text(integer_at(c, "cached_tokens"))},
                        {text_at(c, "why"), capable ? "" : "31"}});
        first = first && !capable;
    }
    std::cout << table({{""}, {"BACKEND"}, {"MODEL", Align::left, 40}, {"PREDICTED", Align::right}, {"CACHED", Align::right}, {"WHY"}},
                       rows, colour);
}

int route_command(const Options& options) {
    if (!options.explain) {
        return complain("route", {Errc::bad_request, "say what to do: localcode route --explain < request.json"});
    }
    constexpr std::size_t most = 64u << 20;
    std::string body;
    char piece[1 << 16];
    while (body.size() <= most && (std::cin.read(piece, sizeof piece), std::cin.gcount() > 0)) {
        body.append(piece, static_cast<std::size_t>(std::cin.gcount()));
    }
    if (body.size() > most) return complain("route", {Errc::bad_request, "the request has over 64 MiB"});
    if (body.empty()) return complain("route", {Errc::bad_request, "no request on standard input: localcode route --explain < request.json"});
    if (api::match_endpoint("POST", options.path).endpoint == api::Endpoint::unknown || options.path.find_first_of("?# ") != std::string::npos) {
        return complain("route", {Errc::bad_request, "--path must be an endpoint such as /v1/chat/completions or /v1/messages"});
    }

    constexpr std::string_view nobody = "no gateway is running";
    Result<std::string> answer = fail(Errc::not_found, std::string(nobody));
    if (const auto place = find_place(options.cli); place && !place->socket.empty()) {
        answer = ask(*place, "POST", "route?path=" + options.path, std::chrono::seconds(60), body);
    }
    if (!answer && answer.error().detail.starts_with(nobody)) {
        answer = from_config(options, body);
        if (answer) std::cerr << nobody << ": by the configuration alone, nothing measured\n";
    }
    if (!answer) return complain("route", answer.error());
    if (options.json) {
        std::cout << *answer << '\n';
        return ok;
    }
    boost::system::error_code ec;
    const auto plan = boost::json::parse(*answer, ec);
    if (ec) return complain("route", {Errc::upstream_error, "the gateway's answer is not JSON"});
    show(plan);
    return ok;
}

}  // namespace

void add_route(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("route", "Tell where a request would go, and why, without sending it");
    const auto options = std::make_shared<Options>();
    command->add_flag("--explain", options->explain, "Print the places that could answer, in the order in which they would be tried");
    command->add_option("--path", options->path, "Endpoint that the request is for (default: /v1/chat/completions)")->type_name("PATH");
    add_place_options(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer("Reads the request's body from standard input. With a running gateway it goes by what that one has loaded and\n"
                    "measured, else by the configuration alone.\nExamples:\n  localcode route --explain < request.json\n"
                    "  localcode route --explain --path /v1/messages --json < request.json");
    command->callback([options, &status] { status = route_command(*options); });
}

}  // namespace lc::commands
