// The manual page, made from the commands themselves like the completions; what no --help says stands here.
#include <iostream>

#include "app/commands/cli.hpp"
#include "app/commands/help.hpp"
#include "app/commands/options.hpp"
#include "app/version.hpp"

namespace lc::commands {

namespace {

constexpr std::string_view head = R"(.SH NAME
localcode \- gateway between coding agents and the models that serve them
.SH SYNOPSIS
.B localcode
.I COMMAND
.RI [ OPTIONS ]
.SH DESCRIPTION
.B localcode serve
listens on http://127.0.0.1:4242 and answers OpenAI-compatible requests. Local models are GGUF files, each served by an
engine (llama.cpp) that it starts and watches itself; remote models are served by OpenAI-compatible servers. The other
commands talk to a running gateway through its admin socket, or read what it left on disk.
.SH COMMANDS
)";

constexpr std::string_view tail = R"(.SH CONFIGURATION
Nothing has to be configured. What is given on the command line is stronger than the environment, and that is stronger
than the config file.
.B localcode config example
prints every key of the file with what it does,
.B localcode config check
tells what is wrong in one, and
.B localcode config show
what is in force.
.PP
Secrets are written env:NAME (an environment variable) or file:PATH (the first line of a file).
.SH ENVIRONMENT
.TP
.B ZAI_API_KEY
When it is set, the GLM-4.7 coding API is a backend.
.TP
.BR LOCALCODE_HOST ", " LOCALCODE_PORT ", " LOCALCODE_ENGINE ", " LOCALCODE_LOG_LEVEL
As the options of
.BR serve .
.TP
.BR LOCALCODE_CONFIG ", " LOCALCODE_STATE_DIR ", " LOCALCODE_CACHE_DIR
Where the config file, logs and databases, and downloaded models are.
.TP
.B LOCALCODE_TEMPLATES
Folder of chat templates, instead of the installed one.
.TP
.B LOCALCODE_API_KEY
The key that
.B launch
and
.B init
give to clients, instead of the first of the config file.
.TP
.B LOCALCODE_PLUGIN
Another file than the installed OpenCode plugin; off: none.
.TP
.B NO_COLOR
When it is set, nothing is coloured.
.SH FILES
.TP
.I ~/.config/localcode/config.toml
The config file.
.TP
.I ~/.local/state/localcode/
requests.db (the request log) and engines/*.log.
.TP
.I $XDG_RUNTIME_DIR/localcode/
Sockets; without XDG_RUNTIME_DIR
.IR /tmp/localcode-UID/ .
.TP
.I ~/.cache/localcode/
Downloaded models.
.SH EXIT STATUS
0: done. 1: failed. 2: wrong usage or configuration.
.SH EXAMPLES
Run OpenCode on a local model, the gateway being started when none runs:
.PP
.EX
localcode launch --model coder.gguf opencode
.EE
.PP
Serve a local model, for clients with the base URL http://127.0.0.1:4242/v1:
.PP
.EX
localcode serve --model coder.gguf
.EE
.PP
Run it as a service of yours:
.PP
.EX
systemctl --user enable --now localcode
.EE
)";

/// Text for troff: backslashes, and dots and quotes at the beginning of lines, have a meaning there.
std::string troff(std::string_view text) {
    std::string out;
    bool line_start = true;
    for (const char c : text) {
        if (line_start && (c == '.' || c == '\'')) out += "\\&";
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else {
            out += c;
        }
        line_start = c == '\n';
    }
    return out;
}

std::string option_names(const CLI::Option& option) {
    std::string out;
    const auto add = [&](const std::string& name) {
        out += (out.empty() ? "" : ", ") + ("\\fB" + troff(name) + "\\fR");
    };
    for (const std::string& name : option.get_snames()) add("-" + name);
    for (const std::string& name : option.get_lnames()) add("--" + name);
    if (option.get_items_expected_max() > 0) out += " \\fI" + troff(option.get_type_name()) + "\\fR";
    return out;
}

void describe(const CLI::App& command, std::string& out) {
    const auto subcommands = command.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
    std::string usage = troff(full_name(&command));
    for (const CLI::Option* option : command.get_options()) {
        if (option->get_positional()) usage += " \\fI" + option->get_name() + "\\fR";
    }
    if (subcommands.empty()) {
        out += ".SS " + usage + "\n" + troff(command.get_description()) + ".\n";
        for (const CLI::Option* option : command.get_options()) {
            if (option->get_positional()) {
                out += ".TP\n\\fI" + option->get_name() + "\\fR\n" + troff(option->get_description()) + ".\n";
            } else if (!option->check_lname("help")) {
                out += ".TP\n" + option_names(*option) + "\n" + troff(option->get_description()) + ".\n";
            }
        }
    }
    for (const CLI::App* sub : subcommands) describe(*sub, out);
}

}  // namespace

void add_man_page(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("man-page", "Print the manual page (troff), for packaging");
    command->group("");  // hidden
    command->callback([&app, &status] {
        std::string commands;
        for (const CLI::App* sub : app.get_subcommands([](const CLI::App* s) { return !s->get_group().empty(); })) {
            describe(*sub, commands);
        }
        std::cout << ".TH LOCALCODE 1 \"\" \"LocalCode " << version_text() << "\" \"User Commands\"\n"
                  << head << commands << tail;
        status = ok;
    });
}

}  // namespace lc::commands
