// How --help looks: the command's whole name in the usage line, types without decoration, one blank line between
// groups.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace lc::commands {

/// "localcode config show".
[[nodiscard]] std::string full_name(const CLI::App* app);

class HelpFormatter : public CLI::Formatter {
  public:
    std::string make_usage(const CLI::App* app, std::string name) const override;
    std::string make_group(std::string group, bool is_positional,
                           std::vector<const CLI::Option*> options) const override;
};

}  // namespace lc::commands
