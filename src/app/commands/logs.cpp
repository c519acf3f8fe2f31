// `logs`: what the engines print. Read from their log files, so that it works after a crash, too; a running gateway
// only tells where they are.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <thread>

#include "app/commands/admin_client.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/json_view.hpp"
#include "app/commands/load_config.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"
#include "base/text.hpp"
#include "shell/sys/fd.hpp"

namespace lc::commands {

namespace {

namespace fs = std::filesystem;

struct Options {
    config::CliOptions cli;
    std::string engine;
    bool follow = false, json = false;
    std::int64_t lines = 100;
};

/// A log that is read on as it grows. The writer rotates by renaming, so the name may mean another file later.
struct Tail {
    std::string name, path;
    sys::UniqueFd fd;
    ino_t inode = 0;
    off_t at = 0;
    std::string partial;  ///< a line whose end has not come yet
};

/// Opens the file that the name means now. False: it is not there, or still the same.
bool open_if_new(Tail& tail) {
    struct stat info {};
    if (::stat(tail.path.c_str(), &info) != 0) return false;
    if (tail.fd && info.st_ino == tail.inode) return false;
    auto fd = sys::open_cloexec(tail.path, O_RDONLY);
    if (!fd || ::fstat(fd->get(), &info) != 0) return false;
    tail.fd = std::move(*fd);
    tail.inode = info.st_ino;
    tail.at = 0;
    return true;
}

std::string read_on(Tail& tail) {
    std::string out;
    char buffer[65536];
    struct stat info {};
    if (::fstat(tail.fd.get(), &info) == 0 && info.st_size < tail.at) tail.at = 0;  // cut short by its writer
    for (ssize_t n = 0; (n = ::pread(tail.fd.get(), buffer, sizeof buffer, tail.at)) > 0; tail.at += n) {
        out.append(buffer, static_cast<std::size_t>(n));
    }
    return out;
}

/// Sets the position so that the last `lines` lines are read next.
void seek_to_last_lines(Tail& tail, std::int64_t lines) {
    struct stat info {};
    if (::fstat(tail.fd.get(), &info) != 0) return;
    char block[8192];
    off_t at = info.st_size;
    std::int64_t seen = 0;
    while (at > 0) {
        const auto size = std::min<off_t>(sizeof block, at);
        if (::pread(tail.fd.get(), block, static_cast<std::size_t>(size), at - size) != size) break;
        for (off_t i = size; i > 0; --i) {
            // The very last line end does not begin another line.
            if (block[i - 1] != '\n' || at - size + i == info.st_size) continue;
            if (++seen == lines) {
                tail.at = at - size + i;
                return;
            }
        }
        at -= size;
    }
    tail.at = 0;
}

/// Prints whole lines. With several engines each line carries its engine's name.
void print(Tail& tail, const std::string& text, bool with_name, bool as_json) {
    tail.partial += text;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = tail.partial.find('\n', begin)) != std::string::npos; begin = end + 1) {
        const std::string line = clean(std::string_view(tail.partial).substr(begin, end - begin));
        if (as_json) {
            std::cout << boost::json::serialize(boost::json::value{{"engine", tail.name}, {"line", line}}) << '\n';
        } else {
            std::cout << (with_name ? tail.name + " | " : "") << line << '\n';
        }
    }
    tail.partial.erase(0, begin);
    std::cout.flush();
}

/// The state folder of the running gateway, else the one that a gateway started now would use.
Result<std::string> state_dir(const config::CliOptions& cli) {
    if (cli.state_dir.empty()) {
        if (const auto place = find_place(cli); place && !place->socket.empty()) {
            if (const auto answer = ask_json(*place, "status")) {
                if (auto dir = text_at(*answer, "state_dir"); !dir.empty()) return dir;
            }
        }
    }
    auto paths = sys::paths_from(sys::process_env(), ::getuid(), {cli.state_dir, ""});
    if (!paths) return tl::unexpected(paths.error());
    return std::move(paths->state_dir);
}

Result<std::vector<Tail>> find_logs(const std::string& folder, const std::string& wanted) {
    std::vector<Tail> tails;
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        if (it->path().extension() == ".log") names.push_back(it->path().stem().string());
    }
    std::ranges::sort(names);
    for (const std::string& name : names) {
        if (!wanted.empty() && name != wanted) continue;
        auto& tail = tails.emplace_back();
        tail.name = name;
        tail.path = folder + "/" + name + ".log";
    }
    if (!tails.empty()) return tails;
    if (wanted.empty() || names.empty()) {
        return fail(Errc::not_found, "no engine has written a log yet (looked in " + folder + ")");
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const auto near = nearest(wanted, views);
    return fail(Errc::not_found, "there is no log of an engine '" + wanted + "'" +
                                     (near.empty() ? "; there are: " + list_text(names)
                                                   : "; did you mean '" + std::string(near) + "'?"));
}

int logs(const Options& options) {
    const auto state = state_dir(options.cli);
    if (!state) return complain("logs", state.error());
    auto tails = find_logs(*state + "/engines", options.engine);
    if (!tails) return complain("logs", tails.error());
    const bool with_name = tails->size() > 1;
    for (Tail& tail : *tails) {
        if (!open_if_new(tail)) continue;
        seek_to_last_lines(tail, options.lines);
        print(tail, read_on(tail), with_name, options.json);
        // A last line without an end: nothing more is waited for.
        if (!options.follow && !tail.partial.empty()) print(tail, "\n", with_name, options.json);
    }
    // Until it is interrupted or nobody reads any more.
    while (options.follow && std::cout) {
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        for (Tail& tail : *tails) {
            if (tail.fd) print(tail, read_on(tail), with_name, options.json);
            if (open_if_new(tail)) print(tail, read_on(tail), with_name, options.json);
        }
    }
    return ok;
}

}  // namespace

void add_logs(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("logs", "Show what the engines of local models print");
    const auto options = std::make_shared<Options>();
    command->add_option("ENGINE", options->engine, "Name of the model; all when it is left out");
    command->add_flag("-f,--follow", options->follow, "Go on as more is printed, until interrupted");
    command->add_option("-n,--lines", options->lines, "Lines to begin with (default: 100)")
        ->type_name("N")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}).description(""));
    add_place_options(*command, options->cli);
    add_state_option(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer("Examples:\n  localcode logs\n  localcode logs coder -f");
    command->callback([options, &status] { status = logs(*options); });
}

}  // namespace lc::commands
