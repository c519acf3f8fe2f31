#include "app/engines/program.hpp"

#include <filesystem>
#include <vector>

#include "base/sha256.hpp"

#ifndef LOCALCODE_TEMPLATES_DIR
#define LOCALCODE_TEMPLATES_DIR ""
#endif

namespace lc::engines {

namespace fs = std::filesystem;

namespace {

std::string beside(const std::string& executable, const char* relative) {
    return (fs::path(executable).parent_path() / relative).lexically_normal().string();
}

}  // namespace

Result<Program> find_engine(const sys::Env& env, const std::string& own_executable, const std::string& configured) {
    const auto found = [](std::string path) {
        const bool ours = fs::path(path).filename().string().starts_with("localcode-engine");
        return Program{std::move(path), ours};
    };
    if (!configured.empty()) {
        auto path = sys::find_program(env, configured);
        if (path.empty()) {
            return fail(Errc::model_load_failed, "the configured engine program '" + configured +
                                                     "' is not an executable file; correct `engine`, or leave it out");
        }
        return found(std::move(path));
    }
    if (const auto variable = env("LOCALCODE_ENGINE")) {
        auto path = sys::find_program(env, *variable);
        if (path.empty()) {
            return fail(Errc::model_load_failed,
                        "LOCALCODE_ENGINE names '" + *variable + "', which is not an executable file");
        }
        return found(std::move(path));
    }
    std::string tried;
    for (const char* relative : {"../libexec/localcode/localcode-engine", "localcode-engine", "engine/localcode-engine",
                                 "../engine/localcode-engine"}) {
        const std::string candidate = beside(own_executable, relative);
        if (auto path = sys::find_program(env, candidate); !path.empty()) return found(std::move(path));
        tried += candidate + ", ";
    }
    if (auto path = sys::find_program(env, "llama-server"); !path.empty()) return found(std::move(path));
    return fail(Errc::model_load_failed,
                "no engine program was found (tried LOCALCODE_ENGINE, " + tried +
                    "llama-server in PATH); build one with `make`, or set `engine` to the path of a llama-server");
}

std::string find_templates(const sys::Env& env, const std::string& own_executable, const std::string& configured) {
    std::vector<std::string> candidates = {configured, beside(own_executable, "../share/localcode/templates"),
                                           env("LOCALCODE_TEMPLATES").value_or(""), LOCALCODE_TEMPLATES_DIR};
    for (auto& folder : candidates) {
        std::error_code ec;
        if (!folder.empty() && fs::is_directory(folder, ec)) return folder;
    }
    return {};
}

std::string file_name_of(std::string_view model) {
    std::string out;
    for (const char c : model) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '_' || c == '.';
        out.push_back(plain && !(c == '.' && out.empty()) ? c : '_');
    }
    // A name that had to be changed or cut gets a mark of its own, so that "a/b" and "a_b" stay apart.
    if (out != model || out.size() > 100 || out.empty()) {
        out.resize(std::min<std::size_t>(out.size(), 100));
        out += "-" + hex(sha256(model)).substr(0, 8);
    }
    return out;
}

bool engine_inherits(std::string_view name) {
    if (name.starts_with("LLAMA_ARG_") || name == "LLAMA_API_KEY") return false;
    for (const std::string_view end : {"_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_CREDENTIALS"}) {
        if (name.ends_with(end)) return false;
    }
    return true;
}

}  // namespace lc::engines
