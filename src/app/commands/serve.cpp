// `localcode serve`: puts the parts together, listens, and takes them apart again in order.
#include "app/commands/serve.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "app/commands/pull.hpp"
#include "app/console/console.hpp"
#include "app/gateway/gateway.hpp"
#include "app/secrets.hpp"
#include "app/version.hpp"
#include "core/api/encode.hpp"
#include "core/log/redact.hpp"
#include "shell/sys/os.hpp"
#include "shell/sys/paths.hpp"
#include "shell/sys/state_lock.hpp"

namespace lc::commands {

namespace {

namespace asio = boost::asio;

constexpr int usage_error = 2;

int refuse(const std::string& text, int status) {
    std::cerr << "localcode serve: " << text << '\n';
    return status;
}

/// Everything that lives as long as the gateway listens; destroyed in the opposite order.
struct Running {
    asio::io_context io{1};
    console::ConsolePtr console;
    store::RequestsDbPtr requests;
    gateway::GatewayPtr gateway;
    net::ServerPtr clients, admin;
    int signals = 0;
    bool stopping = false;
};

net::ServerLimits limits_of(const config::Limits& limits) {
    net::ServerLimits out;
    out.max_header_bytes = static_cast<std::size_t>(limits.max_header_bytes);
    out.max_body_bytes = static_cast<std::size_t>(limits.max_body_bytes);
    out.max_connections = static_cast<std::size_t>(limits.max_connections);
    out.request_time = std::chrono::milliseconds(limits.request_time_ms);
    out.idle_time = std::chrono::milliseconds(limits.idle_time_ms);
    out.write_stall = std::chrono::milliseconds(limits.write_stall_ms);
    return out;
}

net::Response error_page(const Error& error, int status) {
    net::Response response{status, {{"content-type", "application/json"}}, api::error_body(api::Dialect::chat, error)};
    if (status == 503) response.fields.push_back({"retry-after", "1"});
    return response;
}

net::ServerOptions server_options(Running& running, const config::Config& config, bool admin) {
    net::ServerOptions options;
    options.limits = limits_of(config.server.limits);
    options.error_page = error_page;
    options.log_error = [&running](std::string_view text) { console::write(*running.console, console::Level::error, text); };
    // The gateway is made after the listeners, because only they know a free port; no request runs before that.
    if (admin) {
        options.handler = [&running](net::Exchange& exchange) { return gateway::handle_admin(*running.gateway, exchange); };
    } else {
        options.handler = [&running](net::Exchange& exchange) { return gateway::handle(*running.gateway, exchange); };
    }
    return options;
}

std::uint16_t port_of(const std::vector<std::string>& addresses, std::uint16_t configured) {
    for (const auto& address : addresses) {
        if (address.starts_with("unix:")) continue;
        return static_cast<std::uint16_t>(std::atoi(address.substr(address.rfind(':') + 1).c_str()));
    }
    return configured;
}

Result<gateway::Options> gateway_options(const config::Config& config, const sys::Paths& paths) {
    gateway::Options options;
    options.config = config;
    options.state_dir = paths.state_dir;
    options.runtime_dir = paths.runtime_dir;
    options.version = version_text();
    options.colour = console::colour_wanted() && config.log.format == "text";
    for (const auto& key : config.auth.keys) {
        auto secret = resolve_secret(key.key);
        if (!secret) return fail(secret.error().code, "auth key '" + key.name + "': " + secret.error().detail);
        options.keys.push_back({key.name, std::move(*secret)});
    }
    if (!config.auth.admin_key.empty()) {
        auto secret = resolve_secret(config.auth.admin_key);
        if (!secret) return fail(secret.error().code, "auth.admin_key: " + secret.error().detail);
        options.admin_key = std::move(*secret);
    }
    for (const auto& backend : config.backends) {
        std::string key;
        if (!backend.key.empty()) {
            auto secret = resolve_secret(backend.key);
            if (!secret) return fail(secret.error().code, "backend '" + backend.name + "': " + secret.error().detail);
            key = std::move(*secret);
        }
        options.backend_keys.push_back(std::move(key));
    }
    return options;
}

/// Models that are named by their repository get a file: from the cache, or downloaded now, with progress.
Result<void> obtain_models(config::Config& config, const sys::Paths& paths, int& signal) {
    for (auto& model : config.models) {
        if (!model.path.empty() || model.hf.empty()) continue;
        auto here = obtain_model(model.hf, paths.cache_dir, &signal);
        if (!here) return fail(here.error().code, "model '" + model.name + "': " + here.error().detail);
        model.path = here->path;
    }
    return {};
}

void announce(Running& running, const config::Config& config, const std::vector<std::string>& addresses) {
    std::string text = "LocalCode " + std::string(version_text()) + " is listening on ";
    for (std::size_t i = 0; i < addresses.size(); ++i) text += (i ? ", " : "") + addresses[i];
    for (const auto& model : config.models) {
        text += "\n  model " + model.name + ": " + (model.path.empty() ? model.hf : model.path);
    }
    for (const auto& backend : config.backends) text += "\n  backend " + backend.name + ": " + backend.url;
    if (!addresses.empty() && !addresses.front().starts_with("unix:")) {
        text += "\n  for OpenCode and other clients: base URL " + addresses.front() + "/v1";
    }
    console::write(*running.console, console::Level::info, text);
}

gateway::awaitable<void> shut_down(Running& running, std::chrono::milliseconds grace) {
    // What still runs at the end of the grace gets an error that says why, and a second to arrive.
    asio::steady_timer grace_over(running.io, grace);
    grace_over.async_wait([&running](const boost::system::error_code& ec) {
        if (!ec) gateway::cancel_all(*running.gateway);
    });
    co_await net::drain(*running.clients, grace + std::chrono::seconds(1));
    grace_over.cancel();
    co_await gateway::stop(*running.gateway, std::chrono::milliseconds(5'000));
    co_await net::drain(*running.admin, std::chrono::milliseconds(200));
    // Those that were just told to end do so in the loop's next turns.
    for (int turn = 0; turn < 3; ++turn) co_await asio::post(running.io, asio::use_awaitable);
    running.io.stop();
}

void begin_shutdown(Running& running, const config::Config& config, const std::string& why) {
    if (std::exchange(running.stopping, true)) return;
    console::write(*running.console, console::Level::info,
                   why + ": finishing running requests (at most " + std::to_string(config.server.drain_ms / 1000) +
                       " s; once more to stop at once)");
    asio::co_spawn(running.io, shut_down(running, std::chrono::milliseconds(config.server.drain_ms)), asio::detached);
}

void wait_for_signals(asio::signal_set& signals, Running& running, const config::Config& config) {
    signals.async_wait([&](const boost::system::error_code& ec, int signal) {
        if (ec) return;
        // A second one: somebody is in a hurry. Engines end with us.
        if (++running.signals > 1) std::_Exit(130);
        begin_shutdown(running, config, signal == SIGINT ? "interrupted" : "terminated");
        wait_for_signals(signals, running, config);
    });
}

Result<void> listen(Running& running, const config::Config& config, const sys::Paths& paths) {
    std::vector<net::Listen> listens;
    net::Listen tcp;
    tcp.host = config.server.host;
    tcp.port = config.server.port;
    tcp.tls_certificate = config.server.tls.certificate;
    tcp.tls_key = config.server.tls.key;
    listens.push_back(tcp);
    if (!config.server.unix_socket.empty()) {
        net::Listen local;
        local.unix_path = config.server.unix_socket;
        listens.push_back(local);
    }
    auto clients = net::serve(running.io.get_executor(), std::move(listens), server_options(running, config, false));
    if (!clients) return tl::unexpected(clients.error());
    running.clients = std::move(*clients);

    net::Listen socket;
    const auto port = port_of(net::addresses(*running.clients), config.server.port);
    socket.unix_path = paths.runtime_dir + "/" + std::to_string(port) + ".sock";
    auto admin = net::serve(running.io.get_executor(), {socket}, server_options(running, config, true));
    if (!admin) return tl::unexpected(admin.error());
    running.admin = std::move(*admin);
    return {};
}

void open_requests(Running& running, const config::Config& config, const sys::Paths& paths) {
    const auto report = [&running](std::string_view line) {
        console::write(*running.console, console::Level::warn, line);
    };
    auto db = store::open(paths.state_dir + "/requests.db", {config.log.retention_days, config.log.max_bytes}, report);
    if (db) {
        running.requests = std::move(*db);
    } else {
        console::write(*running.console, console::Level::warn,
                       "the request log is not kept: " + db.error().detail);
    }
}

/// Where slot files of stock servers are put together: in memory when there is such a place. Empty: nowhere.
std::string make_staging(const config::Config& config, const sys::Paths& paths, std::uint16_t port) {
    if (!config.kv.enabled || config.models.empty()) return {};
    const std::string in_memory = "/dev/shm/localcode-" + std::to_string(::getuid()) + "-" + std::to_string(port);
    const std::string wanted = config.kv.staging_dir.empty() ? in_memory : config.kv.staging_dir;
    for (const auto& dir : {wanted, paths.state_dir + "/staging"}) {
        if (!sys::ensure_private_dir(dir, sys::Symlink::refuse)) continue;
        // What a killed gateway left there.
        std::error_code ec;
        for (const auto& entry : std::filesystem::directory_iterator(dir, ec)) {
            if (entry.path().extension() == ".slot") std::filesystem::remove(entry.path(), ec);
        }
        return dir;
    }
    return {};
}

}  // namespace

int serve(const config::CliOptions& cli) {
    auto loaded = load_config(cli);
    if (!loaded) return refuse(loaded.error().detail, usage_error);
    auto& config = loaded->config;
    if (const auto nothing = config::nothing_to_serve(config)) return refuse(*nothing, usage_error);

    sys::set_private_umask();
    sys::ignore_sigpipe();
    auto prepared = sys::prepare(loaded->paths);
    if (!prepared) return refuse(prepared.error().detail, 1);
    const auto& paths = *prepared;
    const auto lock = sys::lock_state_dir(paths.state_dir);
    if (!lock) return refuse(lock.error().detail, 1);
    int signal = 0;
    if (auto ok = obtain_models(config, paths, signal); !ok) return refuse(ok.error().detail, signal ? 128 + signal : 1);
    auto options = gateway_options(config, paths);
    if (!options) return refuse(options.error().detail, usage_error);

    Running running;
    running.console = console::open({config.log.level, config.log.format == "json"});
    if (auto ok = listen(running, config, paths); !ok) return refuse(ok.error().detail, 1);
    open_requests(running, config, paths);

    const auto addresses = net::addresses(*running.clients);
    options->config.server.port = port_of(addresses, config.server.port);
    options->requests = running.requests.get();
    options->staging_dir = make_staging(config, paths, options->config.server.port);
    options->log = [&running](gateway::Level level, std::string_view text) {
        console::write(*running.console, static_cast<console::Level>(level), log::redact(text));
    };
    running.gateway = gateway::make_gateway(running.io.get_executor(), std::move(*options));
    gateway::set_listening(*running.gateway, addresses, [&running] { return net::open_connections(*running.clients); });
    gateway::on_shutdown(*running.gateway, [&] { begin_shutdown(running, config, "asked to stop"); });

    asio::signal_set signals(running.io, SIGINT, SIGTERM);
    wait_for_signals(signals, running, config);
    gateway::start(*running.gateway);
    announce(running, config, addresses);

    const auto work = asio::make_work_guard(running.io);
    running.io.run();
    signals.cancel();
    store::close(std::move(running.requests));
    return 0;
}

}  // namespace lc::commands
