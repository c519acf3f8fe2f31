// `init`: what `launch` gives for one run, written into the client's own configuration.
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "app/commands/cli.hpp"
#include "app/commands/launch.hpp"
#include "app/commands/options.hpp"
#include "app/commands/reach.hpp"
#include "core/clients/diff.hpp"
#include "core/clients/opencode.hpp"
#include "shell/sys/fd.hpp"

namespace lc::commands {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::size_t max_file_bytes = 1 << 20;

struct Options {
    config::CliOptions cli;
    std::string client, url, file;
    bool dry_run = false, json = false;
};

/// opencode.jsonc or .json of the folder: the one that is there; .jsonc wins, as it does in OpenCode.
std::string file_in(const fs::path& folder) {
    std::error_code ec;
    for (const char* name : {"opencode.jsonc", "opencode.json"}) {
        if (fs::exists(folder / name, ec)) return (folder / name).string();
    }
    return {};
}

Result<std::string> opencode_file(const std::string& given) {
    std::error_code ec;
    if (!given.empty()) return fs::absolute(given, ec).string();
    if (auto here = file_in(fs::current_path(ec)); !here.empty()) return here;
    const auto env = sys::process_env();
    const auto config = env("XDG_CONFIG_HOME");
    const auto home = env("HOME");
    if (!config && !home)
        return fail(Errc::bad_request, "neither HOME nor XDG_CONFIG_HOME is set; name the file with --file");
    const fs::path folder = (config ? fs::path(*config) : fs::path(*home) / ".config") / "opencode";
    if (auto there = file_in(folder); !there.empty()) return there;
    return (folder / "opencode.json").string();
}

/// Replaces the file's content; mode and links to it stay. New files are the user's alone.
Result<void> write_back(const std::string& path, const std::string& text, bool exists) {
    std::error_code ec;
    fs::create_directories(fs::path(path).parent_path(), ec);
    if (ec) return fail(Errc::internal, "cannot make the folder of " + path + ": " + ec.message());
    const auto real = exists ? fs::canonical(path, ec).string() : path;
    if (ec) return fail(Errc::internal, path + ": " + ec.message());
    struct stat info {};
    const bool known = exists && ::stat(real.c_str(), &info) == 0;
    if (auto written = sys::replace_file(real, text); !written) return written;
    if (known && ::chmod(real.c_str(), info.st_mode & 07777) != 0) {
        return fail(Errc::internal, "cannot restore the mode of " + real + ": " + sys::errno_text(errno));
    }
    return {};
}

std::string chosen(const json::value& there, std::string_view key) {
    const auto* object = there.if_object();
    const auto* value = object != nullptr ? object->if_contains(key) : nullptr;
    return value != nullptr && value->is_string() ? std::string(value->as_string().c_str()) : std::string();
}

int init_opencode(const Options& options, const clients::Setup& setup) {
    const auto path = opencode_file(options.file);
    if (!path) return complain("init", path.error());
    std::string before;
    auto text = sys::read_file(*path, max_file_bytes);
    const bool exists = text.has_value();
    if (exists) before = std::move(*text);
    if (!exists && text.error().code != Errc::not_found) return complain("init", text.error());
    if (before.size() >= max_file_bytes)
        return complain("init", {Errc::too_large, *path + " is too large for a config file"});

    const auto there = clients::read_jsonc(before);
    if (!there) return complain("init", {Errc::internal, *path + ": " + there.error().detail});
    const auto after =
        clients::with_settings(before, clients::opencode_settings(setup, clients::Purpose::file, *there));
    if (!after) return complain("init", {Errc::internal, *path + ": " + after.error().detail});
    const bool changed = *after != before;
    const auto diff = clients::unified_diff(before, *after, exists ? *path : "/dev/null", *path);
    if (changed && !options.dry_run) {
        if (auto written = write_back(*path, *after, exists); !written) return complain("init", written.error());
    }
    if (options.json) {
        std::cout << json::serialize(json::value{{"file", *path},
                                                 {"changed", changed},
                                                 {"written", changed && !options.dry_run},
                                                 {"diff", diff}})
                  << '\n';
        return ok;
    }
    if (options.dry_run) {
        std::cout << diff;
        if (!changed) std::cerr << *path << " has everything already\n";
        return ok;
    }
    std::cout << (changed ? (exists ? "changed " : "wrote ") + *path : *path + " has everything already") << '\n';
    if (const auto model = chosen(*there, "model"); !model.empty() && !model.starts_with("localcode/")) {
        std::cout << "its model is still " << model << "; choose localcode/" << setup.main
                  << " in OpenCode, or write it there\n";
    }
    if (!setup.key.empty())
        std::cout << "OpenCode reads the gateway's key from LOCALCODE_API_KEY: set it where you start OpenCode\n";
    return ok;
}

std::string shell_quoted(std::string_view text) {
    if (!text.empty() &&
        text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=+,@%") ==
            std::string_view::npos) {
        return std::string(text);
    }
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

/// The other clients keep their settings in places of their own: nothing is written there, but what `launch` does is
/// told, to be put where it is wanted.
int init_other(const Options& options, clients::Client client, clients::Setup setup, const Reach& reach) {
    const std::string name(clients::name_of(client));
    const bool key_known = !setup.key.empty();
    if (key_known) setup.key = "$LOCALCODE_API_KEY";
    setup.scratch = reach.paths.state_dir + "/clients/" + name + "-init";
    const auto launch = clients::launch(client, setup);
    if (!launch) return complain("init", launch.error());
    const auto quoted = [&](const std::string& value) {
        return value == "$LOCALCODE_API_KEY" ? "\"$LOCALCODE_API_KEY\"" : shell_quoted(value);
    };
    std::string out = "# " + name + " on " + setup.url + ": lines for your shell's start file\n";
    for (const auto& [variable, value] : launch->env) {
        if (!(key_known && variable == "LOCALCODE_API_KEY")) out += "export " + variable + "=" + quoted(value) + "\n";
    }
    if (!launch->args.empty()) {
        std::string alias = "alias " + name + "=";
        std::string command = name;
        for (const auto& arg : launch->args) command += " " + shell_quoted(arg);
        out += alias + shell_quoted(command) + "\n";
    }
    if (!options.dry_run) {
        for (const auto& file : launch->files) {
            const auto path = fs::path(setup.scratch) / file.name;
            if (auto made = sys::ensure_private_dir(path.parent_path().string(), sys::Symlink::refuse); !made)
                return complain("init", made.error());
            if (auto written = sys::replace_file(path.string(), file.content); !written)
                return complain("init", written.error());
        }
    }
    if (options.json) {
        json::object env;
        for (const auto& [variable, value] : launch->env) env[variable] = value;
        std::cout << json::serialize(
                         json::value{{"env", env}, {"args", json::array(launch->args.begin(), launch->args.end())}})
                  << '\n';
    } else {
        std::cout << out;
    }
    return ok;
}

int init(const Options& options) {
    const auto client = clients::client_of(options.client);
    if (!client) return complain("init", client.error());
    auto reach = find_gateway(options.cli, options.url);
    if (!reach) return complain("init", reach.error());
    if (!reach->running) {
        return complain("init",
                        {Errc::not_found, "no gateway answers at " + reach->url +
                                              ", so its models are not known; start one with `localcode serve`" +
                                              (reach->problem.empty() ? "" : "\n" + reach->problem)});
    }
    auto setup = setup_of(*reach);
    if (!setup) return complain("init", setup.error());
    if (*client != clients::Client::opencode) return init_other(options, *client, std::move(*setup), *reach);
    setup->plugin = find_plugin();
    return init_opencode(options, *setup);
}

}  // namespace

void add_init(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("init", "Set a coding agent up for this gateway, for good");
    const auto options = std::make_shared<Options>();
    command->add_option("CLIENT", options->client, "The agent")
        ->type_name("{opencode,claude,codex,qwen,cline,cn,aider}")
        ->required();
    command->add_flag("--dry-run", options->dry_run, "Show what would change, write nothing");
    command->add_option("--file", options->file, "opencode: the file to write")->type_name("FILE");
    command->add_option("--url", options->url, "A gateway on another machine")->type_name("URL");
    add_place_options(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer(
        "opencode: merges provider, models and plugin into opencode.json or opencode.jsonc of the current folder, if "
        "there\n"
        "is one, else into ~/.config/opencode. Comments and your own settings stay; a model of another provider that "
        "you\n"
        "chose stays chosen. Others: prints lines for your shell's start file and changes nothing of theirs.\n"
        "The gateway must be running, because it knows the models.\n\n"
        "Examples:\n"
        "  localcode init opencode --dry-run\n"
        "  localcode init opencode\n"
        "  localcode init --url http://gpu-box:4242 opencode\n"
        "  localcode init claude");
    command->callback([options, &status] { status = init(*options); });
}

}  // namespace lc::commands
