// Shell completions, made from the commands themselves so that they cannot fall behind.
#include <algorithm>

#include "app/commands/cli.hpp"
#include "app/commands/options.hpp"

namespace lc::commands {

namespace {

struct Flag {
    std::vector<std::string> names;  ///< "--port", "-p"
    std::string about, value;        ///< value: "" for flags, else its type name
    std::vector<std::string> choices;
};

struct Command {
    std::vector<std::string> path;  ///< {} for the program, {"config", "show"}
    std::string about;
    std::vector<Flag> flags;
    std::vector<std::pair<std::string, std::string>> subcommands;  ///< name, about
    std::vector<std::string> words;                                ///< choices of its positional arguments
};

std::string first_line(std::string text) {
    text.resize(std::min(text.find('\n'), text.size()));
    return text;
}

/// "{a,b,c}" in an option's type name is how CLI11 tells the allowed words.
std::vector<std::string> choices_of(const std::string& type) {
    std::vector<std::string> out;
    const auto open = type.find('{'), close = type.find('}');
    if (open == std::string::npos || close == std::string::npos) return out;
    for (std::size_t at = open + 1; at < close;) {
        const auto end = std::min(type.find(',', at), close);
        out.push_back(type.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

void collect(const CLI::App& app, std::vector<std::string> path, std::vector<Command>& out) {
    Command command{path, first_line(app.get_description()), {}, {}, {}};
    for (const CLI::Option* option : app.get_options()) {
        Flag flag;
        for (const auto& name : option->get_lnames()) flag.names.push_back("--" + name);
        for (const auto& name : option->get_snames()) flag.names.push_back("-" + name);
        flag.about = first_line(option->get_description());
        flag.value = option->get_items_expected_max() > 0 ? option->get_type_name() : "";
        flag.choices = choices_of(flag.value);
        if (flag.names.empty()) {
            command.words = flag.choices;
        } else {
            command.flags.push_back(std::move(flag));
        }
    }
    const auto subcommands = app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
    for (const CLI::App* sub : subcommands)
        command.subcommands.emplace_back(sub->get_name(), first_line(sub->get_description()));
    out.push_back(std::move(command));
    for (const CLI::App* sub : subcommands) {
        auto below = path;
        below.push_back(sub->get_name());
        collect(*sub, below, out);
    }
}

std::string join(const std::vector<std::string>& words, std::string_view between) {
    std::string out;
    for (const auto& word : words) out += (out.empty() ? "" : std::string(between)) + word;
    return out;
}

bool takes_file(const Flag& flag) {
    return flag.value.starts_with("FILE") || flag.value.starts_with("DIR");
}

std::string bash(const std::vector<Command>& commands) {
    std::string out =
        "# bash completion for localcode\n"
        "_localcode() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= word\n"
        "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
        "        case \"$path $word\" in\n";
    for (const Command& c : commands) {
        if (c.path.empty()) continue;
        const std::vector<std::string> parent(c.path.begin(), c.path.end() - 1);
        out += "            '" + join(parent, "/") + " " + c.path.back() + "') path='" + join(c.path, "/") + "' ;;\n";
    }
    out += "        esac\n    done\n    local words= files=\n    case \"$path\" in\n";
    for (const Command& c : commands) {
        out += "        '" + join(c.path, "/") + "')\n            case \"$prev\" in\n";
        for (const Flag& flag : c.flags) {
            if (flag.value.empty()) continue;
            out += "                " + join(flag.names, "|") + ") " +
                   (takes_file(flag) ? "files=1"
                                     : "words='" + join(flag.choices, " ") + "'; [ -n \"$words\" ] || return") +
                   " ;;\n";
        }
        std::vector<std::string> words;
        for (const auto& [name, about] : c.subcommands) words.push_back(name);
        for (const auto& word : c.words) words.push_back(word);
        for (const Flag& flag : c.flags) words.insert(words.end(), flag.names.begin(), flag.names.end());
        out += "                *) words='" + join(words, " ") + "' ;;\n            esac ;;\n";
    }
    return out +
           "    esac\n"
           "    if [ -n \"$files\" ]; then\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
           "    else\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
           "    fi\n"
           "}\n"
           "complete -F _localcode localcode\n";
}

/// For text inside single quotes of zsh's _arguments: its own quotes, brackets and colons would end the description.
std::string zsh_text(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
            out += c;
        }
    }
    return out;
}

std::string zsh_function(const Command& c) {
    return "_localcode" + (c.path.empty() ? "" : "_" + join(c.path, "_"));
}

std::string zsh(const std::vector<Command>& commands) {
    std::string out = "#compdef localcode\n# zsh completion for localcode\n\n";
    for (const Command& c : commands) {
        out += zsh_function(c) + "() {\n";
        if (!c.subcommands.empty()) out += "    local context state state_descr line\n    typeset -A opt_args\n";
        out += "    _arguments -s" + std::string(c.subcommands.empty() ? "" : " -C");
        for (const Flag& flag : c.flags) {
            std::string value;
            if (takes_file(flag))
                value = ":" + zsh_text(flag.value) + ":_files";
            else if (!flag.choices.empty())
                value = ":value:(" + join(flag.choices, " ") + ")";
            else if (!flag.value.empty())
                value = ":" + zsh_text(flag.value) + ": ";
            for (const auto& name : flag.names)
                out += " \\\n        '*" + name + "[" + zsh_text(flag.about) + "]" + value + "'";
        }
        if (!c.words.empty()) out += " \\\n        '1:word:(" + join(c.words, " ") + ")'";
        if (c.subcommands.empty()) {
            out += "\n}\n\n";
            continue;
        }
        out +=
            " \\\n        '1: :->command' \\\n        '*:: :->rest'\n    case $state in\n        command)\n            "
            "local -a commands=(";
        for (const auto& [name, about] : c.subcommands)
            out += "\n                '" + name + ":" + zsh_text(about) + "'";
        out +=
            "\n            )\n            _describe command commands ;;\n        rest)\n            case $line[1] in\n";
        for (const auto& [name, about] : c.subcommands) {
            out += "                " + name + ") " + zsh_function(c) + "_" + name + " ;;\n";
        }
        out += "            esac ;;\n    esac\n}\n\n";
    }
    // From $fpath this file is the body of _localcode itself, at its first call; sourced, it only declares.
    return out +
           "if [ \"$funcstack[1]\" = _localcode ]; then\n"
           "    _localcode \"$@\"\n"
           "else\n"
           "    compdef _localcode localcode\n"
           "fi\n";
}

std::string fish_text(const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + "'";
}

std::string fish(const std::vector<Command>& commands) {
    std::string out = "# fish completion for localcode\ncomplete -c localcode -f\n";
    for (const Command& c : commands) {
        std::vector<std::string> names;
        for (const auto& [name, about] : c.subcommands) names.push_back(name);
        std::string condition =
            c.path.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + c.path.back();
        if (c.path.size() == 2) condition = "__fish_seen_subcommand_from " + c.path[0] + "; and " + condition;
        const std::string at = "complete -c localcode -n " + fish_text(condition);
        const std::string before_sub =
            names.empty() || c.path.empty()
                ? at
                : "complete -c localcode -n " +
                      fish_text(condition + "; and not __fish_seen_subcommand_from " + join(names, " "));
        for (const auto& [name, about] : c.subcommands)
            out += before_sub + " -a " + name + " -d " + fish_text(about) + "\n";
        for (const auto& word : c.words) out += at + " -a " + word + "\n";
        for (const Flag& flag : c.flags) {
            out += at;
            for (const auto& name : flag.names)
                out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
            if (takes_file(flag))
                out += " -r -F";
            else if (!flag.choices.empty())
                out += " -x -a " + fish_text(join(flag.choices, " "));
            else if (!flag.value.empty())
                out += " -x";
            out += " -d " + fish_text(flag.about) + "\n";
        }
    }
    return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, std::string_view shell) {
    std::vector<Command> commands;
    collect(app, {}, commands);
    if (shell == "bash") return bash(commands);
    if (shell == "zsh") return zsh(commands);
    if (shell == "fish") return fish(commands);
    return {};
}

}  // namespace lc::commands
