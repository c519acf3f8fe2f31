#include "options.h"

#include <charconv>
#include <string_view>

namespace {
constexpr std::string_view parent_flag = "--die-with-parent";

/// 0 unless `text` is a positive decimal number.
int parse_pid(std::string_view text) {
    int pid = 0;
    const auto end = text.data() + text.size();
    const auto [ptr, ec] = std::from_chars(text.data(), end, pid);
    return ec == std::errc{} && ptr == end && pid > 0 ? pid : 0;
}
}  // namespace

EngineOptions parse_engine_options(const std::vector<std::string>& argv) {
    EngineOptions out;
    for (std::size_t i = 0; i < argv.size(); ++i) {
        const std::string_view arg = argv[i];
        if (i > 0 && arg == "--version") {
            out.version = true;
        } else if (i > 0 && arg.substr(0, parent_flag.size()) == parent_flag &&
                   (arg.size() == parent_flag.size() || arg[parent_flag.size()] == '=')) {
            std::string_view value;
            if (arg.size() > parent_flag.size()) {
                value = arg.substr(parent_flag.size() + 1);
            } else if (i + 1 < argv.size()) {
                value = argv[++i];
            }
            out.die_with_parent = parse_pid(value);
            if (out.die_with_parent == 0) {
                out.error = "--die-with-parent wants a process id, not '" + std::string(value) + "'";
            }
        } else {
            out.llama_args.emplace_back(arg);
        }
    }
    return out;
}

std::string refuse_model_source(const ModelSource& source) {
    if (!source.hf_repo.empty() || !source.docker_repo.empty() || !source.url.empty()) {
        return "this engine does not download models: give a local file with --model";
    }
    if (source.path.empty()) {
        return "no model: give a local file with --model";
    }
    return {};
}
