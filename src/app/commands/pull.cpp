#include "app/commands/pull.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "app/commands/cli.hpp"
#include "app/commands/options.hpp"
#include "app/version.hpp"
#include "core/hub/quant.hpp"
#include "core/hub/spec.hpp"
#include "shell/sys/os.hpp"
#include "shell/sys/paths.hpp"

namespace lc::commands {

namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

/// Where progress is shown, and what is there now. On a terminal one line is written over and over, with no escape
/// sequences at all; elsewhere there is a line when something begins, and one every ten seconds.
struct Screen {
    bool terminal = false;
    std::size_t shown = 0;  ///< characters of the line that the cursor stands on
    hub::Stage stage = hub::Stage::done;
    std::string file;
    Clock::time_point printed{};
};

Screen open_screen() {
    const char* term = std::getenv("TERM");
    const bool dumb = term == nullptr || *term == '\0' || std::string_view(term) == "dumb";
    return {.terminal = ::isatty(STDERR_FILENO) == 1 && !dumb};
}

int columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void wipe(Screen& screen) {
    if (screen.shown > 0) std::cerr << '\r' << std::string(screen.shown, ' ') << '\r' << std::flush;
    screen.shown = 0;
}

void show(Screen& screen, const hub::Progress& progress) {
    const bool begins = progress.stage != screen.stage || progress.file != screen.file;
    const bool quick = progress.stage == hub::Stage::listing;  // is over before it is read
    screen.stage = progress.stage;
    screen.file = progress.file;
    if (progress.stage == hub::Stage::done) return wipe(screen);
    if (!screen.terminal) {
        const bool due = Clock::now() - screen.printed > std::chrono::seconds(10);
        if ((!begins && !due && progress.stage != hub::Stage::retrying) || quick) return;
        screen.printed = Clock::now();
        std::cerr << hub::plain_line(progress) << std::endl;
        return;
    }
    // One column less: a full last column makes some terminals go to the next line.
    const std::string line = hub::terminal_line(progress, columns() - 1);
    std::cerr << '\r' << line;
    if (line.size() < screen.shown) std::cerr << std::string(screen.shown - line.size(), ' ');
    std::cerr << std::flush;
    screen.shown = line.size();
    if (progress.stage == hub::Stage::retrying) {
        // What went wrong stays readable.
        std::cerr << std::endl;
        screen.shown = 0;
    }
}

Result<hub::LocalModel> obtain(const std::string& spec, hub::Env env, bool quiet, int* signal) {
    sys::ignore_sigpipe();
    env.user_agent = "localcode/" + std::string(version_text());
    if (quiet) return hub::fetch_model_now(spec, std::move(env), {}, signal);
    const auto screen = std::make_shared<Screen>(open_screen());
    auto model = hub::fetch_model_now(
        spec, std::move(env), [screen](const hub::Progress& progress) { show(*screen, progress); }, signal);
    wipe(*screen);
    return model;
}

std::string to_json(const hub::LocalModel& model) {
    json::array files;
    for (const std::string& file : model.files) files.emplace_back(file);
    json::object out{{"model", model.path}, {"files", std::move(files)}, {"quantisation", model.quant}};
    if (model.projector.empty()) {
        out["projector"] = nullptr;
    } else {
        out["projector"] = model.projector;
    }
    out["bytes"] = model.bytes;
    out["downloaded_bytes"] = model.downloaded;
    return json::serialize(out);
}

int report(const PullOptions& options, const Error& error, int signal) {
    if (options.json) {
        const std::string code(name_of(error.code));
        std::cout << json::serialize(json::object{{"error", {{"code", code}, {"message", error.detail}}}}) << '\n';
    } else {
        complain("pull", error);
    }
    if (error.code == Errc::cancelled && signal != 0) return 128 + signal;
    return hub::parse_spec(options.spec) ? failed : usage;
}

}  // namespace

Result<hub::LocalModel> obtain_model(const std::string& spec, const std::string& cache_dir, int* signal) {
    auto env = hub::env_from(sys::process_env(), cache_dir);
    if (!env) return tl::unexpected(env.error());
    return obtain(spec, std::move(*env), false, signal);
}

int pull(const PullOptions& options) {
    sys::set_private_umask();
    const auto paths = sys::paths_from(sys::process_env(), ::getuid());
    if (!paths) return report(options, paths.error(), 0);
    auto env = hub::env_from(sys::process_env(), paths->cache_dir);
    if (!env) return report(options, env.error(), 0);
    env->refresh = options.refresh;
    int signal = 0;
    const auto model = obtain(options.spec, std::move(*env), options.quiet, &signal);
    if (!model) return report(options, model.error(), signal);
    if (options.json) {
        std::cout << to_json(*model) << '\n';
        return ok;
    }
    if (!options.quiet) {
        std::cerr << (model->downloaded == 0 ? "already here" : "complete") << ": " << hub::human_bytes(model->bytes);
        if (!model->projector.empty()) std::cerr << "\nprojector: " << model->projector;
        std::cerr << "\nserve it:  localcode serve --hf " << options.spec << '\n';
    }
    std::cout << model->path << '\n';
    return ok;
}

void add_pull(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("pull", "Download a model from Hugging Face");
    const auto options = std::make_shared<PullOptions>();
    command->add_option("MODEL", options->spec, "org/repo, org/repo:quant or org/repo:file.gguf")->required();
    command->add_flag("--refresh", options->refresh,
                      "Ask the hub even if the model is here, and take what has changed");
    command->add_flag("-q,--quiet", options->quiet, "No progress");
    add_json_option(*command, options->json);
    std::string order;
    for (const std::string_view quant : hub::default_quants())
        order += (order.empty() ? "" : ", ") + std::string(quant);
    command->footer("Without a quantisation, the first of these that the repository has: " + order +
                    ".\nAll parts of a split model and, for models that see or hear, the projector come too. An "
                    "interrupted download goes on\n"
                    "where it stopped; every file is checked against the SHA-256 that the hub lists. Models live in\n"
                    "~/.cache/localcode/models (LOCALCODE_CACHE_DIR). HF_TOKEN gives access to private and gated "
                    "models, HF_ENDPOINT names\n"
                    "another hub.\n\n"
                    "Examples:\n"
                    "  localcode pull bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M\n"
                    "  localcode serve --hf bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M");
    command->callback([options, &status] { status = pull(*options); });
}

}  // namespace lc::commands
