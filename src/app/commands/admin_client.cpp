#include "app/commands/admin_client.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <exception>
#include <optional>

#include "app/commands/load_config.hpp"
#include "shell/net/http_client.hpp"

namespace lc::commands {

namespace {

namespace asio = boost::asio;

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

/// The gateway's own words for a failure, in whatever shape of error object they come.
std::string message_of(const std::string& body) {
    boost::system::error_code error;
    const auto value = boost::json::parse(body, error);
    if (error || !value.is_object()) return body;
    const auto* inner = value.as_object().if_contains("error");
    if (inner == nullptr) return body;
    if (const auto* text = inner->if_string()) return std::string(text->data(), text->size());
    const auto* object = inner->if_object();
    const auto* message = object != nullptr ? object->if_contains("message") : nullptr;
    if (message == nullptr || !message->is_string()) return body;
    return std::string(message->as_string().data(), message->as_string().size());
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
                        std::chrono::milliseconds timeout) {
    if (place.socket.empty()) return tl::unexpected(not_running(place));
    asio::io_context io(1);
    const auto pool = net::make_pool(io.get_executor());
    net::Target target;
    target.unix_path = place.socket;
    net::Timeouts timeouts;
    timeouts.connect = std::chrono::seconds(5);
    timeouts.first_byte = timeout;
    timeouts.silence = timeout;
    net::Request request;
    request.method = method;
    request.target = "/localcode/v1/" + path;
    std::optional<Result<net::Fetched>> answer;
    std::exception_ptr thrown;
    asio::co_spawn(io, net::fetch(*pool, target, timeouts, std::move(request)),
                   [&](const std::exception_ptr& exception, Result<net::Fetched> fetched) {
                       thrown = exception;
                       answer = std::move(fetched);
                   });
    // Not io.run(): the pool keeps a timer for its idle connections.
    while (!answer && io.run_one() > 0) {
    }
    if (thrown) std::rethrow_exception(thrown);
    if (!answer) return fail(Errc::internal, "the gateway gave no answer");
    if (!*answer) {
        // A socket file that nobody listens on is what a killed gateway leaves behind.
        const auto& error = answer->error();
        const bool refused =
            error.detail.find("refused") != std::string::npos || error.detail.find("No such file") != std::string::npos;
        if (refused) return tl::unexpected(not_running(place));
        return fail(error.code,
                    "the gateway on port " + std::to_string(place.port) + " did not answer: " + error.detail);
    }
    net::Fetched& fetched = **answer;
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
