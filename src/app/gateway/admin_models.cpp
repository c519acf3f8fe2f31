// The admin API's models/{id}/load and models/{id}/unload.
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "app/gateway/parts.hpp"

namespace lc::gateway {

namespace json = boost::json;

namespace {

const engines::Status* status_of(const std::vector<engines::Status>& all, std::string_view name) {
    for (const auto& one : all) {
        if (one.name == name) return &one;
    }
    return nullptr;
}

awaitable<void> load(Gateway& gateway, net::Exchange& exchange, std::string model) {
    // Whoever asked may leave; the engine goes on starting.
    engines::Leave leave;
    net::on_gone(exchange, [&leave] { leave.leave(); });
    const auto began = Clock::now();
    const auto ready = co_await engines::acquire(*gateway.engines, model, {}, &leave);
    if (!ready) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, ready.error());
    const json::object body{{"model", model},
                            {"phase", "ready"},
                            {"context", ready->context_per_slot},
                            {"slots", ready->slots},
                            {"engine", ready->meta->engine},
                            {"ms", ms_since(began)}};
    co_await answer_json(gateway, exchange, 200, json::serialize(body));
}

awaitable<void> unload(Gateway& gateway, net::Exchange& exchange, std::string model, bool force) {
    const auto all = engines::status(*gateway.engines);
    const auto* status = status_of(all, model);
    const int in_use = status != nullptr ? status->in_use : 0;
    if (in_use > 0 && !force) {
        auto text = "model '" + model + "' is answering " + std::to_string(in_use) +
                    (in_use == 1 ? " request" : " requests") + "; use force to end them";
        co_return co_await answer_error(gateway, exchange, api::Dialect::plain,
                                        error_of(Errc::overloaded, std::move(text)));
    }
    if (status != nullptr && status->waiting > 0 && !force) {
        auto text = "model '" + model + "' is still starting, and " + std::to_string(status->waiting) +
                    (status->waiting == 1 ? " request waits" : " requests wait") + " for it; use force to end them";
        co_return co_await answer_error(gateway, exchange, api::Dialect::plain,
                                        error_of(Errc::overloaded, std::move(text)));
    }
    const bool was_loaded = status != nullptr && (status->pid > 0 || status->phase == engine::Phase::starting);
    co_await states::settle(gateway.states, model, std::chrono::seconds(10));
    const auto stopped = co_await engines::stop(*gateway.engines, model);
    if (!stopped) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, stopped.error());
    const json::object body{{"model", model}, {"phase", "stopped"}, {"was_loaded", was_loaded}};
    co_await answer_json(gateway, exchange, 200, json::serialize(body));
}

}  // namespace

awaitable<bool> admin_models(Gateway& gateway, net::Exchange& exchange, std::string path) {
    const auto slash = path.rfind('/');
    if (request(exchange).method != "POST" || !path.starts_with("models/") || slash < 7) co_return false;
    const std::string verb = path.substr(slash + 1);
    if (verb != "load" && verb != "unload") co_return false;
    const auto choice = route::resolve(gateway.table, path.substr(7, slash - 7));
    if (!choice) {
        co_await answer_error(gateway, exchange, api::Dialect::plain, choice.error());
    } else if (choice->place != route::Place::local) {
        auto text = "model '" + choice->model + "' is served by backend '" +
                    gateway.backends[choice->index].config.name + "'; only local models are loaded here";
        co_await answer_error(gateway, exchange, api::Dialect::plain, error_of(Errc::unsupported, std::move(text)));
    } else if (verb == "load") {
        co_await load(gateway, exchange, choice->model);
    } else {
        const bool force = request(exchange).target.ends_with("?force=1");
        co_await unload(gateway, exchange, choice->model, force);
    }
    co_return true;
}

}  // namespace lc::gateway
