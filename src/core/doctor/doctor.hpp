// What is wrong with a set-up, and what mends it: decided from facts that the shell has gathered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lc::doctor {

enum class Level : std::uint8_t { ok, note, warning, broken };
[[nodiscard]] std::string_view name_of(Level level);

struct Finding {
    Level level = Level::ok;
    std::string check;    ///< "engine", "port", ...
    std::string text;     ///< what is so
    std::string command;  ///< what mends it; empty: nothing to do, or no command does
    bool operator==(const Finding&) const = default;
};

struct Engine {
    std::string path;                  ///< empty: none was found
    std::string error;                 ///< why there is none
    int status = 0;                    ///< of `--version`
    int signal = 0;                    ///< that ended it; 0: none
    std::string version;               ///< first line
    std::vector<std::string> devices;  ///< GPUs that it can use, in its own words
    bool ours = false;
};

struct Gpu {
    std::string name;    ///< "NVIDIA H100", "AMD GPU", "GPU of /dev/dri/renderD128"
    std::string kind;    ///< cuda | hip | vulkan
    std::string device;  ///< file; empty: none is needed
    bool can_open = true;
};

struct Model {
    std::string name;
    std::string path, hf;
    bool here = true;   ///< false: named by hf, not downloaded yet
    std::string error;  ///< why its file cannot be used; empty: it can
    std::int64_t bytes = 0, context = 0;
};

struct Backend {
    std::string name, url;
    std::string key_error;  ///< why its key cannot be read
    std::string error;      ///< why it did not answer; empty: it did, or was not asked
};

enum class Port : std::uint8_t { free, localcode, other, unknown };

struct Folder {
    std::string what, path;        ///< "state", "downloads", "sockets"
    std::string error;             ///< why it cannot be used
    std::int64_t free_bytes = -1;  ///< -1: unknown
};

/// opencode.json[c], where there is one.
struct OpenCode {
    std::string program;  ///< empty: not installed
    std::string file;     ///< empty: none
    std::string error;    ///< why it cannot be read
    bool has_provider = false;
    std::string base_url;
    bool timeouts_off = true;
    /// Models whose context differs from the gateway's: "coder: 8192, not 32768".
    std::vector<std::string> wrong_contexts;
};

struct Facts {
    std::string config_file;
    bool config_found = false;
    std::string config_error;          ///< every problem, with line and column
    std::string nothing_to_serve;      ///< why; empty: there is something
    std::vector<std::string> secrets;  ///< that cannot be read: "auth key 'a': ..."
    std::optional<Engine> engine;      ///< absent: no local model, none is needed
    std::vector<std::string> cpu_flags;
    bool x86 = true;
    int cores = 1;
    std::vector<Gpu> gpus;
    std::int64_t memory = 0;      ///< bytes that can be taken; 0: unknown
    std::int64_t gpu_memory = 0;  ///< free on the GPUs that the engine can use; 0: unknown or none
    std::vector<Model> models;
    std::vector<Backend> backends;
    Port port = Port::unknown;
    int port_number = 0;
    std::string port_error;
    std::vector<Folder> folders;
    std::int64_t now = 0, program_made = 0;  ///< seconds since 1970
    OpenCode opencode;
    std::string url;  ///< of the gateway
};

/// Pure. In the order in which things are best mended.
[[nodiscard]] std::vector<Finding> examine(const Facts& facts);

/// 0: nothing is broken; 1: something is.
[[nodiscard]] int exit_status(const std::vector<Finding>& findings);

}  // namespace lc::doctor
