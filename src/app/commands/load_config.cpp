#include "app/commands/load_config.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "app/secrets.hpp"
#include "shell/sys/fd.hpp"

namespace lc::commands {

namespace {

constexpr std::size_t max_config_bytes = 4 << 20;

/// File names of the command line are relative to where the command was typed.
config::CliOptions absolute(config::CliOptions options) {
    const auto fix = [](std::string& path, bool only_with_slash) {
        if (path.empty() || (only_with_slash && path.find('/') == std::string::npos)) return;
        std::error_code ignored;  // without a working directory the name stays as it was typed
        if (auto full = std::filesystem::absolute(path, ignored); !full.empty()) path = full;
    };
    for (std::string& path : options.models) fix(path, false);
    if (options.unix_socket) fix(*options.unix_socket, false);
    if (options.engine) fix(*options.engine, true);
    if (options.chat_template) fix(*options.chat_template, true);
    return options;
}

bool written_out(const config::Secret& secret) {
    return !secret.empty() && !secret.spec.starts_with("env:") && !secret.spec.starts_with("file:");
}

void warn_of_open_secrets(const config::Config& config, const std::string& file) {
    bool any = written_out(config.auth.admin_key);
    for (const auto& key : config.auth.keys) any = any || written_out(key.key);
    for (const auto& backend : config.backends) any = any || written_out(backend.key);
    struct stat info {};
    if (any && ::stat(file.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
        warn_on_stderr("others can read the keys in " + file + "; run: chmod 600 " + file);
    }
}

Error listed(const std::string& text, std::size_t count) {
    return {Errc::bad_request,
            (count == 1 ? "the configuration has a problem:\n" : "the configuration has problems:\n") +
                text.substr(0, text.find_last_not_of('\n') + 1)};
}

}  // namespace

config::Environment read_environment() {
    config::Environment out;
    for (const std::string_view name : config::environment_names()) {
        if (const char* value = std::getenv(std::string(name).c_str())) out.emplace(name, value);
    }
    return out;
}

Result<ReadFile> read_config_file(const config::CliOptions& options) {
    ReadFile out;
    auto paths = sys::paths_from(sys::process_env(), ::getuid(), {options.state_dir, options.config_file});
    if (!paths) return tl::unexpected(paths.error());
    out.paths = std::move(*paths);
    if (out.paths.config_file.empty()) return out;  // no home folder: nothing to read
    auto text = sys::read_file(out.paths.config_file, max_config_bytes);
    if (text && text->size() >= max_config_bytes) {
        return fail(Errc::bad_request, out.paths.config_file + " is too large for a config file");
    }
    if (text) {
        out.found = true;
        out.parsed = config::parse(*text);
    } else if (text.error().code != Errc::not_found || out.paths.config_given) {
        return fail(Errc::bad_request, "the config file cannot be read: " + text.error().detail);
    }
    return out;
}

Result<Loaded> load_config(const config::CliOptions& options) {
    auto file = read_config_file(options);
    if (!file) return tl::unexpected(file.error());
    const std::string& name = file->paths.config_file;
    if (!file->parsed.problems.empty()) {
        return tl::unexpected(listed(config::describe(name, file->parsed.problems), file->parsed.problems.size()));
    }
    if (file->found) warn_of_open_secrets(file->parsed.config, name);

    std::error_code ignored;
    const auto folder = std::filesystem::absolute(name, ignored).parent_path();
    const char* home = std::getenv("HOME");
    auto anchored = config::anchored(std::move(file->parsed.config), folder.string(), home != nullptr ? home : "");
    auto overlaid = config::overlay(std::move(anchored), absolute(options), read_environment());
    auto problems = std::move(overlaid.problems);
    for (auto& problem : config::validate(overlaid.config)) problems.push_back(std::move(problem));
    if (!problems.empty()) {
        std::string text;
        for (const auto& problem : problems) text += "  " + problem.message + "\n";
        return tl::unexpected(listed(text, problems.size()));
    }
    return Loaded{std::move(overlaid.config), std::move(file->paths), file->found};
}

}  // namespace lc::commands
