// The admin API: what the command line shows and does. Documents: docs/api.md.
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <unistd.h>

#include "app/gateway/parts.hpp"
#include "app/gateway/routing.hpp"
#include "shell/store/record_json.hpp"

namespace lc::gateway {

namespace json = boost::json;

namespace {

json::array strings(const std::vector<std::string>& list) { return json::array(list.begin(), list.end()); }

json::object engine_json(const engines::Status& status) {
    return {{"name", status.name},
            {"phase", engine::name_of(status.phase)},
            {"pid", status.pid},
            {"restarts", status.restarts},
            {"in_use", status.in_use},
            {"rss_bytes", status.rss_bytes},
            {"context", status.context_per_slot},
            {"slots", status.slots},
            {"own_engine", status.ours},
            {"template", status.template_note},
            {"notes", strings(status.notes)},
            {"log", status.log_file},
            {"error", status.last_error}};
}

json::object status_json(Gateway& gateway) {
    json::array all_engines, all_backends;
    for (const auto& status : engines::status(*gateway.engines)) all_engines.push_back(engine_json(status));
    for (const auto& backend : gateway.backends) {
        all_backends.push_back({{"name", backend.config.name},
                                {"url", backend.config.url},
                                {"models", strings(backend.models)},
                                {"error", backend.error}});
    }
    json::object out{{"version", gateway.options.version},
                     {"pid", static_cast<std::int64_t>(::getpid())},
                     {"uptime_s", static_cast<std::int64_t>(ms_since(gateway.started) / 1000)},
                     {"listen", strings(gateway.listening)},
                     {"state_dir", gateway.options.state_dir},
                     {"connections", gateway.connections ? gateway.connections() : 0},
                     {"streams_open", gateway.streams_open},
                     {"requests_total", gateway.requests_total},
                     {"default_model", gateway.table.default_model},
                     {"engines", std::move(all_engines)},
                     {"backends", std::move(all_backends)}};
    if (gateway.options.requests) {
        const auto log = store::stats(*gateway.options.requests);
        out["request_log"] = {{"dropped", log.dropped}, {"error", log.last_error}};
    }
    return out;
}

/// One row a model, flat, for `localcode models`.
awaitable<json::array> models_json(Gateway& gateway) {
    co_await learn_models(gateway, std::chrono::seconds(60));
    json::array rows;
    const auto& fallback = gateway.table.default_model;
    const auto statuses = engines::status(*gateway.engines);
    for (std::size_t i = 0; i < gateway.options.config.models.size(); ++i) {
        const auto& model = gateway.options.config.models[i];
        json::object row{{"id", model.name},
                         {"kind", "local"},
                         {"backend", "engine"},
                         {"path", model.path.empty() ? model.hf : model.path},
                         {"aliases", strings(model.aliases)},
                         {"default", model.name == fallback}};
        for (const auto& status : statuses) {
            if (status.name == model.name) row["phase"] = engine::name_of(status.phase);
        }
        const auto info = co_await engines::describe(*gateway.engines, model.name);
        if (info) {
            row["context"] = (*info)->context_per_slot;
            row["slots"] = (*info)->slots;
            row["architecture"] = (*info)->architecture;
            row["quantisation"] = (*info)->quantisation;
            row["size_bytes"] = (*info)->file_bytes;
            row["template"] = (*info)->template_note;
            row["notes"] = strings((*info)->notes);
            row["parameters"] = (*info)->parameters;
            row["capabilities"] = strings(engines::capabilities(**info));
        } else {
            row["error"] = info.error().detail;
        }
        rows.push_back(std::move(row));
    }
    for (const auto& backend : gateway.backends) {
        for (const auto& model : backend.models) {
            rows.push_back({{"id", model},
                            {"kind", "remote"},
                            {"backend", backend.config.name},
                            {"context", backend.config.context},
                            {"default", model == fallback}});
        }
    }
    co_return rows;
}

std::string query_value(std::string_view target, std::string_view key) {
    const auto mark = target.find('?');
    std::string_view rest = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
    while (!rest.empty()) {
        const auto part = rest.substr(0, rest.find('&'));
        if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == '=') {
            return std::string(part.substr(key.size() + 1));
        }
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    }
    return {};
}

json::array running_json(const Gateway& gateway) {
    json::array rows;
    for (const Turn* turn : gateway.turns) {
        rows.push_back({{"id", turn->id},
                        {"model", turn->record.model_used},
                        {"session", turn->record.session},
                        {"kind", turn->kind},
                        {"stream", turn->view.stream},
                        {"ms", ms_since(turn->began)},
                        {"waiting_for", turn->waiting_for}});
    }
    return rows;
}

bool cancel_request(Gateway& gateway, std::string_view id) {
    for (Turn* turn : gateway.turns) {
        if (turn->id != id) continue;
        turn->cancelled = true;
        turn->leave.leave();
        if (turn->call) net::cancel(*turn->call);
        return true;
    }
    return false;
}

/// Runs `read` where it may block, and comes back to the network thread.
template <class Read>
awaitable<decltype(std::declval<Read>()())> off_thread(Gateway& gateway, Read read) {
    co_await asio::post(asio::bind_executor(gateway.files.get_executor(), asio::use_awaitable));
    auto result = read();
    co_await asio::post(asio::bind_executor(gateway.executor, asio::use_awaitable));
    co_return result;
}

struct ReadRecent {
    std::string path;
    store::Filter filter;
    std::size_t limit;
    Result<std::vector<log::RequestRecord>> operator()() const { return store::recent(path, filter, limit); }
};

struct ReadOne {
    std::string path, id;
    Result<log::RequestRecord> operator()() const { return store::find(path, id); }
};

awaitable<void> answer_requests(Gateway& gateway, net::Exchange& exchange) {
    const auto& target = request(exchange).target;
    const auto limit = query_value(target, "limit");
    ReadRecent read{gateway.options.state_dir + "/requests.db", {}, 50};
    read.filter.model = query_value(target, "model");
    read.filter.session = query_value(target, "session");
    if (!limit.empty()) read.limit = static_cast<std::size_t>(std::clamp(std::atoi(limit.c_str()), 1, 1'000));
    const auto records = co_await off_thread(gateway, std::move(read));
    if (!records) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, records.error());
    std::string body = "{\"running\":" + json::serialize(running_json(gateway)) + ",\"requests\":[";
    for (std::size_t i = 0; i < records->size(); ++i) body += (i ? "," : "") + store::to_json((*records)[i]);
    co_await answer_json(gateway, exchange, 200, body + "]}");
}

awaitable<void> answer_one_request(Gateway& gateway, net::Exchange& exchange, std::string id) {
    ReadOne read{gateway.options.state_dir + "/requests.db", std::move(id)};
    const auto record = co_await off_thread(gateway, std::move(read));
    if (!record) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, record.error());
    co_await answer_json(gateway, exchange, 200, store::to_json(*record));
}

/// Where a request would go: the body is the request, `?path=` the endpoint that it is for.
awaitable<void> answer_route(Gateway& gateway, net::Exchange& exchange) {
    auto path = query_value(request(exchange).target, "path");
    if (path.empty()) path = "/v1/chat/completions";
    auto plan = co_await explain_route(gateway, request(exchange), path);
    if (!plan) co_return co_await answer_error(gateway, exchange, api::Dialect::plain, plan.error());
    co_await answer_json(gateway, exchange, 200, std::move(*plan));
}

awaitable<void> answer_logs(Gateway& gateway, net::Exchange& exchange) {
    const auto name = query_value(request(exchange).target, "engine");
    std::string text;
    for (const auto& status : engines::status(*gateway.engines)) {
        if (!name.empty() && status.name != name) continue;
        text += engines::recent_output(*gateway.engines, status.name);
    }
    net::Response response{200, {{"content-type", "text/plain; charset=utf-8"}}, std::move(text)};
    co_await net::respond(exchange, std::move(response));
}

}  // namespace

awaitable<void> admin(Gateway& gateway, net::Exchange& exchange, std::string path) {
    const auto& method = request(exchange).method;
    if (method == "GET" && path == "status") {
        co_return co_await answer_json(gateway, exchange, 200, json::serialize(status_json(gateway)));
    }
    if (method == "GET" && path == "models") {
        auto rows = co_await models_json(gateway);
        const json::object body{{"models", std::move(rows)}};
        co_return co_await answer_json(gateway, exchange, 200, json::serialize(body));
    }
    if (method == "GET" && path == "requests") co_return co_await answer_requests(gateway, exchange);
    if (method == "GET" && path.starts_with("requests/")) {
        co_return co_await answer_one_request(gateway, exchange, path.substr(9));
    }
    if (method == "DELETE" && path.starts_with("requests/")) {
        if (cancel_request(gateway, std::string_view(path).substr(9))) {
            co_return co_await answer_json(gateway, exchange, 200, R"({"cancelled":true})");
        }
        co_return co_await answer_error(gateway, exchange, api::Dialect::plain,
                                        error_of(Errc::not_found, "no such request is running"));
    }
    if (method == "POST" && path == "route") co_return co_await answer_route(gateway, exchange);
    if (method == "GET" && path == "logs") co_return co_await answer_logs(gateway, exchange);
    const bool about_models = co_await admin_models(gateway, exchange, path);
    if (about_models) co_return;
    if (method == "POST" && path == "shutdown") {
        co_await answer_json(gateway, exchange, 200, R"({"stopping":true})");
        if (gateway.shutdown) gateway.shutdown();
        co_return;
    }
    const bool about_states = co_await admin_states(gateway, exchange, path);
    if (about_states) co_return;
    co_await answer_error(gateway, exchange, api::Dialect::plain,
                          error_of(Errc::not_found, "the admin API has no " + method + " /localcode/v1/" + path));
}

}  // namespace lc::gateway
