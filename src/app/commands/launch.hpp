// `launch` and `init`: coding agents that work with this gateway.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace lc::commands {

/// The words after `launch`, taken apart.
struct LaunchWords {
    std::vector<std::string> ours;    ///< options and CLIENT, for the parser
    std::vector<std::string> serve;   ///< those of them that `serve` gets when a gateway has to be started
    std::vector<std::string> theirs;  ///< the client's arguments
};

/// Pure. Options before CLIENT are ours; directly after it only --port and --stop-after are, and "--" ends them. From
/// the first other word on everything is the client's. `takes_value`: whether an option ("--port", "-p") has a value in
/// the next word.
[[nodiscard]] LaunchWords split_launch(const std::vector<std::string>& words,
                                       const std::function<bool(std::string_view)>& takes_value);

/// Adds `launch`. `words` is filled by `run` before the callback is called.
CLI::App* add_launch(CLI::App& app, int& status, LaunchWords& words);
void add_init(CLI::App& app, int& status);

}  // namespace lc::commands
