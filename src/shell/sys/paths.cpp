#include "shell/sys/paths.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "shell/sys/fd.hpp"

namespace lc::sys {

namespace fs = std::filesystem;

Env process_env() {
    return [](std::string_view name) -> std::optional<std::string> {
        // Nothing of ours calls setenv, so reading is safe from any thread.
        const char* value = std::getenv(std::string(name).c_str());  // NOLINT(concurrency-mt-unsafe)
        if (value == nullptr || *value == '\0') return std::nullopt;
        return std::string(value);
    };
}

namespace {

std::string absolute(const std::string& path) {
    std::error_code ec;
    const auto full = fs::absolute(path, ec);
    return ec ? path : full.lexically_normal().string();
}

/// XDG: a relative value is to be ignored.
std::optional<std::string> xdg(const Env& env, std::string_view name) {
    auto value = env(name);
    if (value && value->front() != '/') return std::nullopt;
    return value;
}

}  // namespace

Result<Paths> paths_from(const Env& env, unsigned uid, const PathOptions& options) {
    Paths out;
    const auto home = env("HOME");
    const auto below = [&](std::string_view variable, std::string_view in_home) -> Result<std::string> {
        if (const auto value = xdg(env, variable)) return *value + "/localcode";
        if (home && home->front() == '/') return *home + "/" + std::string(in_home) + "/localcode";
        return fail(Errc::bad_request, "neither HOME nor " + std::string(variable) + " is set to an absolute path");
    };
    if (!options.state_dir.empty()) {
        out.state_dir = absolute(options.state_dir);
    } else if (const auto value = env("LOCALCODE_STATE_DIR")) {
        out.state_dir = absolute(*value);
    } else {
        auto path = below("XDG_STATE_HOME", ".local/state");
        if (!path) return tl::unexpected(path.error());
        out.state_dir = *path;
    }
    if (const auto value = env("LOCALCODE_CACHE_DIR")) {
        out.cache_dir = absolute(*value);
    } else {
        auto path = below("XDG_CACHE_HOME", ".cache");
        // No home, but a state dir was given: a service. The cache may live there too.
        out.cache_dir = path ? *path : out.state_dir + "/cache";
    }
    if (!options.config_file.empty()) {
        out.config_file = absolute(options.config_file);
        out.config_given = true;
    } else if (const auto file = env("LOCALCODE_CONFIG")) {
        out.config_file = absolute(*file);
        out.config_given = true;
    } else if (auto path = below("XDG_CONFIG_HOME", ".config")) {
        out.config_file = *path + "/config.toml";
    }
    out.runtime_fallback = "/tmp/localcode-" + std::to_string(uid);
    const auto runtime = xdg(env, "XDG_RUNTIME_DIR");
    out.runtime_dir = runtime ? *runtime + "/localcode" : out.runtime_fallback;
    return out;
}

Result<void> ensure_private_dir(const std::string& path, Symlink symlink) {
    const fs::path parent = fs::path(path).parent_path();
    std::error_code ec;
    if (!parent.empty() && !fs::exists(parent, ec)) {
        // XDG: folders that have to be made get mode 0700.
        if (auto made = ensure_private_dir(parent.string(), Symlink::follow); !made) return made;
    }
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(Errc::internal, "cannot make the folder " + path + ": " + errno_text(errno));
    }
    const int no_follow = symlink == Symlink::refuse ? O_NOFOLLOW : 0;
    auto fd = open_cloexec(path, O_RDONLY | O_DIRECTORY | no_follow);
    if (!fd) return fail(Errc::internal, path + " is not a folder that can be used: " + fd.error().detail);
    struct stat info {};
    if (::fstat(fd->get(), &info) != 0) return fail(Errc::internal, "cannot stat " + path + ": " + errno_text(errno));
    if (info.st_uid != ::geteuid()) {
        return fail(Errc::internal, path + " belongs to user " + std::to_string(info.st_uid) + ", not to us (" +
                                        std::to_string(::geteuid()) + "); it will not be used");
    }
    if ((info.st_mode & 0077) != 0 && ::fchmod(fd->get(), 0700) != 0) {
        return fail(Errc::internal, "cannot close " + path + " to other users: " + errno_text(errno));
    }
    return {};
}

Result<Paths> prepare(Paths paths) {
    if (auto made = ensure_private_dir(paths.state_dir, Symlink::follow); !made) return tl::unexpected(made.error());
    auto runtime = Result<void>{};
    std::error_code ec;
    // The login's runtime folder is made by the system: one that is missing is not made by us.
    if (paths.runtime_dir != paths.runtime_fallback &&
        !fs::is_directory(fs::path(paths.runtime_dir).parent_path(), ec)) {
        runtime = fail(Errc::internal, "XDG_RUNTIME_DIR does not exist");
    } else {
        runtime = ensure_private_dir(paths.runtime_dir, Symlink::refuse);
    }
    if (!runtime && paths.runtime_dir != paths.runtime_fallback) {
        paths.runtime_dir = paths.runtime_fallback;
        runtime = ensure_private_dir(paths.runtime_dir, Symlink::refuse);
    }
    if (!runtime) return tl::unexpected(runtime.error());
    return paths;
}

Result<std::string> executable_path() {
    std::error_code ec;
    const auto path = fs::read_symlink("/proc/self/exe", ec);
    if (ec) return fail(Errc::internal, "cannot find the own program: " + ec.message());
    return path.string();
}

std::string find_program(const Env& env, const std::string& name) {
    const auto usable = [](const std::string& path) {
        struct stat info {};
        return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
    };
    if (name.empty()) return {};
    if (name.find('/') != std::string::npos) return usable(name) ? absolute(name) : std::string();
    const std::string path = env("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        // An empty entry would mean the current folder: never run a program from there.
        if (end > begin) {
            const std::string candidate = path.substr(begin, end - begin) + "/" + name;
            if (candidate.front() == '/' && usable(candidate)) return candidate;
        }
        begin = end + 1;
    }
    return {};
}

}  // namespace lc::sys
