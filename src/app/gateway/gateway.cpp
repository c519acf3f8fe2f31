// The door: who may come in, and which part answers.
#include "app/gateway/gateway.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/gateway/prompt.hpp"
#include "base/sha256.hpp"
#include "core/access/host.hpp"
#include "core/access/origin.hpp"
#include "shell/sys/os.hpp"

namespace lc::gateway {

namespace {

std::optional<std::string_view> field(const net::Request& request, std::string_view name) {
    const auto value = net::get(request.fields, name);
    return value.empty() ? std::nullopt : std::optional(value);
}

std::string_view path_of(const net::Request& request) {
    return std::string_view(request.target).substr(0, request.target.find('?'));
}

access::Credentials credentials(const net::Request& request) {
    return {net::get(request.fields, "authorization"), net::get(request.fields, "x-api-key"),
            net::get(request.fields, "api-key")};
}

/// Why a request may not come in; nothing when it may. Sets `key_name` to the name of the key that opened the door.
std::optional<std::pair<int, Error>> refused(const Gateway& gateway, const net::Request& request, bool admin,
                                             std::string& key_name) {
    const auto& server = gateway.options.config.server;
    if (!request.over_unix) {
        const auto host = field(request, "host");
        if (!access::host_allowed(host, request.version, server.host, server.allowed_hosts)) {
            return std::pair{403, Error{Errc::unauthorized,
                                        "the Host '" + std::string(host.value_or("")) +
                                            "' is not one of this server; add it to server.allowed_hosts if it is"}};
        }
        if (!access::origin_allowed(field(request, "origin"), server.cors_origins, host.value_or(""))) {
            return std::pair{403, Error{Errc::unauthorized,
                                        "web pages of '" + std::string(field(request, "origin").value_or("")) +
                                            "' may not use this server; add it to server.cors_origins if they should"}};
        }
    }
    if (admin && gateway.admin_keys.empty()) {
        return std::pair{403, Error{Errc::unauthorized,
                                    "the admin API is on the admin socket; set auth.admin_key to reach it here"}};
    }
    const auto& keys = admin ? gateway.admin_keys : gateway.keys;
    if (!admin && !access::needs_key(path_of(request))) return std::nullopt;
    const auto decision = access::authorise(credentials(request), keys);
    if (decision.verdict == access::Verdict::granted) key_name = keys[decision.key].name;
    if (access::allowed(decision.verdict)) return std::nullopt;
    return std::pair{401, Error{Errc::unauthorized, decision.verdict == access::Verdict::missing
                                                        ? "an API key is needed: send `Authorization: Bearer KEY`"
                                                        : "this API key is not known here"}};
}

awaitable<void> answer_refusal(Gateway& gateway, net::Exchange& exchange, api::Dialect dialect, int status, Error error) {
    net::Response response{status, answer_fields(gateway, request(exchange), "application/json", {}),
                           api::error_body(dialect, error)};
    if (status == 401) response.fields.push_back({"www-authenticate", "Bearer"});
    co_await net::respond(exchange, std::move(response));
}

awaitable<void> answer_preflight(Gateway& gateway, net::Exchange& exchange) {
    const auto& r = request(exchange);
    const access::Preflight question{net::get(r.fields, "origin"), net::get(r.fields, "access-control-request-method"),
                                     net::get(r.fields, "access-control-request-headers"),
                                     net::get(r.fields, "access-control-request-private-network") == "true"};
    if (question.request_method.empty()) {  // no preflight: which methods are there?
        const auto match = api::match_endpoint("OPTIONS", r.target);
        net::Response plain{204, answer_fields(gateway, r, "text/plain", {}), ""};
        plain.fields.push_back({"allow", match.allow.empty() ? "GET, POST" : std::string(match.allow)});
        co_await net::respond(exchange, std::move(plain));
        co_return;
    }
    const auto headers = access::preflight(question, gateway.options.config.server.cors_origins);
    net::Response response{headers ? 204 : 403, {}, ""};
    if (headers) {
        for (const auto& [name, value] : *headers) response.fields.push_back({name, value});
    }
    co_await net::respond(exchange, std::move(response));
}

awaitable<void> dispatch(Gateway& gateway, net::Exchange& exchange, api::EndpointMatch match, std::string key_name) {
    switch (match.endpoint) {
        case api::Endpoint::chat_completions:
        case api::Endpoint::completions:
        case api::Endpoint::infill:
        case api::Endpoint::messages:
        case api::Endpoint::messages_count:
        case api::Endpoint::responses:
        case api::Endpoint::embeddings:
        case api::Endpoint::rerank:
        case api::Endpoint::fim_completions:
            co_return co_await generate(gateway, exchange, std::move(match), std::move(key_name));
        case api::Endpoint::models: co_return co_await models(gateway, exchange, "");
        case api::Endpoint::model: co_return co_await models(gateway, exchange, std::move(match.param));
        case api::Endpoint::engine_query: co_return co_await engine_query(gateway, exchange, std::move(match));
        case api::Endpoint::upstream: co_return co_await pass_upstream(gateway, exchange, std::move(match));
        case api::Endpoint::health: co_return co_await health(gateway, exchange);
        case api::Endpoint::version: co_return co_await version(gateway, exchange);
        case api::Endpoint::metrics: {
            constexpr auto type = "text/plain; version=0.0.4; charset=utf-8";
            net::Response response{200, answer_fields(gateway, request(exchange), type, {}), metrics_text(gateway)};
            co_await net::respond(exchange, std::move(response));
            co_return;
        }
        case api::Endpoint::admin: co_return co_await admin(gateway, exchange, std::move(match.param));
        case api::Endpoint::root: co_return co_await health(gateway, exchange);
        case api::Endpoint::unknown: break;
    }
    co_await answer_error(gateway, exchange, api::Dialect::plain,
                          error_of(Errc::not_found, "there is nothing at " + request(exchange).method + " " +
                                                        std::string(path_of(request(exchange))).substr(0, 200)));
}

awaitable<void> preload(Gateway& gateway) {
    for (const auto& name : gateway.options.config.server.preload) {
        const auto ready = co_await engines::acquire(*gateway.engines, name);
        if (!ready) say(gateway, Level::error, "preloading " + name + " failed: " + ready.error().detail);
    }
}

/// Only we and our engines know it.
std::string make_token() {
    std::array<std::uint8_t, 10> random{};
    std::string out;
    for (int i = 0; i < 3; ++i) {
        if (sys::random_bytes(random)) out += hex(sha256({reinterpret_cast<const char*>(random.data()), random.size()}));
    }
    return out.size() == 3 * 64 ? out : new_request_id();
}

states::Options state_options(Gateway& gateway, const Options& options) {
    states::Options out;
    out.models = options.config.models;
    if (options.config.kv.enabled && !options.config.models.empty()) {
        out.dir = options.config.kv.dir.empty() ? options.state_dir + "/kv" : options.config.kv.dir;
    }
    out.max_bytes = static_cast<std::uint64_t>(options.config.kv.max_bytes);
    out.policy = options.config.kv.policy;
    out.policy_path = options.state_dir + "/policy.db";
    out.writes_per_day = static_cast<std::uint64_t>(options.config.kv.writes_per_day);
    out.staging_dir = options.staging_dir;
    out.token = make_token();
    const auto sink = options.log;
    out.log = [sink](states::Level level, std::string_view text) {
        if (sink) sink(static_cast<Level>(level), text);
    };
    auto* metrics = &gateway.metrics;
    out.saved = [metrics](double seconds) { metrics::observe(*metrics, "kv_save_seconds", {}, seconds); };
    out.counted = [metrics](std::string_view what) {
        if (what == "quarantined") metrics::add(*metrics, "kv_quarantined_total", {});
        if (what == "slot_lost") metrics::add(*metrics, "kv_slots_lost_total", {});
    };
    return out;
}

engines::Options engine_options(const Options& options, const states::Options& states) {
    engines::Options out;
    out.kv_dir = states.dir;
    out.engine_token = states.token;
    if (!states.dir.empty()) out.slot_dir = states.staging_dir;
    out.state_dir = options.state_dir;
    out.runtime_dir = options.runtime_dir;
    out.port = options.config.server.port;
    out.engine_program = options.config.server.engine;
    out.models = options.config.models;
    const auto sink = options.log;
    out.log = [sink](engines::Level level, std::string_view model, std::string_view text) {
        if (sink) sink(static_cast<Level>(level), "engine " + std::string(model) + ": " + std::string(text));
    };
    return out;
}

Backend backend_of(const config::Backend& config, std::string key) {
    Backend backend;
    backend.config = config;
    backend.key = std::move(key);
    backend.models = config.models;
    // config::validate has refused what is no URL.
    if (auto target = net::parse_url(config.url)) backend.target = std::move(*target);
    backend.target.ca_file = config.ca_file;
    backend.timeouts = {std::chrono::milliseconds(config.connect_timeout_ms),
                        std::chrono::milliseconds(config.first_byte_timeout_ms),
                        std::chrono::milliseconds(config.silence_timeout_ms)};
    return backend;
}

}  // namespace

void GatewayDeleter::operator()(Gateway* gateway) const { delete gateway; }

GatewayPtr make_gateway(asio::any_io_executor executor, Options options) {
    GatewayPtr gateway(new Gateway);
    gateway->executor = executor;
    gateway->pool = net::make_pool(executor);
    auto states = state_options(*gateway, options);
    gateway->engines = engines::make_engines(executor, *gateway->pool, engine_options(options, states));
    gateway->states = states::make_states(executor, *gateway->pool, std::move(states));
    for (std::size_t i = 0; i < options.config.backends.size(); ++i) {
        gateway->backends.push_back(backend_of(options.config.backends[i], options.backend_keys.at(i)));
    }
    gateway->table = route::table_of(options.config);
    for (const auto& key : options.keys) gateway->keys.push_back(access::make_key(key.name, key.key));
    if (!options.admin_key.empty()) gateway->admin_keys.push_back(access::make_key("admin", options.admin_key));
    gateway->started_unix = static_cast<std::int64_t>(sys::unix_ms() / 1000);
    gateway->beat_timer = std::make_shared<asio::steady_timer>(executor);
    gateway->prompts = std::make_shared<PromptMemory>();
    declare_metrics(gateway->metrics);
    gateway->options = std::move(options);
    return gateway;
}

awaitable<void> handle(Gateway& gateway, net::Exchange& exchange) {
    const auto& incoming = request(exchange);
    if (incoming.method == "OPTIONS") co_return co_await answer_preflight(gateway, exchange);
    auto match = api::match_endpoint(incoming.method, incoming.target);
    const bool is_admin = match.endpoint == api::Endpoint::admin;
    std::string key_name;
    if (auto no = refused(gateway, incoming, is_admin, key_name)) {
        co_return co_await answer_refusal(gateway, exchange, match.dialect, no->first, std::move(no->second));
    }
    if (!match.method_ok) {
        net::Response response{405, answer_fields(gateway, incoming, "application/json", {}),
                               api::error_body(match.dialect, {Errc::bad_request, "this path takes " +
                                                                                      std::string(match.allow) + " only"})};
        response.fields.push_back({"allow", std::string(match.allow)});
        co_await net::respond(exchange, std::move(response));
        co_return;
    }
    co_await dispatch(gateway, exchange, std::move(match), std::move(key_name));
}

awaitable<void> handle_admin(Gateway& gateway, net::Exchange& exchange) {
    auto match = api::match_endpoint(request(exchange).method, request(exchange).target);
    if (match.endpoint == api::Endpoint::admin) co_return co_await admin(gateway, exchange, std::move(match.param));
    if (!match.method_ok) match.endpoint = api::Endpoint::unknown;
    co_await dispatch(gateway, exchange, std::move(match), {});
}

void start(Gateway& gateway) {
    asio::co_spawn(gateway.executor, states::open(gateway.states), asio::detached);
    asio::co_spawn(gateway.executor, load_prompts(gateway), asio::detached);
    asio::co_spawn(gateway.executor, beat_loop(gateway), asio::detached);
    asio::co_spawn(gateway.executor, learn_models(gateway, std::chrono::seconds(60)), asio::detached);
    if (!gateway.options.config.server.preload.empty()) {
        asio::co_spawn(gateway.executor, preload(gateway), asio::detached);
    }
}

void set_listening(Gateway& gateway, std::vector<std::string> addresses, std::function<std::size_t()> connections) {
    gateway.listening = std::move(addresses);
    gateway.connections = std::move(connections);
}

void on_shutdown(Gateway& gateway, std::function<void()> callback) { gateway.shutdown = std::move(callback); }

void cancel_all(Gateway& gateway) {
    gateway.stopping = true;
    gateway.beat_timer->cancel();
    for (Turn* turn : gateway.turns) {
        turn->leave.leave();
        if (turn->call) net::cancel(*turn->call);
    }
    for (const auto& backend : gateway.backends) {
        if (backend.question) net::cancel(*backend.question);
    }
}

awaitable<void> stop(Gateway& gateway, std::chrono::milliseconds engine_grace) {
    cancel_all(gateway);
    // Coroutines of ours end before what they refer to does.
    for (const auto& backend : gateway.backends) {
        if (backend.question) net::cancel(*backend.question);
        if (const auto asking = backend.asking) {
            boost::system::error_code woken;
            co_await asking->async_wait(asio::redirect_error(asio::use_awaitable, woken));
        }
    }
    co_await settle_prompts(gateway);
    co_await states::settle_all(gateway.states, std::chrono::seconds(10));
    co_await states::close(gateway.states);
    co_await engines::stop_all(*gateway.engines, engine_grace);
}

}  // namespace lc::gateway
