// Where state, cache, sockets and configuration live (XDG base directories; INTERFACES: "Where things live").
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace lc::sys {

/// Looks a variable up; an empty value counts as unset, as the XDG specification says.
using Env = std::function<std::optional<std::string>(std::string_view name)>;
[[nodiscard]] Env process_env();

struct PathOptions {
    std::string state_dir;    ///< --state-dir; empty: not given
    std::string config_file;  ///< --config; empty: not given
};

struct Paths {
    std::string state_dir, cache_dir, runtime_dir, config_file;
    bool config_given = false;     ///< named by option or environment: then it must exist
    std::string runtime_fallback;  ///< used when runtime_dir cannot be; equal to it when there is no other
};

/// Pure but for what `env` does. Errors: bad_request when no home directory is known and one is needed.
[[nodiscard]] Result<Paths> paths_from(const Env& env, unsigned uid, const PathOptions& options = {});

enum class Symlink : bool { refuse, follow };

/// Makes `path` (and its parents) a folder of ours with mode 0700, or says why it is not: another owner, a symlink, not
/// a folder. A folder of ours that others can enter is closed to them.
[[nodiscard]] Result<void> ensure_private_dir(const std::string& path, Symlink symlink);

/// Makes state (symlink allowed: people move it to another disk) and runtime dir; replaces `runtime_dir` by its
/// fallback when XDG_RUNTIME_DIR is another user's or gone.
[[nodiscard]] Result<Paths> prepare(Paths paths);

/// Absolute path of the running program.
[[nodiscard]] Result<std::string> executable_path();

/// `name` in PATH as `env` gives it (or `name` itself when it has a slash and can be executed); empty: not found.
[[nodiscard]] std::string find_program(const Env& env, const std::string& name);

}  // namespace lc::sys
