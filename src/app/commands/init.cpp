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

/// A client's own file in JSON (comments may be in it), as it is.
struct OwnFile {
    std::string path, text;
    bool exists = false;
    json::value value;
};

Result<OwnFile> read_own(std::string path) {
    OwnFile out;
    auto text = sys::read_file(path, max_file_bytes);
    out.exists = text.has_value();
    if (!out.exists && text.error().code != Errc::not_found) return tl::unexpected(text.error());
    if (out.exists) out.text = std::move(*text);
    if (out.text.size() >= max_file_bytes) return fail(Errc::too_large, path + " is too large for a config file");
    auto value = clients::read_jsonc(out.text);
    if (!value) return fail(Errc::internal, path + ": " + value.error().detail);
    out.value = std::move(*value);
    out.path = std::move(path);
    return out;
}

/// Writes the settings into the file, or shows what would change. True: something may still be said about it.
Result<bool> merge(const Options& options, const OwnFile& file, const std::vector<clients::Setting>& settings) {
    const auto after = clients::with_settings(file.text, settings);
    if (!after) return fail(Errc::internal, file.path + ": " + after.error().detail);
    const bool changed = *after != file.text;
    const auto diff = clients::unified_diff(file.text, *after, file.exists ? file.path : "/dev/null", file.path);
    if (changed && !options.dry_run) {
        if (auto written = write_back(file.path, *after, file.exists); !written) return tl::unexpected(written.error());
    }
    if (options.json) {
        std::cout << json::serialize(json::value{{"file", file.path},
                                                 {"changed", changed},
                                                 {"written", changed && !options.dry_run},
                                                 {"diff", diff}})
                  << '\n';
        return false;
    }
    if (options.dry_run) {
        std::cout << diff;
        if (!changed) std::cerr << file.path << " has everything already\n";
        return false;
    }
    std::cout << (changed ? (file.exists ? "changed " : "wrote ") + file.path : file.path + " has everything already") << '\n';
    return true;
}

int init_opencode(const Options& options, const clients::Setup& setup) {
    auto path = opencode_file(options.file);
    if (!path) return complain("init", path.error());
    const auto file = read_own(std::move(*path));
    if (!file) return complain("init", file.error());
    const auto merged = merge(options, *file, clients::opencode_settings(setup, clients::Purpose::file, file->value));
    if (!merged) return complain("init", merged.error());
    if (!*merged) return ok;
    if (const auto model = chosen(file->value, "model"); !model.empty() && !model.starts_with("localcode/")) {
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

Result<std::string> claude_file(const std::string& given) {
    std::error_code ec;
    if (!given.empty()) return fs::absolute(given, ec).string();
    const auto env = sys::process_env();
    if (const auto folder = env("CLAUDE_CONFIG_DIR")) return (fs::path(*folder) / "settings.json").string();
    const auto home = env("HOME");
    if (!home) return fail(Errc::bad_request, "HOME is not set; name the file with --file");
    return (fs::path(*home) / ".claude" / "settings.json").string();
}

/// Claude Code sets the variables of "env" in its settings.json itself. A key is not written there.
int init_claude(const Options& options, const clients::Setup& setup) {
    const auto launch = clients::launch(clients::Client::claude, setup);
    if (!launch) return complain("init", launch.error());
    std::vector<clients::Setting> settings;
    for (const auto& [variable, value] : launch->env) {
        if (variable == "ANTHROPIC_AUTH_TOKEN" && !setup.key.empty()) continue;
        // Where it goes and to which model is what was asked for; of the rest, what stands there stays.
        const bool ours = (variable.starts_with("ANTHROPIC_") && variable != "ANTHROPIC_API_KEY") || variable.starts_with("CLAUDE_CODE_MAX_") ||
                          variable == "CLAUDE_CODE_SUBAGENT_MODEL";
        settings.push_back({{"env", variable},
                            json::value(json::string(value)),
                            ours ? clients::How::replace : clients::How::if_absent});
    }
    auto path = claude_file(options.file);
    if (!path) return complain("init", path.error());
    const auto file = read_own(std::move(*path));
    if (!file) return complain("init", file.error());
    const auto merged = merge(options, *file, settings);
    if (!merged) return complain("init", merged.error());
    if (*merged && !setup.key.empty()) {
        std::cout << "Claude Code needs the gateway's key as ANTHROPIC_AUTH_TOKEN: set it where you start Claude Code\n";
    }
    return ok;
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
    if (*client == clients::Client::claude) return init_claude(options, *setup);
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
    command->add_option("--file", options->file, "opencode, claude: the file to write")->type_name("FILE");
    command->add_option("--url", options->url, "A gateway on another machine")->type_name("URL");
    add_place_options(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer(
        "opencode: merges provider, models and plugin into opencode.json or opencode.jsonc of the current folder, if "
        "there\n"
        "is one, else into ~/.config/opencode. Comments and your own settings stay; a model of another provider that "
        "you\n"
        "chose stays chosen. claude: sets address and models in \"env\" of ~/.claude/settings.json. Others: prints lines\n"
        "for your shell's start file and changes nothing of theirs.\n"
        "The gateway must be running, because it knows the models.\n\n"
        "Examples:\n"
        "  localcode init opencode --dry-run\n"
        "  localcode init opencode\n"
        "  localcode init --url http://gpu-box:4242 opencode\n"
        "  localcode init claude");
    command->callback([options, &status] { status = init(*options); });
}

}  // namespace lc::commands
