#include "app/commands/launch.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>

#include "app/commands/admin_client.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/options.hpp"
#include "app/commands/reach.hpp"
#include "shell/process/detached.hpp"
#include "shell/sys/fd.hpp"

extern char** environ;

namespace lc::commands {

namespace {

namespace fs = std::filesystem;

struct Options {
    config::CliOptions cli;
    std::string client, url;
    bool stop_after = false;
};

/// Our environment with the client's variables in it.
std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
    std::vector<std::string> out;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const auto name = text.substr(0, text.find('='));
        const bool replaced = std::any_of(more.begin(), more.end(), [&](const auto& m) { return m.first == name; });
        if (!replaced) out.emplace_back(text);
    }
    for (const auto& [name, value] : more) out.push_back(name + "=" + value);
    return out;
}

Result<void> write_files(const std::string& folder, const std::vector<clients::File>& files) {
    for (const auto& file : files) {
        const auto path = fs::path(folder) / file.name;
        if (auto made = sys::ensure_private_dir(path.parent_path().string(), sys::Symlink::refuse); !made) return made;
        if (auto written = sys::replace_file(path.string(), file.content); !written) return written;
    }
    return {};
}

struct Ready {
    std::string program;
    clients::Launch launch;
};

Result<Ready> make_ready(clients::Client client, const Reach& reach) {
    Ready out;
    const std::string name(clients::name_of(client));
    out.program = sys::find_program(sys::process_env(), name);
    if (out.program.empty()) {
        return fail(Errc::not_found, "there is no program '" + name +
                                         "' in PATH; install it with: " + std::string(clients::how_to_install(client)));
    }
    auto setup = setup_of(reach);
    if (!setup) return tl::unexpected(setup.error());
    auto folder = client_folder(reach, name);
    if (!folder) return tl::unexpected(folder.error());
    setup->scratch = *folder;
    if (client == clients::Client::opencode) {
        setup->plugin = find_plugin();
        if (const auto previous = sys::process_env()("OPENCODE_CONFIG_CONTENT")) setup->previous = *previous;
    }
    auto launch = clients::launch(client, *setup);
    if (!launch) return tl::unexpected(launch.error());
    out.launch = std::move(*launch);
    if (auto written = write_files(*folder, out.launch.files); !written) return tl::unexpected(written.error());
    return out;
}

int stop_gateway(const Options& options) {
    const auto place = find_place(options.cli);
    if (!place) return complain("launch", place.error());
    if (const auto answer = ask(*place, "POST", "shutdown"); !answer) return complain("launch", answer.error());
    return ok;
}

int launch(const Options& options, const LaunchWords& words) {
    const auto client = clients::client_of(options.client);
    if (!client) return complain("launch", client.error());
    auto reach = find_gateway(options.cli, options.url);
    if (!reach) return complain("launch", reach.error());
    bool started = false;
    if (!reach->running) {
        if (!options.url.empty()) return complain("launch", {Errc::not_found, "no gateway answers at " + reach->url});
        // Before a gateway is started for nothing.
        if (sys::find_program(sys::process_env(), options.client).empty()) {
            return complain("launch", make_ready(*client, *reach).error());
        }
        if (auto ok_ = start_gateway(*reach, words.serve); !ok_) return complain("launch", ok_.error());
        started = true;
    } else if (!options.cli.models.empty() || !options.cli.hf.empty() || options.cli.upstream) {
        std::cerr << "localcode launch: a gateway is running on port " << reach->port
                  << " already; its models are used, not those of this command line\n";
    }
    int result = failed;
    auto ready = make_ready(*client, *reach);
    if (!ready) {
        result = complain("launch", ready.error());
    } else {
        auto args = ready->launch.args;
        args.insert(args.end(), words.theirs.begin(), words.theirs.end());
        const auto env = environment_with(ready->launch.env);
        if (!options.stop_after || !started) return complain("launch", process::become(ready->program, args, env));
        const auto status = process::run_in_foreground(ready->program, args, env);
        result = status ? *status : complain("launch", status.error());
    }
    if (options.stop_after && started && stop_gateway(options) != ok) return failed;
    return result;
}

}  // namespace

LaunchWords split_launch(const std::vector<std::string>& words,
                         const std::function<bool(std::string_view)>& takes_value) {
    LaunchWords out;
    std::size_t i = 0;
    const auto is_ours_alone = [](std::string_view word) {
        return word == "--stop-after" || word == "--url" || word.starts_with("--url=");
    };
    const auto take = [&] {
        const bool pair = words[i].find('=') == std::string::npos && takes_value(words[i]) && i + 1 < words.size();
        for (std::size_t n = pair ? 2 : 1; n > 0; --n, ++i) {
            out.ours.push_back(words[i]);
            const auto& option = pair && n == 1 ? words[i - 1] : words[i];
            if (!is_ours_alone(option)) out.serve.push_back(words[i]);
        }
    };
    while (i < words.size() && words[i].starts_with("-")) take();
    if (i < words.size()) out.ours.push_back(words[i++]);  // CLIENT
    while (i < words.size() && (words[i] == "--port" || words[i].starts_with("--port=") || words[i] == "--stop-after"))
        take();
    if (i < words.size() && words[i] == "--") ++i;
    out.theirs.assign(words.begin() + static_cast<std::ptrdiff_t>(std::min(i, words.size())), words.end());
    return out;
}

CLI::App* add_launch(CLI::App& app, int& status, LaunchWords& words) {
    auto* command = app.add_subcommand("launch", "Run a coding agent on this gateway");
    const auto options = std::make_shared<Options>();
    command->add_option("CLIENT", options->client, "The agent")
        ->type_name("{opencode,claude,codex,qwen,cline,cn,aider}")
        ->required();
    command->add_flag("--stop-after", options->stop_after, "Stop the gateway again, if this started it");
    command->add_option("--url", options->url, "A gateway on another machine")->type_name("URL");
    add_serve_options(*command, options->cli);
    command->footer(
        "Options stand before CLIENT; directly after it only --port and --stop-after are LocalCode's, all else is the\n"
        "agent's (-- ends ours). A gateway is started in the background when none runs on the port, with the options\n"
        "of `localcode serve` given here. The agent gets its settings for this run only: its own files stay as they "
        "are.\n"
        "Where the gateway wants a key: the first of the config file, or LOCALCODE_API_KEY.\n\n"
        "Examples:\n"
        "  localcode launch opencode\n"
        "  localcode launch --model coder.gguf opencode\n"
        "  localcode launch opencode --port 4243 run \"What does main.c do?\"\n"
        "  localcode launch claude --stop-after -- -p \"Fix the tests\"\n"
        "  localcode launch --url http://gpu-box:4242 codex");
    command->callback([options, &status, &words] { status = launch(*options, words); });
    return command;
}

}  // namespace lc::commands
