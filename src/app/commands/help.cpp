#include "app/commands/help.hpp"

#include <utility>

namespace lc::commands {

std::string full_name(const CLI::App* app) {
    std::string name = app->get_name();
    for (const CLI::App* p = app->get_parent(); p != nullptr; p = p->get_parent()) name = p->get_name() + " " + name;
    return name;
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string) const {
    std::string out = "\nUsage: " + full_name(app);
    if (!app->get_subcommands({}).empty()) return out + " COMMAND [OPTIONS]\n\n";
    out += " [OPTIONS]";
    for (const CLI::Option* option : app->get_options()) {
        if (option->get_positional()) out += " " + make_option_usage(option);
    }
    return out + "\n\n";
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
    // The library begins each group with an empty line and puts one more between them.
    std::string out = Formatter::make_group(std::move(group), is_positional, std::move(options)).substr(1);
    return is_positional ? out + "\n" : out;
}

}  // namespace lc::commands
