// Answers that need no generation: health, version, models, the engine's own queries, and the open door to an engine.
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <simdjson.h>

#include "app/gateway/media_turn.hpp"
#include "app/gateway/parts.hpp"
#include "base/text.hpp"
#include "core/forward/forward.hpp"

namespace lc::gateway {

namespace json = boost::json;

namespace {

const engines::Status* find_status(const std::vector<engines::Status>& all, std::string_view name) {
    for (const auto& one : all) {
        if (one.name == name) return &one;
    }
    return nullptr;
}

json::array strings(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

json::object model_entry(std::string_view id, std::string_view owner, std::int64_t created) {
    // OpenAI's fields, and those of Anthropic's list: clients of either kind find theirs.
    return {{"id", id},         {"object", "model"},  {"created", created},
            {"owned_by", owner}, {"type", "model"},   {"display_name", id},
            {"created_at", "1970-01-01T00:00:00Z"}};
}

awaitable<json::object> local_entry(Gateway& gateway, const config::Model& model, std::string id) {
    auto entry = model_entry(id, "localcode", gateway.started_unix);
    json::object details{{"place", "local"}};
    const auto info = co_await engines::describe(*gateway.engines, model.name);
    if (!info) {
        details["error"] = info.error().detail;
    } else {
        const auto& i = **info;
        entry["meta"] = {{"n_ctx", i.context_per_slot},      {"n_ctx_train", i.context_train},
                         {"n_params", i.parameters},         {"size", i.file_bytes}};
        details["capabilities"] = strings(engines::capabilities(i));
        details["context"] = i.context_per_slot;
        details["output"] = model.output > 0 ? model.output : std::min<std::int64_t>(2048, i.context_per_slot / 8);
        details["slots"] = i.slots;
        details["path"] = i.path;
        details["architecture"] = i.architecture;
        details["quantisation"] = i.quantisation;
        details["notes"] = strings(i.notes);
        details["template"] = i.template_note;
    }
    const auto statuses = engines::status(*gateway.engines);
    if (const auto* status = find_status(statuses, model.name)) details["phase"] = engine::name_of(status->phase);
    details["aliases"] = strings(model.aliases);
    entry["localcode"] = std::move(details);
    co_return entry;
}

json::object remote_entry(const Gateway& gateway, const Backend& backend, std::string_view model) {
    auto entry = model_entry(model, backend.config.name, gateway.started_unix);
    if (backend.config.context > 0) entry["meta"] = {{"n_ctx", backend.config.context}};
    entry["localcode"] = {{"place", "remote"}, {"backend", backend.config.name}, {"context", backend.config.context}};
    if (backend.config.output > 0) entry["localcode"].as_object()["output"] = backend.config.output;
    return entry;
}

awaitable<json::array> all_models(Gateway& gateway) {
    co_await learn_models(gateway, std::chrono::seconds(60));
    json::array list;
    for (const auto& model : gateway.options.config.models) {
        list.push_back(co_await local_entry(gateway, model, model.name));
    }
    for (const auto& backend : gateway.backends) {
        for (const auto& model : backend.models) list.push_back(remote_entry(gateway, backend, model));
    }
    co_return list;
}

/// The model that an engine query is about: ?model=, the body's "model", else the default.
std::string queried_model(const net::Request& request) {
    const auto query = request.target.find('?');
    if (query != std::string::npos) {
        std::string_view rest = std::string_view(request.target).substr(query + 1);
        while (!rest.empty()) {
            const auto part = rest.substr(0, rest.find('&'));
            if (part.starts_with("model=")) return std::string(part.substr(6));
            rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        }
    }
    if (request.body.empty()) return {};
    simdjson::dom::parser parser;
    std::string_view model;
    if (parser.parse(request.body)["model"].get(model) == simdjson::SUCCESS) return std::string(model);
    return {};
}

net::Fields answer_headers(const Gateway& gateway, const net::Request& request, const net::ResponseHead& upstream) {
    const auto type = net::get(upstream.fields, "content-type");
    auto kept = answer_fields(gateway, request, type.empty() ? "application/octet-stream" : type, {});
    for (const auto& field : upstream.fields) {
        if (forward::answer_may_pass(field.name) && !iequals(field.name, "content-type")) kept.push_back(field);
    }
    if ((upstream.status == 429 || upstream.status == 503) && net::get(kept, "retry-after").empty()) {
        kept.push_back({"retry-after", "1"});
    }
    return kept;
}

/// Passes a request on as it is and the answer back as it comes, whatever it is.
awaitable<Result<void>> tunnel(Gateway& gateway, net::Exchange& exchange, net::Call& call, net::Request outgoing) {
    const auto head = co_await net::exchange(call, std::move(outgoing));
    if (!head) co_return tl::unexpected(head.error());
    net::ResponseHead own{head->status, answer_headers(gateway, request(exchange), *head)};
    own.length = head->length;
    if (auto ok = co_await net::start(exchange, std::move(own)); !ok) co_return ok;
    while (true) {
        const auto piece = co_await net::read_some(call);
        if (!piece) co_return tl::unexpected(piece.error());
        if (piece->empty()) co_return co_await net::finish(exchange);
        if (auto ok = co_await net::send(exchange, *piece); !ok) co_return ok;
    }
}

/// The request as it goes on. Its body is taken, not copied: it is sent once.
net::Request take_request(net::Exchange& exchange, std::string path, bool keep_key) {
    net::Request out;
    auto& in = request(exchange);
    out.method = in.method;
    out.target = std::move(path);
    out.body = std::move(in.body);
    for (const auto& field : in.fields) {
        // Nobody looks into the answer here, so the client may have it compressed.
        const bool coding = iequals(field.name, "accept-encoding");
        if (coding || forward::may_pass(field.name, keep_key)) out.fields.push_back(field);
    }
    return out;
}

/// `model` and the target it is answered at, engine or backend; then the tunnel.
awaitable<void> tunnel_to(Gateway& gateway, net::Exchange& exchange, std::string model, std::string path, bool local_only) {
    auto choice = route::resolve(gateway.table, model);
    if (!choice) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, choice.error());

    net::CallPtr call;
    net::Request outgoing;
    engines::Leave leave;
    engines::Lease lease;
    if (choice->place == route::Place::local) {
        // Its paths for chat take images by address, and would fetch them.
        if (auto ok = co_await check_media(gateway, request(exchange)); !ok) {
            co_return co_await answer_error(gateway, exchange, api::Dialect::plain, ok.error());
        }
        net::on_gone(exchange, [&leave] { leave.leave(); });
        const auto ready = co_await engines::acquire(*gateway.engines, choice->model, {}, &leave);
        if (!ready) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, ready.error());
        lease = ready->lease;
        call = net::make_call(*gateway.pool, ready->target, {});
        outgoing = take_request(exchange, std::move(path), false);
    } else {
        const auto& backend = gateway.backends[choice->index];
        if (local_only) {
            co_return co_await answer_error(
                gateway, exchange, api::Dialect::plain,
                error_of(Errc::unsupported, "this path is llama.cpp's own; model '" + choice->model +
                                                "' is served by backend '" + backend.config.name + "'"));
        }
        call = net::make_call(*gateway.pool, backend.target, backend.timeouts);
        outgoing = take_request(exchange, std::move(path), backend.key.empty() && gateway.keys.empty());
        if (!backend.key.empty()) net::set(outgoing.fields, "authorization", "Bearer " + backend.key);
        for (const auto& [name, value] : backend.config.headers) net::set(outgoing.fields, name, value);
    }
    net::on_gone(exchange, [&call] { net::cancel(*call); });
    const auto done = co_await tunnel(gateway, exchange, *call, std::move(outgoing));
    if (done || net::gone(exchange)) co_return;
    if (net::started(exchange)) co_return co_await net::abort(exchange);
    co_await answer_error(gateway, exchange, api::Dialect::plain, done.error());
}

}  // namespace

awaitable<void> health(Gateway& gateway, net::Exchange& exchange) {
    const json::object body{{"status", "ok"}, {"provider", "LocalCode"}, {"model", gateway.table.default_model}};
    co_await answer_json(gateway, exchange, 200, json::serialize(body));
}

awaitable<void> version(Gateway& gateway, net::Exchange& exchange) {
    const json::object body{{"name", "LocalCode"}, {"version", gateway.options.version}};
    co_await answer_json(gateway, exchange, 200, json::serialize(body));
}

awaitable<void> models(Gateway& gateway, net::Exchange& exchange, std::string id) {
    if (id.empty()) {
        auto list = co_await all_models(gateway);
        json::object body{{"object", "list"}, {"has_more", false}};
        body["first_id"] = list.empty() ? json::value(nullptr) : list.front().at("id");
        body["last_id"] = list.empty() ? json::value(nullptr) : list.back().at("id");
        body["data"] = std::move(list);
        co_return co_await answer_json(gateway, exchange, 200, json::serialize(body));
    }
    co_await learn_models(gateway, std::chrono::seconds(60));
    const auto choice = route::resolve(gateway.table, id);
    if (!choice) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, choice.error());
    json::object entry;
    if (choice->place == route::Place::local) {
        entry = co_await local_entry(gateway, gateway.options.config.models[choice->index], id);
    } else {
        entry = remote_entry(gateway, gateway.backends[choice->index], id);
    }
    co_await answer_json(gateway, exchange, 200, json::serialize(entry));
}

awaitable<void> engine_query(Gateway& gateway, net::Exchange& exchange, api::EndpointMatch match) {
    auto model = queried_model(request(exchange));
    if (model.empty()) {
        // Without a name the default is meant, or the first local model when the default is a remote one.
        const auto fallback = route::resolve(gateway.table, "");
        const bool remote = !fallback || fallback->place == route::Place::remote;
        const auto& locals = gateway.options.config.models;
        model = remote && !locals.empty() ? locals.front().name : gateway.table.default_model;
    }
    co_await tunnel_to(gateway, exchange, std::move(model), std::move(match.rest), true);
}

awaitable<void> pass_upstream(Gateway& gateway, net::Exchange& exchange, api::EndpointMatch match) {
    co_await tunnel_to(gateway, exchange, std::move(match.param), std::move(match.rest), false);
}

std::string metrics_text(Gateway& gateway) {
    auto& m = gateway.metrics;
    metrics::set(m, "streams_open", {}, static_cast<double>(gateway.streams_open));
    const auto kept = states::last_stats(*gateway.states);
    metrics::set(m, "kv_bytes", {{"tier", "disk"}}, static_cast<double>(kept.bytes));
    metrics::set(m, "kv_written_bytes_total", {}, static_cast<double>(kept.bytes_written));
    metrics::set(m, "kv_written_today_bytes", {}, static_cast<double>(kept.written_today));
    metrics::set(m, "kv_writes_refused_total", {}, static_cast<double>(kept.writes_refused));
    for (const std::string name : {"lru", "lru2", "hazard"}) {
        if (!kept.policy.empty()) metrics::set(m, "kv_policy", {{"policy", name}}, name == kept.policy_in_force ? 1.0 : 0.0);
    }
    for (const auto& status : engines::status(*gateway.engines)) {
        metrics::set(m, "engine_restarts_total", {{"model", status.name}}, static_cast<double>(status.restarts));
    }
    return metrics::render(m);
}

}  // namespace lc::gateway
