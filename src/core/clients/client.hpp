// What each coding agent needs to work with this gateway: environment, arguments and files of one run. The user's own
// configuration is never touched by a run; `init` is what writes one (opencode.hpp).
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace lc::clients {

enum class Client : std::uint8_t { opencode, claude, codex, qwen, cline, cn, aider };

/// "opencode", "claude", ... Each is the name of the program, too.
[[nodiscard]] std::span<const std::string_view> client_names();
[[nodiscard]] std::string_view name_of(Client client);
/// bad_request for other names; the text names the nearest one.
[[nodiscard]] Result<Client> client_of(std::string_view name);

/// How to get the program when it is not there: one sentence.
[[nodiscard]] std::string_view how_to_install(Client client);

struct Model {
    std::string id;
    std::int64_t context = 0, output = 0;  ///< in tokens; 0: unknown
    std::int64_t bytes = 0;                ///< of its files; 0: unknown
    std::vector<std::string> aliases;
    bool local = false, chat = true, tools = true, vision = false, reasoning = false;
    bool operator==(const Model&) const = default;
};

struct Setup {
    std::string url;  ///< of the gateway, without /v1
    std::string key;  ///< what clients must send; empty: none is needed
    std::vector<Model> models;
    std::string main, small;  ///< ids
    std::string plugin;       ///< absolute path of the OpenCode plugin; empty: there is none
    std::string previous;     ///< opencode: OPENCODE_CONFIG_CONTENT as it stands in the environment
    std::string scratch;      ///< absolute path of the folder that the files of this run are put into
};

/// Pure. From the body of GET /v1/models. Models that cannot chat are left out. upstream_error when it is no such list.
[[nodiscard]] Result<std::vector<Model>> models_of(std::string_view body);

/// Pure. `main`: the gateway's default when it can chat, else the first that can. `small`: the one with the name or
/// alias "small"; else the smallest local one of less than half of main's size; else main.
void choose_models(Setup& setup, std::string_view default_model);

[[nodiscard]] const Model* find(const Setup& setup, std::string_view id);

/// Tokens of an answer: as configured, else the smaller of 2,048 and an eighth of the context.
[[nodiscard]] std::int64_t output_limit(const Model& model);

struct File {
    std::string name, content;  ///< name: below `Setup::scratch`
    bool operator==(const File&) const = default;
};

struct Launch {
    std::vector<std::pair<std::string, std::string>> env;
    std::vector<std::string> args;  ///< they come before the user's
    std::vector<File> files;
};

/// Pure. Errors: bad_request when what stands in the environment cannot be merged with (opencode).
[[nodiscard]] Result<Launch> launch(Client client, const Setup& setup);

}  // namespace lc::clients
