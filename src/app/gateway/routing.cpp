#include "app/gateway/routing.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "app/gateway/tools_turn.hpp"

namespace lc::gateway {

namespace {

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

Routing& routing_of(Gateway& gateway) {
    if (!gateway.routing) gateway.routing = std::make_shared<Routing>();
    gateway.routing->breakers.resize(gateway.backends.size());
    return *gateway.routing;
}

std::string place_key(const Gateway& gateway, const route::Choice& choice) {
    const bool local = choice.place == route::Place::local;
    return (local ? std::string("engine") : gateway.backends[choice.index].config.name) + "/" + choice.model;
}

std::int64_t cached_there(const Routing& routing, const std::string& place, const std::string& session) {
    if (session.empty()) return 0;
    const auto it = routing.cached_at.find(place + " " + session);
    return it == routing.cached_at.end() ? 0 : it->second->tokens;
}

void remember_cached(Routing& routing, const std::string& place, const std::string& session, std::int64_t tokens) {
    constexpr std::size_t most = 4'096;
    if (session.empty()) return;
    auto key = place + " " + session;
    if (const auto it = routing.cached_at.find(key); it != routing.cached_at.end()) {
        routing.cached.erase(it->second);
        routing.cached_at.erase(it);
    }
    routing.cached.push_front({key, tokens});
    routing.cached_at.emplace(std::move(key), routing.cached.begin());
    if (routing.cached.size() > most) {
        routing.cached_at.erase(routing.cached.back().key);
        routing.cached.pop_back();
    }
}

std::int64_t busy_at(const Gateway& gateway, const Turn* self, const route::Choice& choice) {
    std::int64_t busy = 0;
    for (const Turn* other : gateway.turns) {
        const bool local = choice.place == route::Place::local;
        if (other != self && !other->choice.model.empty() && other->local == local && other->choice.index == choice.index) ++busy;
    }
    return busy;
}

route::Facts facts_of(Gateway& gateway, const Turn* turn, const std::string& session, const route::Choice& choice) {
    auto& routing = routing_of(gateway);
    const auto key = place_key(gateway, choice);
    route::Facts facts;
    if (const auto it = routing.places.find(key); it != routing.places.end()) facts.speed = it->second.speed;
    facts.now.cached = cached_there(routing, key, session);
    facts.now.busy = busy_at(gateway, turn, choice);
    if (choice.place == route::Place::remote) {
        const auto& config = gateway.backends[choice.index].config;
        facts.roles = config.roles;
        facts.context = config.context;
        // Nobody asked it: only what is configured can tell, and a backend without roles is taken at its word.
        facts.vision = config.roles.empty() || std::ranges::find(config.roles, "vision") != config.roles.end();
        facts.fim = std::ranges::find(config.roles, "fim") != config.roles.end();
        const auto& breaker = routing.breakers[choice.index];
        if (const auto now = now_ms(); !route::may_try(breaker, now)) facts.rests_ms = std::max<std::int64_t>(1, breaker.open_until_ms - now);
        return facts;
    }
    const auto& config = gateway.options.config.models[choice.index];
    const auto seen = engines::glance(*gateway.engines, config.name);
    facts.roles = config.roles;
    facts.now.local = true;
    facts.now.loaded = seen.ready;
    facts.now.slots = seen.slots > 0 ? seen.slots : config.slots;
    facts.context = seen.context_per_slot;
    facts.vision = seen.vision || (!config.mmproj.empty() && config.mmproj != "none");
    if (seen.info) {
        facts.tools = seen.info->tools;
        facts.fim = seen.info->fim;
        facts.now.file_bytes = seen.info->file_bytes;
    }
    return facts;
}

/// Whether another place may do what this one could not. What the client did wrong is wrong everywhere.
bool another_may(Errc code) {
    switch (code) {
        case Errc::upstream_error:
        case Errc::upstream_timeout:
        case Errc::rate_limited:
        case Errc::overloaded:
        case Errc::model_load_failed:
        case Errc::context_length_exceeded:
        case Errc::unauthorized:  // the key of that place, not the client's
        case Errc::unsupported:   // by that model
            return true;
        default: return false;
    }
}

/// `cut`: the answer ended in the middle, which the client was told.
route::Attempt attempt_of(const Result<void>& done, bool cancelled, bool cut) {
    if (done) return cut ? route::Attempt::failed : route::Attempt::good;
    if (cancelled) return route::Attempt::neutral;
    switch (done.error().code) {
        case Errc::upstream_error:
        case Errc::upstream_timeout:
        case Errc::overloaded: return route::Attempt::failed;
        case Errc::rate_limited: return route::Attempt::refused;
        case Errc::cancelled:
        case Errc::internal: return route::Attempt::neutral;
        default: return route::Attempt::good;  // it answered: the request was at fault
    }
}

void learn_from_answer(Gateway& gateway, Turn& turn, RouteTurn& route_turn, bool good) {
    auto& routing = routing_of(gateway);
    const auto key = place_key(gateway, turn.choice);
    constexpr std::size_t most_places = 1'024;
    if (routing.places.size() >= most_places && !routing.places.contains(key)) routing.places.erase(routing.places.begin());
    auto& place = routing.places[key];
    const bool loaded_now = turn.local && !route_turn.was_loaded && turn.record.ms.wait && *turn.record.ms.wait > 0;
    if (loaded_now) place.speed = route::learn_load(place.speed, *turn.record.ms.wait);
    if (!good) return;

    route::Observation seen;
    seen.local = turn.local;
    if (const auto& t = turn.tally.timings) {
        seen.prompt = t->cache_n + t->prompt_n;
        seen.cached = t->cache_n;
        seen.generated = t->predicted_n;
        seen.prefill_ms = t->prompt_ms;
        seen.decode_ms = t->predicted_ms;
    } else if (const auto& usage = turn.tally.usage) {
        seen.prompt = usage->prompt;
        seen.cached = usage->cached.value_or(0);
        seen.generated = usage->completion;
    }
    const auto before_ms = ms_since(turn.began, route_turn.sent);
    if (turn.record.ms.first_token) seen.first_token_ms = *turn.record.ms.first_token - before_ms;
    seen.total_ms = ms_since(route_turn.sent);
    place.speed = route::learn(place.speed, seen);
    if (seen.prompt > 0 && route_turn.prompt_bytes > 256) {
        const double ratio = static_cast<double>(seen.prompt) / static_cast<double>(route_turn.prompt_bytes);
        place.tokens_per_byte = place.tokens_per_byte > 0 ? 0.75 * place.tokens_per_byte + 0.25 * ratio : ratio;
    }
    if (seen.prompt > 0) remember_cached(routing, key, turn.record.session, seen.prompt + seen.generated);
    if (route_turn.at == 0 && turn.record.ms.first_token) {
        const double predicted = route_turn.plan.candidates[0].prediction.ttft_ms;
        metrics::observe(gateway.metrics, "route_prediction_error_seconds", {},
                         std::abs(*turn.record.ms.first_token - predicted) / 1000);
    }
}

double learned_ratio(Gateway& gateway, const route::Table& table, std::string_view asked) {
    const auto choice = route::resolve(table, asked);
    if (!choice) return 0;
    const auto& places = routing_of(gateway).places;
    const auto it = places.find(place_key(gateway, *choice));
    return it == places.end() ? 0 : it->second.tokens_per_byte;
}

bool is_auto(const Gateway& gateway, const route::Features& features) {
    return features.model == "auto" || !gateway.options.config.routes.empty();
}

/// Backends are asked for their models where the choice hangs on them; engines' headers are read.
awaitable<void> look_around(Gateway& gateway, Turn* turn, const route::Features& features) {
    const bool open = is_auto(gateway, features);
    const auto choice = route::resolve(gateway.table, features.model);
    const bool unsure = open || !choice || (choice->place == route::Place::remote && choice->reason != "name");
    if (unsure && !gateway.backends.empty()) {
        if (turn) turn->waiting_for = "asking backends for their models";
        co_await learn_models(gateway, std::chrono::seconds(60));
    }
    if (!open) co_return;
    for (const auto& model : gateway.options.config.models) {
        const auto seen = engines::glance(*gateway.engines, model.name);
        if (!seen.info) co_await engines::describe(*gateway.engines, model.name);
    }
}

/// Fields of a request as rules see them.
std::vector<api::HeaderField> fields_of(const net::Request& request) {
    std::vector<api::HeaderField> out;
    for (const auto& field : request.fields) out.push_back({field.name, field.value});
    return out;
}

void take_place(Turn& turn, RouteTurn& route_turn, std::size_t at) {
    route_turn.at = at;
    turn.choice = route_turn.plan.candidates[at].choice;
    turn.local = turn.choice.place == route::Place::local;
}

}  // namespace

awaitable<Result<void>> choose_places(Gateway& gateway, Turn& turn) {
    auto mine = std::make_shared<RouteTurn>();
    const auto& incoming = request(*turn.exchange);
    mine->prompt_bytes = turn.view.prompt_bytes;
    const double ratio = learned_ratio(gateway, gateway.table, turn.view.model);
    mine->features = route::features_of(turn.view, incoming.body, turn.session, turn.kind, ratio);
    const auto by_role = model_of_role(gateway, turn);
    if (!by_role.empty()) mine->features.model = by_role;
    co_await look_around(gateway, &turn, mine->features);
    if (turn.cancelled) co_return fail(Errc::cancelled, "the client left");
    const auto fields = fields_of(incoming);
    const auto& session = turn.record.session;
    auto plan = route::plan(gateway.table, gateway.options.config.routes, mine->features, fields,
                            [&](const route::Choice& choice) { return facts_of(gateway, &turn, session, choice); });
    if (!plan) co_return tl::unexpected(plan.error());
    mine->plan = std::move(*plan);
    take_place(turn, *mine, 0);
    if (!by_role.empty() && turn.choice.reason == "name") turn.choice.reason = "role";
    turn.route_turn = std::move(mine);
    turn.record.route = route::to_json(turn.route_turn->plan, turn.route_turn->features);
    co_return Result<void>{};
}

awaitable<Result<std::string>> explain_route(Gateway& gateway, const net::Request& incoming, std::string_view path) {
    const auto match = api::match_endpoint("POST", path);
    auto view = api::parse_request(match.dialect, incoming.body,
                                   static_cast<std::size_t>(gateway.options.config.server.limits.max_json_depth));
    if (!view) co_return tl::unexpected(view.error());
    const auto fields = fields_of(incoming);
    const auto session = api::session_of(*view, fields);
    const auto kind = std::string(api::kind_of(*view, session));
    const double ratio = learned_ratio(gateway, gateway.table, view->model);
    const auto features = route::features_of(*view, incoming.body, session, kind, ratio);
    co_await look_around(gateway, nullptr, features);
    const auto plan = route::plan(gateway.table, gateway.options.config.routes, features, fields,
                                  [&](const route::Choice& choice) { return facts_of(gateway, nullptr, session.id, choice); });
    if (!plan) co_return tl::unexpected(plan.error());
    co_return route::to_json(*plan, features);
}

bool has_next_place(const Turn& turn) {
    if (!turn.route_turn) return false;
    const auto& [plan, at] = std::tie(turn.route_turn->plan, turn.route_turn->at);
    return at + 1 < plan.candidates.size() && plan.candidates[at + 1].capable;
}

void begin_attempt(Gateway& gateway, Turn& turn) {
    if (!turn.route_turn) return;
    turn.route_turn->sent = Clock::now();
    auto& mine = *turn.route_turn;
    if (mine.at == 0 && has_next_place(turn)) {  // a place may be asked in another form than the client's
        mine.original = pack(request(*turn.exchange).body, true);
        mine.match = turn.match;
    }
    if (turn.local) {
        turn.route_turn->was_loaded = engines::glance(*gateway.engines, turn.choice.model).ready;
    } else {
        auto& breaker = routing_of(gateway).breakers[turn.choice.index];
        breaker = route::begin(breaker, now_ms());
    }
}

namespace {

/// The request as it came, nothing of the last place's answer.
void start_again(Gateway& gateway, Turn& turn, const RouteTurn& mine) {
    leave_seat(gateway, turn, false);
    turn.call.reset();
    turn.tool_turn.reset();
    turn.prompt.reset();
    turn.writer.reset();
    turn.fim.reset();
    turn.heard.reset();
    turn.tally = {};
    turn.seated = false;
    turn.ended = false;
    turn.cache_key.clear();
    turn.retry_after_ms.clear();
    turn.record.ms.wait.reset();
    turn.record.cache_outcome.clear();
    turn.record.prompt.clear();
    turn.match = mine.match;
    const bool stream = turn.view.stream;
    auto body = unpack(mine.original);
    if (auto view = api::parse_request(turn.match.dialect, body,
                                       static_cast<std::size_t>(gateway.options.config.server.limits.max_json_depth))) {
        request(*turn.exchange).body = std::move(body);
        turn.view = std::move(*view);
        turn.view.stream = stream;
    }
}

}  // namespace

bool next_place(Gateway& gateway, Turn& turn, const Result<void>& done) {
    if (!turn.route_turn) return false;
    auto& mine = *turn.route_turn;
    const bool good = done && turn.record.error_code.empty() && !turn.cancelled;
    if (!turn.local) {
        auto& breaker = routing_of(gateway).breakers[turn.choice.index];
        const bool cut = turn.record.error_code == name_of(Errc::upstream_error);
        const auto wait = done ? 0 : static_cast<std::int64_t>(done.error().retry_after_s) * 1'000;
        breaker = route::end(breaker, attempt_of(done, turn.cancelled, cut), now_ms(), wait);
    }
    learn_from_answer(gateway, turn, mine, good);
    if (done || turn.cancelled || gateway.stopping || turn.record.bytes_out > 0) return false;
    if (!another_may(done.error().code) || !has_next_place(turn)) return false;

    const auto failed = place_key(gateway, turn.choice);
    mine.plan.candidates[mine.at].why += "; failed: " + done.error().detail.substr(0, 300);
    start_again(gateway, turn, mine);
    take_place(turn, mine, mine.at + 1);
    turn.choice.reason = "fallback";
    note_place(gateway, turn);
    turn.record.route = route::to_json(mine.plan, mine.features);
    say(gateway, Level::warn,
        "request " + turn.id + ": " + failed + " failed (" + done.error().detail + "); trying " + place_key(gateway, turn.choice));
    metrics::add(gateway.metrics, "route_fallbacks_total", {{"from", failed}, {"to", place_key(gateway, turn.choice)}});
    begin_tools(gateway, turn);
    return true;
}

}  // namespace lc::gateway
