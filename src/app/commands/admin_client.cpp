#include "app/commands/admin_client.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/parse.hpp>

#include "app/commands/load_config.hpp"
#include "app/commands/once.hpp"

namespace lc::commands {

namespace {

bool is_socket(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode);
}

/// In /tmp anybody can make a folder of that name: one that is not ours is not our gateway's.
bool owned_folder(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::getuid();
}

Error not_running(const Place& place) {
    const bool usual = place.port == config::Server{}.port;
    return {Errc::not_found,
            "no gateway is running on port " + std::to_string(place.port) + "; start one with `localcode serve" +
                (usual ? "`, or name another port with --port" : " --port " + std::to_string(place.port) + "`")};
}

}  // namespace

Result<Place> find_place(const config::CliOptions& options) {
    Place place;
    auto read = read_config_file(options);
    if (!read) {
        auto paths = sys::paths_from(sys::process_env(), ::getuid(), {options.state_dir, ""});
        if (!paths) return tl::unexpected(paths.error());
        read = ReadFile{std::move(*paths), false, {}};
    }
    config::Environment environment = read_environment();
    std::erase_if(environment, [](const auto& variable) { return variable.first != "LOCALCODE_PORT"; });
    config::CliOptions only_port;
    only_port.port = options.port;
    const auto overlaid = config::overlay(std::move(read->parsed.config), only_port, environment);
    if (!overlaid.problems.empty()) return fail(Errc::bad_request, overlaid.problems.front().message);
    place.port = overlaid.config.server.port;
    const std::string name = "/" + std::to_string(place.port) + ".sock";
    for (const std::string& folder : {read->paths.runtime_dir, read->paths.runtime_fallback}) {
        if (place.socket.empty() && !folder.empty() && owned_folder(folder) && is_socket(folder + name)) {
            place.socket = folder + name;
        }
    }
    return place;
}

Result<std::string> ask(const Place& place, const std::string& method, const std::string& path,
                        std::chrono::milliseconds timeout, const std::string& json_body) {
    if (place.socket.empty()) return tl::unexpected(not_running(place));
    net::Target target;
    target.unix_path = place.socket;
    net::Request request;
    request.method = method;
    request.target = "/localcode/v1/" + path;
    if (!json_body.empty()) {
        request.fields.push_back({"content-type", "application/json"});
        request.body = json_body;
    }
    auto answer = fetch_once(target, std::move(request), timeout);
    if (!answer) {
        // A socket file that nobody listens on is what a killed gateway leaves behind.
        const auto& error = answer.error();
        const bool refused =
            error.detail.find("refused") != std::string::npos || error.detail.find("No such file") != std::string::npos;
        if (refused) return tl::unexpected(not_running(place));
        return fail(error.code,
                    "the gateway on port " + std::to_string(place.port) + " did not answer: " + error.detail);
    }
    net::Fetched& fetched = *answer;
    if (fetched.status != 200) {
        return fail(fetched.status == 404 ? Errc::unsupported : Errc::upstream_error,
                    "the gateway answered " + std::to_string(fetched.status) + ": " + message_of(fetched.body));
    }
    return std::move(fetched.body);
}

Result<boost::json::value> ask_json(const Place& place, const std::string& path) {
    auto body = ask(place, "GET", path);
    if (!body) return tl::unexpected(body.error());
    boost::system::error_code error;
    auto value = boost::json::parse(*body, error);
    if (error) return fail(Errc::upstream_error, "the gateway's answer is not JSON: " + error.message());
    return value;
}

}  // namespace lc::commands
