// What has to be read and decided before an engine can be started. Blocks on files (and a short run of the engine
// program): for the file thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/engines/engines.hpp"
#include "app/engines/program.hpp"
#include "base/error.hpp"
#include "core/config/config.hpp"
#include "core/gguf/gguf.hpp"

namespace lc::engines {

/// A model file's header, and by what it is known to be the same file still.
struct Header {
    gguf::Info info;
    std::int64_t file_bytes = 0;  ///< of all parts
    std::int64_t first_bytes = 0, modified_ns = 0;
};

/// Reads the header; `known` (may be null) is returned when the file has not changed. model_load_failed: missing, not a
/// GGUF, truncated, damaged, a part missing; the text says which and what to do.
[[nodiscard]] Result<std::shared_ptr<const Header>> read_header(const config::Model& model,
                                                                std::shared_ptr<const Header> known);

/// `ModelInfo` as far as the header and the config tell.
[[nodiscard]] ModelInfo describe_header(const config::Model& model, const Header& header);

struct TemplateChoice {
    std::string file;     ///< for --chat-template-file; empty: the model's own
    std::string content;  ///< what has to be written to `file` first; empty: it exists
    std::string note;     ///< empty: nothing to tell
    bool reasoning = false;  ///< the text knows of thinking
    std::string problem;  ///< why requests with tools cannot be served; empty: they can
};

/// Pure but for reading templates. `composed_file`: where a composed template would be written.
[[nodiscard]] Result<TemplateChoice> choose_template(const config::Model& model, const gguf::Info& info,
                                                     const std::string& templates_dir,
                                                     const std::string& composed_file);

/// The projector to load with the model; an empty path: none. Configured, or beside the model and made for it: its
/// width is the model's, or the model was fetched from a repository together with it. model_load_failed: a configured
/// one that cannot be used.
struct Projector {
    std::string file, note;
    std::int64_t bytes = 0;
    bool images = false, audio = false;  ///< what it is for
};
[[nodiscard]] Result<Projector> find_projector(const config::Model& model, const gguf::Info& info);

struct PrepareInput {
    config::Model model;
    std::string engine_program;  ///< configured for all
    std::string templates_dir;
    std::string engines_dir;  ///< `<state>/engines`
    std::string socket;
    int engines = 1, to_come = 0;
    std::shared_ptr<const Header> known;
};

struct Prepared {
    Program program;
    std::vector<std::string> args;
    std::shared_ptr<const Header> header;
    ModelInfo info;
    std::string template_problem;
};

[[nodiscard]] Result<Prepared> prepare(const PrepareInput& input);

}  // namespace lc::engines
