#include "options.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace {
constexpr std::string_view parent_flag = "--die-with-parent";
constexpr std::string_view kv_flag = "--kv-dir";

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
    std::size_t i = 1;
    // The value of `flag` when argv[i] is it; nullopt otherwise. Moves i on.
    const auto value_of = [&](std::string_view flag) -> std::optional<std::string> {
        const std::string_view arg = argv[i];
        if (arg.substr(0, flag.size()) != flag || (arg.size() > flag.size() && arg[flag.size()] != '=')) {
            return std::nullopt;
        }
        if (arg.size() > flag.size()) {
            return std::string(arg.substr(flag.size() + 1));
        }
        return i + 1 < argv.size() ? argv[++i] : std::string();
    };
    if (!argv.empty()) {
        out.llama_args.push_back(argv[0]);
    }
    for (; i < argv.size(); ++i) {
        if (argv[i] == "--version") {
            out.version = true;
        } else if (const auto pid = value_of(parent_flag)) {
            out.die_with_parent = parse_pid(*pid);
            if (out.die_with_parent == 0) {
                out.error = "--die-with-parent wants a process id, not '" + *pid + "'";
            }
        } else if (auto dir = value_of(kv_flag)) {
            out.kv_dir = std::move(*dir);
            if (out.kv_dir.empty()) {
                out.error = "--kv-dir wants a folder";
            }
        } else {
            out.llama_args.push_back(argv[i]);
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
