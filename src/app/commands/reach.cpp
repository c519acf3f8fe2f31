#include "app/commands/reach.hpp"

#include <unistd.h>

#include <boost/json/parse.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "app/commands/admin_client.hpp"
#include "app/commands/json_view.hpp"
#include "app/commands/load_config.hpp"
#include "app/commands/once.hpp"
#include "app/secrets.hpp"
#include "shell/process/detached.hpp"
#include "shell/sys/fd.hpp"
#include "shell/sys/os.hpp"

#ifndef LOCALCODE_PLUGIN_FILE
#define LOCALCODE_PLUGIN_FILE ""
#endif

namespace lc::commands {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t max_log_bytes = 4 << 20;

std::string url_of(const config::Server& server) {
    std::string host = server.host;
    if (host == "0.0.0.0") host = "127.0.0.1";
    if (host == "::") host = "::1";
    if (host.find(':') != std::string::npos && !host.starts_with('[')) host = "[" + host + "]";
    return (server.tls.certificate.empty() ? "http://" : "https://") + host + ":" + std::to_string(server.port);
}

net::Request get_request(const Reach& reach, std::string target) {
    net::Request request;
    request.method = "GET";
    request.target = std::move(target);
    if (!reach.key.empty()) request.fields.push_back({"authorization", "Bearer " + reach.key});
    return request;
}

/// The first key of the configuration that can be read.
std::string key_of(const config::Config& config) {
    if (const char* key = std::getenv("LOCALCODE_API_KEY"); key != nullptr && *key != '\0') return key;
    for (const auto& key : config.auth.keys) {
        if (auto secret = resolve_secret(key.key)) return std::move(*secret);
    }
    return {};
}

/// The end of a log, from `from` on: what this start has said.
std::string log_from(const std::string& file, std::size_t from) {
    const auto text = sys::read_file(file, max_log_bytes * 2).value_or("");
    std::string out = from < text.size() ? text.substr(from) : std::string();
    while (!out.empty() && out.back() == '\n') out.pop_back();
    constexpr std::size_t most = 2000;
    return out.size() > most ? "..." + out.substr(out.size() - most) : out;
}

}  // namespace

Result<Reach> find_gateway(const config::CliOptions& options, const std::string& url) {
    Reach out;
    if (auto loaded = load_config(options)) {
        out.paths = std::move(loaded->paths);
        out.port = loaded->config.server.port;
        out.url = url_of(loaded->config.server);
        out.key = key_of(loaded->config);
    } else {
        // A broken file is no reason not to find what runs; it is when one has to be started.
        out.problem = loaded.error().detail;
        const auto place = find_place(options);
        if (!place) return tl::unexpected(place.error());
        auto paths = sys::paths_from(sys::process_env(), ::getuid(), {options.state_dir, options.config_file});
        if (!paths) return tl::unexpected(paths.error());
        out.paths = std::move(*paths);
        out.port = place->port;
        config::Server server;
        server.port = place->port;
        out.url = url_of(server);
        out.key = key_of({});
    }
    if (!url.empty()) {
        out.url = url;
        while (out.url.ends_with('/')) out.url.pop_back();
        if (out.url.ends_with("/v1")) out.url.resize(out.url.size() - 3);
        if (auto target = net::parse_url(out.url); !target) return tl::unexpected(target.error());
    }
    if (auto found = look(out); !found) return tl::unexpected(found.error());
    return out;
}

Result<void> look(Reach& reach) {
    auto target = net::parse_url(reach.url);
    if (!target) return tl::unexpected(target.error());
    const auto answer = fetch_once(*target, get_request(reach, "/health"), 5s);
    reach.running = false;
    if (!answer) {
        // TLS that fails is an answer: somebody listens there.
        if (answer.error().detail.find("refused") != std::string::npos || !target->tls) {
            if (answer.error().code != Errc::upstream_timeout) return {};
        }
        return fail(Errc::overloaded, reach.url + " did not answer: " + answer.error().detail);
    }
    boost::system::error_code bad;
    const auto body = boost::json::parse(answer->body, bad);
    if (bad || text_at(body, "provider") != "LocalCode") {
        return fail(Errc::overloaded,
                    "another program answers at " + reach.url + "; choose another port with --port N");
    }
    reach.running = true;
    reach.default_model = text_at(body, "model");
    return {};
}

Result<void> start_gateway(Reach& reach, const std::vector<std::string>& serve_args) {
    if (!reach.problem.empty()) return fail(Errc::bad_request, reach.problem);
    if (auto made = sys::ensure_private_dir(reach.paths.state_dir, sys::Symlink::follow); !made) return made;
    const auto self = sys::executable_path();
    if (!self) return tl::unexpected(self.error());
    const std::string log = reach.paths.state_dir + "/serve-" + std::to_string(reach.port) + ".log";
    std::error_code ec;
    auto begin = fs::file_size(log, ec);
    if (ec) begin = 0;
    if (begin > max_log_bytes) {
        fs::rename(log, log + ".1", ec);
        begin = 0;
    }
    std::vector<std::string> args{"serve"};
    args.insert(args.end(), serve_args.begin(), serve_args.end());
    const auto pid = process::start_detached(*self, args, log);
    if (!pid) return tl::unexpected(pid.error());
    std::cerr << "localcode: starting a gateway on port " << reach.port << " (pid " << *pid << ", log " << log << ")\n";
    for (int i = 0;; ++i) {
        if (auto found = look(reach); !found) return found;
        if (reach.running) return {};
        // A model that has to be downloaded first takes its time; as long as it lives it is waited for.
        if (sys::wait_for_exit(*pid, i < 50 ? 10 : 100)) break;
    }
    const auto said = log_from(log, begin);
    return fail(Errc::internal, "the gateway could not be started" + (said.empty() ? "; see " + log : ":\n" + said));
}

Result<clients::Setup> setup_of(const Reach& reach) {
    auto target = net::parse_url(reach.url);
    if (!target) return tl::unexpected(target.error());
    const auto answer = fetch_once(*target, get_request(reach, "/v1/models"), 90s);
    if (!answer) return fail(answer.error().code, "asking " + reach.url + " for its models: " + answer.error().detail);
    if (answer->status == 401 || answer->status == 403) {
        return fail(Errc::unauthorized, "the gateway at " + reach.url + " refused the key (" +
                                            std::to_string(answer->status) +
                                            "); set LOCALCODE_API_KEY to one that it knows");
    }
    if (answer->status != 200) {
        return fail(Errc::upstream_error, "the gateway at " + reach.url + " answered " +
                                              std::to_string(answer->status) + ": " + message_of(answer->body));
    }
    auto models = clients::models_of(answer->body);
    if (!models) return tl::unexpected(models.error());
    if (models->empty()) {
        return fail(Errc::not_found,
                    "the gateway at " + reach.url +
                        " has no model that can chat; see `localcode models` and `localcode recommend`");
    }
    clients::Setup out;
    out.url = reach.url;
    out.key = reach.key;
    out.models = std::move(*models);
    clients::choose_models(out, reach.default_model);
    return out;
}

Result<std::string> client_folder(const Reach& reach, std::string_view client) {
    auto folder = reach.paths.state_dir + "/clients/" + std::string(client) + "-" + std::to_string(reach.port);
    if (auto made = sys::ensure_private_dir(folder, sys::Symlink::refuse); !made) return tl::unexpected(made.error());
    return folder;
}

std::string find_plugin() {
    const auto env = sys::process_env();
    std::error_code ec;
    if (const auto given = env("LOCALCODE_PLUGIN")) return *given == "off" ? std::string() : *given;
    if (const auto self = sys::executable_path()) {
        const auto installed =
            (fs::path(*self).parent_path() / "../share/localcode/plugin/localcode.js").lexically_normal();
        if (fs::is_regular_file(installed, ec)) return installed.string();
    }
    return fs::is_regular_file(LOCALCODE_PLUGIN_FILE, ec) ? LOCALCODE_PLUGIN_FILE : "";
}

}  // namespace lc::commands
