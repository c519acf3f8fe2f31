// How a request is put to an engine or to a remote backend.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <simdjson.h>

#include "app/gateway/parts.hpp"
#include "core/forward/defaults.hpp"
#include "core/forward/forward.hpp"

namespace lc::gateway {

namespace {

std::vector<api::HeaderField> header_fields(const net::Request& request) {
    std::vector<api::HeaderField> fields;
    fields.reserve(request.fields.size());
    for (const auto& field : request.fields) fields.push_back({field.name, field.value});
    return fields;
}

Upstream upstream_of(net::Target target, net::Timeouts timeouts, forward::Outgoing out) {
    Upstream up;
    up.target = std::move(target);
    up.timeouts = timeouts;
    up.assemble = out.assemble;
    up.request.method = std::move(out.method);
    up.request.target = std::move(out.target);
    for (auto& field : out.fields) up.request.fields.push_back({std::move(field.name), std::move(field.value)});
    up.request.body = std::move(out.body);
    return up;
}

forward::Incoming incoming_of(const Turn& turn, const net::Request& request, std::span<const api::HeaderField> fields) {
    return {turn.match.endpoint, turn.match.dialect, request.method, request.target, fields, request.body, &turn.view};
}

}  // namespace

Upstream to_engine(const config::Model& model, const Turn& turn, const engines::Ready& ready, const net::Request& request) {
    const auto fields = header_fields(request);
    auto members = forward::defaults(model, turn.kind, turn.view);
    if (turn.seat) {
        for (const auto& member : states::members(*turn.seat)) members.push_back({member.name, member.json});
    }
    return upstream_of(ready.target, {}, forward::to_engine(incoming_of(turn, request, fields), turn.choice.model, members));
}

Upstream to_backend(const Turn& turn, const Backend& backend, const net::Request& request, bool gateway_has_keys) {
    const auto fields = header_fields(request);
    const forward::BackendRules rules{backend.key, &backend.config.headers, gateway_has_keys};
    return upstream_of(backend.target, backend.timeouts,
                       forward::to_backend(incoming_of(turn, request, fields), turn.choice.model, rules));
}

namespace {

Result<std::vector<std::string>> model_ids(const std::string& body) {
    simdjson::dom::parser parser;
    simdjson::dom::array list;
    if (parser.parse(body)["data"].get(list) != simdjson::SUCCESS) {
        return fail(Errc::upstream_error, "its answer to GET /models is not a list of models");
    }
    std::vector<std::string> ids;
    for (const auto entry : list) {
        std::string_view id;
        if (entry["id"].get(id) == simdjson::SUCCESS && ids.size() < 1'000) ids.emplace_back(id);
    }
    return ids;
}

awaitable<Result<std::vector<std::string>>> ask_models(Gateway& gateway, Backend& backend) {
    net::Request request;
    request.method = "GET";
    request.target = "/models";
    request.fields.push_back({"accept", "application/json"});
    if (!backend.key.empty()) request.fields.push_back({"authorization", "Bearer " + backend.key});
    for (const auto& [name, value] : backend.config.headers) net::set(request.fields, name, value);
    const net::Timeouts timeouts{std::chrono::seconds(3), std::chrono::seconds(5), std::chrono::seconds(5)};
    backend.question = net::make_call(*gateway.pool, backend.target, timeouts);
    const auto head = co_await net::exchange(*backend.question, std::move(request));
    if (!head) co_return tl::unexpected(head.error());
    if (head->status != 200) {
        co_return fail(Errc::upstream_error, "GET /models answered " + std::to_string(head->status));
    }
    const auto body = co_await net::read_all(*backend.question);
    if (!body) co_return tl::unexpected(body.error());
    co_return model_ids(*body);
}

/// Wakes those who wait for the answer, whatever happens.
struct Asking {
    Backend& backend;
    explicit Asking(Gateway& gateway, Backend& asked) : backend(asked) {
        backend.asked = Clock::now();
        backend.asking = std::make_shared<asio::steady_timer>(gateway.executor, Clock::time_point::max());
    }
    ~Asking() {
        backend.question.reset();
        backend.asking->cancel();
        backend.asking.reset();
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
};

awaitable<void> learn_from(Gateway& gateway, std::size_t index) {
    auto& backend = gateway.backends[index];
    if (gateway.stopping || backend.asking) co_return;
    const Asking asking(gateway, backend);
    auto ids = co_await ask_models(gateway, backend);
    if (gateway.stopping) co_return;
    if (!ids) {
        backend.error = ids.error().detail;
        say(gateway, Level::warn, "backend " + backend.config.name + ": its models are not known: " + backend.error);
        co_return;
    }
    backend.error.clear();
    backend.models = std::move(*ids);
    gateway.table.remotes[index].models = backend.models;
    gateway.table.remotes[index].open = backend.models.empty();
}

}  // namespace

awaitable<void> learn_models(Gateway& gateway, std::chrono::seconds max_age) {
    for (std::size_t i = 0; i < gateway.backends.size() && !gateway.stopping; ++i) {
        const auto& backend = gateway.backends[i];
        if (!backend.config.models.empty() || backend.asking) continue;
        // One that could not be asked may be starting: it is asked again soon.
        const auto age = backend.error.empty() ? max_age : std::min(max_age, std::chrono::seconds(5));
        if (backend.asked != Clock::time_point{} && Clock::now() - backend.asked < age) continue;
        asio::co_spawn(gateway.executor, learn_from(gateway, i), asio::detached);
    }
    // The asking began inside co_spawn, or begins as soon as this one waits.
    co_await asio::post(gateway.executor, asio::use_awaitable);
    for (const auto& backend : gateway.backends) {
        if (const auto asking = backend.asking) {
            boost::system::error_code woken;
            co_await asking->async_wait(asio::redirect_error(asio::use_awaitable, woken));
        }
    }
}

}  // namespace lc::gateway
