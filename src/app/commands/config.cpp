// `config check|show|example`.
#include <boost/json.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include "app/commands/cli.hpp"
#include "app/commands/load_config.hpp"
#include "app/commands/options.hpp"
#include "app/secrets.hpp"

namespace lc::commands {

namespace {

namespace json = boost::json;

struct Options {
    config::CliOptions cli;
    std::string file;
    bool json = false;
};

/// What a start would fail with or complain of, though the text itself is right.
std::vector<config::Problem> outside_problems(const config::Config& config) {
    std::vector<config::Problem> out;
    const auto secret = [&](const config::Secret& s, const std::string& what) {
        if (s.empty()) return;
        if (const auto value = resolve_secret(s); !value) out.push_back({0, 0, what + ": " + value.error().detail});
    };
    const auto file = [&](const std::string& path, const std::string& what) {
        std::error_code error;
        if (!path.empty() && !std::filesystem::is_regular_file(path, error)) {
            out.push_back({0, 0, what + ": there is no file " + path});
        }
    };
    secret(config.auth.admin_key, "auth.admin_key");
    for (const auto& key : config.auth.keys) secret(key.key, "the key of '" + key.name + "'");
    file(config.server.tls.certificate, "server.tls.certificate");
    file(config.server.tls.key, "server.tls.key");
    for (const auto& model : config.models) file(model.path, "model '" + model.name + "'");
    for (const auto& backend : config.backends) {
        secret(backend.key, "backend '" + backend.name + "'");
        file(backend.ca_file, "backend '" + backend.name + "'");
    }
    return out;
}

void print_report(const std::string& file, const std::vector<config::Problem>& problems) {
    json::array list;
    for (const auto& p : problems) list.push_back({{"line", p.line}, {"column", p.column}, {"message", p.message}});
    std::cout << json::serialize(json::value{{"file", file}, {"ok", problems.empty()}, {"problems", std::move(list)}})
              << '\n';
}

int check(Options options) {
    if (!options.file.empty()) options.cli.config_file = options.file;
    const auto read = read_config_file(options.cli);
    if (!read) return complain("config check", read.error());
    const std::string& file = read->paths.config_file;
    auto problems = read->parsed.problems;
    std::size_t models = 0, backends = 0;
    if (problems.empty()) {
        const auto loaded = load_config(options.cli);
        if (!loaded) return complain("config check", loaded.error());
        problems = outside_problems(loaded->config);
        models = loaded->config.models.size();
        backends = loaded->config.backends.size();
    }
    if (options.json) {
        print_report(file, problems);
    } else if (!problems.empty()) {
        std::cerr << config::describe(file, problems);
    } else if (!read->found) {
        std::cout << "there is no config file " << file << "; the defaults are used\n";
    } else {
        std::cout << file << ": good (models: " << models << ", backends: " << backends << ")\n";
    }
    return problems.empty() ? ok : failed;
}

int show(const Options& options) {
    const auto loaded = load_config(options.cli);
    if (!loaded) return complain("config show", loaded.error());
    if (options.json) {
        std::cout << config::to_json(loaded->config) << '\n';
        return ok;
    }
    std::cout << "# "
              << (loaded->from_file ? "From " + loaded->paths.config_file
                                    : "No config file (" + loaded->paths.config_file + ")")
              << ", environment and options.\n# State: " << loaded->paths.state_dir << "\n\n"
              << config::to_toml(loaded->config);
    return ok;
}

}  // namespace

void add_config(CLI::App& app, int& status) {
    auto* group = app.add_subcommand("config", "Check, show or explain the configuration");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n  localcode config example > ~/.config/localcode/config.toml\n  localcode config check\n"
        "  localcode config show --model coder.gguf");

    auto* check_command = group->add_subcommand("check", "Report every problem with file, line and column");
    const auto check_options = std::make_shared<Options>();
    check_command->add_option("FILE", check_options->file, "Config file instead of the usual one");
    add_config_option(*check_command, check_options->cli);
    add_json_option(*check_command, check_options->json);
    check_command->footer("Exit status: 0 when it is good, 1 when it has problems, 2 when it cannot be read.");
    check_command->callback([check_options, &status] { status = check(*check_options); });

    auto* show_command = group->add_subcommand("show", "Print the effective configuration, secrets hidden");
    const auto show_options = std::make_shared<Options>();
    add_serve_options(*show_command, show_options->cli);
    add_json_option(*show_command, show_options->json);
    show_command->footer("Takes the options of `serve`: shows what they would do.");
    show_command->callback([show_options, &status] { status = show(*show_options); });

    auto* example_command = group->add_subcommand("example", "Print an annotated example with every key");
    example_command->callback([&status] {
        std::cout << config::example();
        status = ok;
    });
}

}  // namespace lc::commands
