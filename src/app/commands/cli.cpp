#include "app/commands/cli.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <vector>

#include "app/commands/help.hpp"
#include "app/commands/launch.hpp"
#include "app/commands/options.hpp"
#include "app/commands/pull.hpp"
#include "app/version.hpp"
#include "base/text.hpp"

namespace lc::commands {

namespace {

constexpr const char* about =
    "LocalCode: a gateway between coding agents and the models that serve them.\n"
    "Local GGUF models and OpenAI-compatible servers behind one address, http://127.0.0.1:4242/v1.";

constexpr const char* examples =
    "Examples:\n"
    "  localcode launch opencode              run OpenCode on it, starting it when needed\n"
    "  localcode serve --model coder.gguf     serve a local model\n"
    "  ZAI_API_KEY=... localcode serve        serve the GLM-4.7 coding API\n"
    "  localcode status                       what the running gateway does\n"
    "  localcode requests                     the latest requests\n"
    "  localcode config example               every setting, explained\n\n"
    "Help of a command: localcode COMMAND --help. More: man localcode.";

/// `words` is filled before the callback of `launch` runs. Returns that command.
CLI::App* build(CLI::App& app, int& status, LaunchWords& words) {
    app.set_help_flag("-h,--help", "Print help");
    app.set_version_flag("--version", "localcode " + std::string(version_text()), "Print the version");
    const auto formatter = std::make_shared<HelpFormatter>();
    formatter->column_width(34);
    formatter->label("REQUIRED", "");
    formatter->label("Positionals", "Arguments");
    formatter->label("TEXT", "");
    app.formatter(formatter);
    app.footer(examples);
    app.require_subcommand(1);
    add_serve(app, status);
    CLI::App* launch = add_launch(app, status, words);
    add_init(app, status);
    add_status(app, status);
    add_engine_verbs(app, status);
    add_top(app, status);
    add_logs(app, status);
    add_requests(app, status);
    add_route(app, status);
    add_explain(app, status);
    add_sessions(app, status);
    add_cache(app, status);
    add_pull(app, status);
    add_recommend(app, status);
    add_doctor(app, status);
    add_config(app, status);
    add_version(app, status);
    add_completions(app, status);
    add_man_page(app, status);
    // A sub-command does not inherit the text of the footer that is set later than it is made.
    for (CLI::App* command : app.get_subcommands({})) {
        if (command->get_name() != "man-page") command->group("Commands");
        if (command->get_footer() == examples) command->footer("");
        for (CLI::App* inner : command->get_subcommands({})) {
            inner->group("Commands");
            if (inner->get_footer() == examples || inner->get_footer() == command->get_footer()) inner->footer("");
        }
    }
    return launch;
}

/// The words of the command line, the last one first, as CLI11 wants them. Those of `launch` that are the client's are
/// taken out.
std::vector<std::string> words_of(int argc, char** argv, const CLI::App& launch, LaunchWords& words) {
    std::vector<std::string> all(argv + std::min(argc, 1), argv + argc);
    if (!all.empty() && all.front() == launch.get_name()) {
        words = split_launch({all.begin() + 1, all.end()}, [&launch](std::string_view name) {
            const auto* option = launch.get_option_no_throw(std::string(name));
            return option != nullptr && option->get_items_expected_max() > 0;
        });
        all.resize(1);
        all.insert(all.end(), words.ours.begin(), words.ours.end());
    }
    std::reverse(all.begin(), all.end());
    return all;
}

/// The command that was meant: the innermost one parsed.
const CLI::App* innermost(const CLI::App* app) {
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return app;
}

/// What an unexpected word was probably meant to be.
std::string unexpected_word(const CLI::App* command, const std::string& word) {
    std::vector<std::string> names;
    const bool option = word.starts_with("-");
    if (option) {
        for (const CLI::Option* o : command->get_options()) {
            for (const std::string& name : o->get_lnames()) names.push_back("--" + name);
        }
    } else {
        for (const CLI::App* sub : command->get_subcommands({})) names.push_back(sub->get_name());
    }
    const std::string asked = option ? word.substr(0, word.find('=')) : word;
    const std::vector<std::string_view> views(names.begin(), names.end());
    const auto near = nearest(asked, views);
    const char* what = option ? "unknown option" : names.empty() ? "unexpected argument" : "unknown command";
    std::string text = std::string(what) + " '" + preview(asked, 60) + "'";
    if (!near.empty()) return text + "; did you mean '" + std::string(near) + "'?";
    return text + "; see `" + full_name(command) + " --help`";
}

int explain(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App* command = innermost(&app);
    const auto left = command->remaining();
    std::string text = error.what();
    if (!left.empty()) {
        text = unexpected_word(command, left.front());
    } else if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !command->get_subcommands({}).empty()) {
        std::cerr << command->help();
        return usage;
    }
    std::cerr << full_name(command) << ": " << text << '\n';
    return usage;
}

}  // namespace

int complain(std::string_view command, const Error& error) {
    std::cerr << "localcode " << command << ": " << error.detail << '\n';
    return error.code == Errc::bad_request ? usage : failed;
}

int run(int argc, char** argv) {
    int status = ok;
    CLI::App app(about, "localcode");
    LaunchWords words;
    const CLI::App* launch = build(app, status, words);
    try {
        app.parse(words_of(argc, argv, *launch, words));
    } catch (const CLI::CallForHelp&) {
        std::cout << innermost(&app)->help();
    } catch (const CLI::CallForAllHelp&) {
        std::cout << app.help("", CLI::AppFormatMode::All);
    } catch (const CLI::CallForVersion& version) {
        std::cout << version.what() << '\n';
    } catch (const CLI::ParseError& error) {
        return explain(app, error);
    }
    std::cout.flush();
    // A full disk or a closed pipe: the output is not whole, and scripts must know.
    return status == ok && !std::cout ? failed : status;
}

}  // namespace lc::commands
