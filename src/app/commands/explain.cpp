// `explain`: why one request went where it went, what was made of its prompt, and what its KV state was worth. Reads the
// request log, so it works beside a running gateway and without one.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "app/commands/cache_parts.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/json_view.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"
#include "core/log/describe.hpp"
#include "shell/store/record_json.hpp"
#include "shell/store/requests_db.hpp"

namespace lc::commands {

namespace {

namespace json = boost::json;
using log::RequestRecord;

struct Options {
    config::CliOptions cli;
    std::string id;
    bool json = false;
};

/// What the outcome in `x-localcode-cache` means.
std::string cache_meaning(std::string_view outcome) {
    static constexpr std::pair<std::string_view, std::string_view> meanings[] = {
        {"reason=no_state", "nothing like this prompt was seen before"},
        {"reason=wrong_identity", "what is stored was computed by another model, engine or template"},
        {"reason=too_long", "what is stored is longer than the context"},
        {"reason=tenant", "the slot held another tenant's tokens"},
        {"reason=cache_off", "the request asked for no cache"},
        {"reason=cache_refresh", "the request asked for a fresh start"},
    };
    for (const auto& [mark, meaning] : meanings) {
        if (outcome.find(mark) != std::string_view::npos) return std::string(meaning);
    }
    if (outcome.starts_with("hit")) return "all that was seen before was used again";
    if (outcome.starts_with("partial")) return "the prompt differs from what was seen before in the middle";
    return outcome.empty() ? "no state of ours is behind this answer" : "the prompt was computed from its beginning";
}

void lines(std::string& out, std::string_view text, std::string_view sign, std::string_view sgr, bool colour) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        out += paint(std::string(sign) + clean(text.substr(0, end)), sgr, colour) + "\n";
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
}

std::string diff_of(const RequestRecord& record, bool colour) {
    std::string out;
    for (const auto& edit : record.prompt) {
        out += paint("@@ " + clean(edit.step) + ": " + clean(edit.where) + " @@", "2", colour) + "\n";
        lines(out, edit.before, "-", "31", colour);
        lines(out, edit.after, "+", "32", colour);
    }
    return out;
}

std::string json_of(const RequestRecord& record) {
    json::error_code error;
    json::value whole = json::parse(store::to_json_without_bodies(record), error);
    json::object out;
    if (error || !whole.is_object()) return "{}";
    const auto& from = whole.get_object();
    const auto take = [&](std::string_view name) {
        if (const auto* value = from.if_contains(name)) out[name] = *value;
    };
    for (const auto* name : {"id", "unix_ms", "client", "session", "parent", "kind", "model_asked", "model_used", "backend"}) take(name);
    out["route"] = record.route_reason;
    if (auto places = json::parse(record.route, error); !error) out["places"] = std::move(places);
    out["cache"] = {{"outcome", record.cache_outcome}, {"meaning", cache_meaning(record.cache_outcome)}};
    json::array edits;
    if (const auto* list = from.if_contains("prompt")) edits = list->as_array();
    out["prompt"] = {{"changed_by", log::prompt_steps(record)}, {"edits", std::move(edits)}, {"diff", diff_of(record, false)}};
    for (const auto* name : {"calls", "usage", "ms", "finish_reason", "status", "error_code", "error_detail", "cancelled"}) take(name);
    return json::serialize(out);
}

/// The places that could have answered, one a line: which, how soon, why (not).
std::vector<std::string> places_of(const RequestRecord& record) {
    std::vector<std::string> out;
    json::error_code error;
    const json::value plan = json::parse(record.route, error);
    if (error) return out;
    for (const auto& one : items_at(plan, "candidates")) {
        std::string line = clean(text_at(one, "backend")) + "/" + clean(text_at(one, "model"));
        if (const auto why = text_at(one, "why"); !why.empty()) line += ": " + clean(why);
        out.push_back(std::move(line));
    }
    return out;
}

std::string text_of(const RequestRecord& r) {
    const bool colour = colour_on();
    std::string out = time_text(r.unix_ms) + "  " + clean(r.id) + "\n";
    const auto row = [&](std::string_view name, const std::string& text) {
        if (!text.empty()) out += paint(name, "2", colour) + std::string(10 - std::min<std::size_t>(9, name.size()), ' ') + text + "\n";
    };
    std::string asked = clean(r.client) + ", " + clean(r.kind) + ", " + std::to_string(r.n_messages) + " messages, " +
                        std::to_string(r.n_tools) + " tools";
    if (!r.session.empty()) asked += ", session " + clean(r.session);
    if (!r.parent.empty()) asked += " of " + clean(r.parent);
    row("asked", asked);
    row("route", clean(r.route_reason));
    for (const auto& place : places_of(r)) row("place", place);
    if (!r.cache_outcome.empty()) row("cache", clean(r.cache_outcome) + ": " + cache_meaning(r.cache_outcome));
    if (r.usage) {
        row("tokens", std::to_string(r.usage->prompt) + " prompt" +
                          (r.usage->cached ? " (" + std::to_string(*r.usage->cached) + " cached)" : "") + ", " +
                          std::to_string(r.usage->completion) + " answer");
    }
    std::string times;
    for (const auto& [name, ms] : {std::pair{"wait", r.ms.wait}, {"first byte", r.ms.first_byte}, {"first token", r.ms.first_token}, {"total", r.ms.total}}) {
        if (ms) times += (times.empty() ? "" : ", ") + std::string(name) + " " + ms_text(ms);
    }
    row("times", times);
    for (const auto& call : r.calls) {
        row("call", clean(call.name) + ": " + clean(call.outcome.empty() ? (call.complete ? "complete" : "incomplete") : call.outcome));
    }
    row("ended", r.error_code.empty() ? clean(r.finish_reason) : clean(r.error_code) + ": " + clean(r.error_detail));
    const auto steps = log::prompt_steps(r);
    row("prompt", steps.empty() ? "as it came" : "changed by: " + steps);
    return out + diff_of(r, colour);
}

int explain(const Options& options) {
    const auto path = request_log(options.cli);
    if (!path) return complain("explain", path.error());
    const auto record = store::find(*path, options.id);
    if (!record) return complain("explain", {Errc::not_found, record.error().detail});
    std::cout << (options.json ? json_of(*record) + "\n" : text_of(*record));
    return ok;
}

}  // namespace

void add_explain(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("explain", "Show why a request went where it went, and what was made of its prompt");
    const auto options = std::make_shared<Options>();
    command->add_option("ID", options->id, "The request: its id (x-localcode-request-id), or the beginning or end of it")
        ->required();
    add_place_options(*command, options->cli);
    add_state_option(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer("Lines with - left the prompt there, lines with + are new.\nExample:\n  localcode explain 3f9a1c2e");
    command->callback([options, &status] { status = explain(*options); });
}

}  // namespace lc::commands
