// Which engine program is run, where its chat templates are, and what the files of a model are called.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "shell/sys/paths.hpp"

namespace lc::engines {

struct Program {
    std::string path;
    bool ours = false;  ///< by its name; the running engine is asked as well
};

/// The configured program, and nothing else when there is one; else $LOCALCODE_ENGINE, the installed localcode-engine,
/// the one in the build tree, llama-server in PATH. The error names what was tried and how to get one.
[[nodiscard]] Result<Program> find_engine(const sys::Env& env, const std::string& own_executable,
                                          const std::string& configured);

/// The folder with llama.cpp's chat templates: configured, installed, $LOCALCODE_TEMPLATES, the one of the build;
/// empty: none.
[[nodiscard]] std::string find_templates(const sys::Env& env, const std::string& own_executable,
                                         const std::string& configured);

/// A file name for a model's name, different for different names.
[[nodiscard]] std::string file_name_of(std::string_view model);

/// Which variables an engine inherits: no keys and tokens of other services, and nothing that would change its
/// arguments.
[[nodiscard]] bool engine_inherits(std::string_view variable);

}  // namespace lc::engines
