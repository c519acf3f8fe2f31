#include "app/commands/options.hpp"

namespace lc::commands {

namespace {

/// An option for a value that may be absent.
template <class T>
CLI::Option* optional_option(CLI::App& command, const std::string& name, std::optional<T>& to, const std::string& text,
                             const std::string& type) {
    return command
        .add_option_function<T>(
            name, [&to](const T& value) { to = value; }, text)
        ->type_name(type);
}

}  // namespace

void add_config_option(CLI::App& command, config::CliOptions& options) {
    command.add_option("--config", options.config_file, "Config file instead of ~/.config/localcode/config.toml")
        ->type_name("FILE")
        ->group(files_group);
}

void add_state_option(CLI::App& command, config::CliOptions& options) {
    command
        .add_option("--state-dir", options.state_dir,
                    "Folder of logs and databases instead of ~/.local/state/localcode")
        ->type_name("DIR")
        ->group(files_group);
}

void add_json_option(CLI::App& command, bool& json) {
    command.add_flag("--json", json, "Print JSON, for programs");
}

void add_place_options(CLI::App& command, config::CliOptions& options) {
    optional_option(command, "-p,--port", options.port, "Port of the gateway that is meant (default: 4242)", "N")
        ->check(CLI::Range(0, 65535).description(""));
    add_config_option(command, options);
}

void add_serve_options(CLI::App& command, config::CliOptions& o) {
    command.add_option("-m,--model", o.models, "A local model; repeat for more, the first is the default one")
        ->type_name("FILE.gguf")
        ->expected(1)
        ->take_all()
        ->group(models_group);
    command.add_option("--hf", o.hf, "A local model from Hugging Face")
        ->type_name("ORG/REPO:QUANT")
        ->expected(1)
        ->take_all()
        ->group(models_group);
    optional_option(command, "--upstream", o.upstream, "An OpenAI-compatible server (a URL without a path gets /v1)",
                    "URL")
        ->group(models_group);
    optional_option(command, "--upstream-key", o.upstream_key, "Its key: env:NAME or file:PATH", "SECRET")
        ->group(models_group);
    command.add_option("--upstream-model", o.upstream_models, "A model it serves; without any it is asked")
        ->type_name("NAME")
        ->expected(1)
        ->take_all()
        ->group(models_group);
    optional_option(command, "--default-model", o.default_model, "Model of requests that name none", "NAME")
        ->group(models_group);
    optional_option(command, "--context", o.context, "Tokens per slot (default: as trained, at least 16,384)", "N")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 26).description(""))
        ->group(models_group);
    optional_option(command, "--slots", o.slots, "Requests a local model answers at the same time (default: 2)", "N")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{256}).description(""))
        ->group(models_group);
    optional_option(command, "--chat-template", o.chat_template, "Jinja template: a file, or a name llama.cpp ships",
                    "FILE")
        ->group(models_group);
    optional_option(command, "--engine", o.engine, "Engine program, for instance a stock llama-server", "FILE")
        ->group(models_group);
    command.add_flag("--preload", o.preload, "Start the local models at once, not with their first request")
        ->group(models_group);

    optional_option(command, "--host", o.host, "Address to listen on (default: 127.0.0.1)", "ADDRESS")
        ->group(listening_group);
    optional_option(command, "-p,--port", o.port, "TCP port (default: 4242)", "N")
        ->check(CLI::Range(0, 65535).description(""))
        ->group(listening_group);
    optional_option(command, "--unix-socket", o.unix_socket, "A further listener for clients", "FILE")
        ->group(listening_group);
    optional_option(command, "--api-key", o.api_key, "Key that clients must send: env:NAME or file:PATH", "SECRET")
        ->group(listening_group);

    add_config_option(command, o);
    add_state_option(command, o);

    optional_option(command, "--log-level", o.log_level, "What to print (default: info)", "{error,warn,info,debug}")
        ->check(CLI::IsMember({"error", "warn", "info", "debug"}).description(""))
        ->group(logging_group);
    optional_option(command, "--log-format", o.log_format, "For people or programs (default: text)", "{text,json}")
        ->check(CLI::IsMember({"text", "json"}).description(""))
        ->group(logging_group);
    command.add_flag("-q,--quiet", o.quiet, "Do not print requests and answers")->group(logging_group);
}

}  // namespace lc::commands
