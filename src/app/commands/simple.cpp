// `serve` (its options), `version`, `completions`.
#include <boost/version.hpp>
#include <iostream>
#include <memory>

#include "app/commands/cli.hpp"
#include "app/commands/options.hpp"
#include "app/commands/serve.hpp"
#include "app/version.hpp"

namespace lc::commands {

void add_serve(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("serve", "Run the gateway in the foreground");
    const auto options = std::make_shared<config::CliOptions>();
    add_serve_options(*command, *options);
    command->footer(
        "Options are stronger than the environment (LOCALCODE_HOST, LOCALCODE_PORT, LOCALCODE_ENGINE,\n"
        "LOCALCODE_LOG_LEVEL), that is stronger than the config file. With ZAI_API_KEY in the environment the\n"
        "GLM-4.7 coding API is a backend, beside local models, too.\n\n"
        "Examples:\n"
        "  localcode serve --model coder.gguf\n"
        "  localcode serve --model coder.gguf --model small.gguf --context 32768\n"
        "  localcode serve --upstream http://127.0.0.1:8080\n"
        "  localcode serve --upstream https://llm.example/v1 --upstream-key env:LLM_KEY\n"
        "  ZAI_API_KEY=... localcode serve\n"
        "  localcode serve --host 0.0.0.0 --api-key file:key.txt --model coder.gguf\n\n"
        "Clients use http://127.0.0.1:4242/v1 as their base URL.");
    command->callback([options, &status] { status = serve(*options); });
}

void add_version(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("version", "Print the version");
    const auto json = std::make_shared<bool>(false);
    add_json_option(*command, *json);
    command->callback([json, &status] {
        if (*json) {
            std::cout << R"({"name":"localcode","version":")" << version_text() << "\"}\n";
        } else {
            std::cout << "localcode " << version_text() << '\n';
        }
        status = ok;
    });
}

void add_completions(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("completions", "Print the completion script of a shell");
    const auto shell = std::make_shared<std::string>();
    command->add_option("SHELL", *shell, "The shell")
        ->type_name("{bash,zsh,fish}")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""));
    command->footer(
        "Examples:\n"
        "  localcode completions bash > ~/.local/share/bash-completion/completions/localcode\n"
        "  localcode completions zsh  > ~/.zfunc/_localcode\n"
        "  localcode completions fish > ~/.config/fish/completions/localcode.fish");
    command->callback([shell, &app, &status] {
        std::cout << completion_script(app, *shell);
        status = ok;
    });
}

}  // namespace lc::commands
