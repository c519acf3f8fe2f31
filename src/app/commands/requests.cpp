// `requests`: the request log in requests.db. Reads the file, so it works beside a running gateway and without one.
#include <unistd.h>

#include <iostream>
#include <memory>

#include "app/commands/admin_client.hpp"
#include "app/commands/cache_parts.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/json_view.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"
#include "core/log/format.hpp"
#include "shell/store/record_json.hpp"
#include "shell/store/requests_db.hpp"
#include "shell/sys/paths.hpp"

namespace lc::commands {

namespace {

using log::RequestRecord;

struct Options {
    config::CliOptions cli;
    std::string id;
    store::Filter filter;
    std::int64_t limit = 20;
    bool json = false;
};

/// The end of an id: its beginning is the time, which neighbours share.
std::string short_id(const std::string& id) {
    return id.size() > 8 ? id.substr(id.size() - 8) : id;
}

std::string outcome(const RequestRecord& r) {
    if (r.cancelled) return "cancelled";
    if (!r.error_code.empty()) return r.error_code;
    return r.finish_reason;
}

Row row_of(const RequestRecord& r) {
    const bool bad = r.status >= 400 || !r.error_code.empty();
    const auto usage = r.usage.value_or(log::UsageSummary{});
    return {{time_text(r.unix_ms), "2"},
            {short_id(r.id)},
            {r.model_used.empty() ? r.model_asked : r.model_used, "1"},
            {r.kind},
            {r.client},
            {std::to_string(r.n_messages)},
            {count_text(r.n_tools)},
            {count_text(usage.prompt)},
            {count_text(usage.cached.value_or(0))},
            {count_text(usage.completion)},
            {ms_text(r.ms.first_token)},
            {ms_text(r.ms.total)},
            {r.status == 0 ? "-" : std::to_string(r.status), bad ? "31" : "32"},
            {outcome(r), bad || r.cancelled ? "31" : ""}};
}

const std::vector<Column> columns = {{"TIME"},
                                     {"ID"},
                                     {"MODEL", Align::left, 32},
                                     {"KIND"},
                                     {"CLIENT", Align::left, 12},
                                     {"MSGS", Align::right},
                                     {"TOOLS", Align::right},
                                     {"PROMPT", Align::right},
                                     {"CACHED", Align::right},
                                     {"OUT", Align::right},
                                     {"TTFT", Align::right},
                                     {"TOTAL", Align::right},
                                     {"STATUS", Align::right},
                                     {"ENDED"}};

int one(const Options& options, const std::string& path) {
    const auto record = store::find(path, options.id);
    if (!record) return complain("requests", {Errc::not_found, record.error().detail});
    if (options.json) {
        std::cout << store::to_json(*record) << '\n';
        return ok;
    }
    log::Style style;
    style.color = colour_on();
    style.max_messages = log::max_logged_messages;
    std::cout << time_text(record->unix_ms) << "  " << record->id << '\n'
              << log::format_request(*record, style) << '\n'
              << log::format_response(*record, style) << '\n';
    return ok;
}

int requests(const Options& options) {
    const auto path = request_log(options.cli);
    if (!path) return complain("requests", path.error());
    if (!options.id.empty()) return one(options, *path);
    const auto records = store::recent(*path, options.filter, static_cast<std::size_t>(options.limit));
    if (!records) return complain("requests", records.error());
    if (options.json) {
        std::cout << "{\"requests\":[";
        for (std::size_t i = 0; i < records->size(); ++i)
            std::cout << (i > 0 ? ",\n" : "\n") << store::to_json((*records)[i]);
        std::cout << "]}\n";
        return ok;
    }
    if (records->empty()) {
        std::cout << "no requests in " << *path << '\n';
        return ok;
    }
    // The newest stands last, next to the prompt.
    std::vector<Row> rows;
    for (auto record = records->rbegin(); record != records->rend(); ++record) rows.push_back(row_of(*record));
    std::cout << table(columns, rows, colour_on());
    return ok;
}

}  // namespace

Result<std::string> request_log(const config::CliOptions& cli) {
    if (cli.state_dir.empty()) {
        if (const auto place = find_place(cli); place && !place->socket.empty()) {
            if (const auto answer = ask_json(*place, "status")) {
                if (const auto dir = text_at(*answer, "state_dir"); !dir.empty()) return dir + "/requests.db";
            }
        }
    }
    const auto paths = sys::paths_from(sys::process_env(), ::getuid(), {cli.state_dir, ""});
    if (!paths) return tl::unexpected(paths.error());
    return paths->state_dir + "/requests.db";
}

void add_requests(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("requests", "Show the latest requests, or one in detail");
    const auto options = std::make_shared<Options>();
    command->add_option("ID", options->id, "A request: its id (x-localcode-request-id), or the beginning or end of it");
    command->add_option("-n,--limit", options->limit, "How many (default: 20)")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000}).description(""));
    command->add_option("--model", options->filter.model, "Only this model's")->type_name("NAME");
    command->add_option("--session", options->filter.session, "Only this session's")->type_name("ID");
    command->add_option("--kind", options->filter.kind, "Only of this kind (main, subagent, title, ...)")
        ->type_name("KIND");
    command->add_flag("--errors", options->filter.errors, "Only those that failed");
    add_place_options(*command, options->cli);
    add_state_option(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer(
        "The newest stands last; with --json first.\nExamples:\n  localcode requests\n  localcode requests --errors "
        "--limit 5\n  localcode requests 3f9a1c2e\n  localcode requests --session ses_1 --json");
    command->callback([options, &status] { status = requests(*options); });
}

}  // namespace lc::commands
