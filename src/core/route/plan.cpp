#include "core/route/plan.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "core/route/glob.hpp"

namespace lc::route {

namespace {

bool has(const std::vector<std::string>& list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
}

/// Roles that suit a request, best first. The first group is what it needs; places without any are not capable of some kinds.
struct Wanted {
    std::vector<std::string_view> roles;
    bool needed = false;  ///< a place with none of them cannot answer
};

Wanted wanted(const Features& f) {
    if (f.kind == "embedding") return {{"embed"}, true};
    if (f.kind == "rerank") return {{"rerank"}, true};
    if (f.kind == "fim") return {{"fim", "coder"}, false};
    if (f.media > 0) return {{"vision", "coder", "general"}, false};
    if (f.kind == "title") return {{"small", "general", "coder"}, false};
    const bool code = f.tools > 0 || f.code_share > 0.1 || !f.language.empty() || f.kind == "main" || f.kind == "subagent";
    if (f.kind == "plan" || !code) return {{"general", "coder", "small"}, false};
    return {{"coder", "general", "small"}, false};
}

const std::vector<std::string>& roles_of(const Facts& facts) {
    static const std::vector<std::string> usual{"coder"};
    return facts.roles.empty() ? usual : facts.roles;
}

/// 0: best; as many as there are roles: none of them.
std::size_t rank_of(const Wanted& want, const Facts& facts) {
    for (std::size_t i = 0; i < want.roles.size(); ++i) {
        if (has(roles_of(facts), want.roles[i])) return i;
    }
    return want.roles.size();
}

/// Only for something else than to talk.
bool special(const Facts& facts) {
    return std::ranges::all_of(roles_of(facts), [](const auto& r) { return r == "embed" || r == "rerank" || r == "fim"; });
}

/// Why a place cannot answer; empty: it can. `by_role`: nobody named the place, so its roles count.
std::string obstacle(const Features& f, const Facts& facts, bool by_role) {
    if (by_role) {
        const auto want = wanted(f);
        const bool fits = rank_of(want, facts) < want.roles.size();
        if (want.needed && !fits) return "has not the role " + std::string(want.roles.front());
        if (f.kind == "fim" && !facts.fim && !has(roles_of(facts), "fim")) return "has no tokens for fill-in-the-middle";
        if (!want.needed && f.kind != "fim" && special(facts)) return "has only the role " + roles_of(facts).front();
    }
    if (f.media > 0 && !facts.vision) return "sees no images: it has no projector";
    if (f.tools > 0 && !facts.tools) return "its chat template renders no tools";
    if (facts.context > 0 && f.tokens >= facts.context) {
        return "about " + std::to_string(f.tokens) + " tokens do not fit into its context of " + std::to_string(facts.context);
    }
    return {};
}

Candidate candidate_of(const Table& table, Choice choice) {
    Candidate out;
    out.model = choice.model;
    out.backend = choice.place == Place::local ? "engine" : table.remotes[choice.index].name;
    out.choice = std::move(choice);
    return out;
}

void add_once(std::vector<Candidate>& list, Candidate candidate) {
    for (const auto& c : list) {
        if (c.backend == candidate.backend && c.model == candidate.model) return;
    }
    list.push_back(std::move(candidate));
}

/// Every place there is.
void add_all(const Table& table, std::string_view reason, std::vector<Candidate>& list) {
    for (std::size_t i = 0; i < table.locals.size(); ++i) {
        add_once(list, candidate_of(table, {Place::local, i, table.locals[i].name, std::string(reason)}));
    }
    for (std::size_t i = 0; i < table.remotes.size(); ++i) {
        // The first that a backend lists is its default; more of them would only compete with each other.
        if (table.remotes[i].models.empty()) continue;
        add_once(list, candidate_of(table, {Place::remote, i, table.remotes[i].models.front(), std::string(reason)}));
    }
}

/// The place of that name, and other backends that have a model of the very same name.
Result<std::vector<Candidate>> named(const Table& table, std::string_view name) {
    auto choice = resolve(table, name);
    if (!choice) return tl::unexpected(choice.error());
    std::vector<Candidate> out;
    const std::string model = choice->model;
    const bool whole_name = choice->place == Place::remote && choice->reason != "backend";
    out.push_back(candidate_of(table, std::move(*choice)));
    for (std::size_t i = 0; whole_name && i < table.remotes.size(); ++i) {
        if (has(table.remotes[i].models, model)) add_once(out, candidate_of(table, {Place::remote, i, model, "same-name"}));
    }
    return out;
}

/// A server that takes any name does not make it a model's.
bool is_a_model(const Table& table, std::string_view name) {
    const auto choice = resolve(table, name);
    return choice && choice->reason != "only-backend";
}

double weight_of(const config::Route& route, const Candidate& c) {
    for (const auto& key : {c.backend + "/" + c.model, c.model, c.backend}) {
        if (const auto it = route.weights.find(key); it != route.weights.end()) return it->second;
    }
    const auto it = route.weights.find(c.choice.place == Place::local ? "local" : "remote");
    return it == route.weights.end() ? 1 : it->second;
}

std::string seconds(double ms) {
    const auto tenths = std::llround(ms / 100);
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

std::string_view label(const Candidate& c) { return c.choice.place == Place::local ? "local" : "remote"; }

struct Ranked {
    Candidate candidate;
    std::size_t rank = 0;
    double cost = 0;
};

}  // namespace

bool holds(const config::RouteMatch& match, const Features& f, std::span<const api::HeaderField> fields) {
    if (!matches_any(match.kind, f.kind) || !matches_any(match.model, f.model) || !matches_any(match.client, f.client) ||
        !matches_any(match.language, f.language)) {
        return false;
    }
    for (const auto& [name, pattern] : match.header) {
        if (!matches(pattern, api::header(fields, name))) return false;
    }
    return (!match.min_tokens || f.tokens >= *match.min_tokens) && (!match.max_tokens || f.tokens <= *match.max_tokens) &&
           (!match.media || *match.media == (f.media > 0)) && (!match.tools || *match.tools == (f.tools > 0));
}

Result<Plan> plan(const Table& table, const std::vector<config::Route>& routes, const Features& features,
                  std::span<const api::HeaderField> fields, const FactsOf& facts_of) {
    static const config::Route no_route;
    const config::Route* route = &no_route;
    Plan out;
    std::vector<Candidate> list;
    bool compete = false, by_role = false;
    const auto found = std::ranges::find_if(routes, [&](const auto& r) { return holds(r.match, features, fields); });
    const auto take = [&](std::string_view name, std::string_view reason) -> Result<void> {
        if (name == "auto") {
            by_role = true;
            compete = compete || found == routes.end() || list.empty();
            add_all(table, reason, list);
            return {};
        }
        auto places = named(table, name);
        if (!places) return tl::unexpected(places.error());
        for (auto& c : *places) {
            if (!reason.empty()) c.choice.reason = reason;
            add_once(list, std::move(c));
        }
        return {};
    };
    if (found != routes.end()) {
        route = &*found;
        out.rule = "route " + std::to_string(found - routes.begin() + 1);
        Result<void> first = take(route->use, "route");
        for (const auto& name : route->fallback) {
            const bool was_empty = list.empty();
            const auto more = take(name, "fallback");
            if (more && was_empty) first = {};
        }
        if (!first && list.empty()) return tl::unexpected(first.error());
        compete = compete || route->prefer == "fastest";
    } else if (features.model == "auto" && !is_a_model(table, "auto")) {
        out.rule = "auto";
        if (auto all = take("auto", "auto"); !all) return tl::unexpected(all.error());
        if (list.empty()) return fail(Errc::not_found, "no model is configured, so `auto` has nothing to choose from");
    } else {
        if (auto one = take(features.model, ""); !one) return tl::unexpected(one.error());
        out.rule = list.front().choice.reason;
    }

    const auto want = wanted(features);
    std::vector<Ranked> able, unable;
    for (auto& c : list) {
        auto facts = facts_of(c.choice);
        facts.now.tokens = features.tokens;
        c.prediction = predict(facts.speed, facts.now);
        c.cached = facts.now.cached;
        c.why = obstacle(features, facts, by_role);
        // A place that was named, and by nothing but its name, says itself what it cannot do: it knows better.
        c.capable = c.why.empty() || (list.size() == 1 && !by_role);
        Ranked ranked{std::move(c), by_role ? rank_of(want, facts) : 0, 0};
        ranked.cost = ranked.candidate.prediction.ttft_ms * weight_of(*route, ranked.candidate);
        if (ranked.candidate.capable && facts.rests_ms > 0) {
            ranked.candidate.why = "rests for " + seconds(static_cast<double>(facts.rests_ms)) + " after failures";
            ranked.rank += 1'000;  // only where nobody else is left
        }
        (ranked.candidate.capable ? able : unable).push_back(std::move(ranked));
    }
    if (able.empty()) {
        std::string text = "no place can answer this request:";
        bool context = true;
        for (const auto& r : unable) {
            text += " " + r.candidate.backend + "/" + r.candidate.model + " " + r.candidate.why + ";";
            context = context && r.candidate.why.find("do not fit") != std::string::npos;
        }
        text.pop_back();
        return fail(context ? Errc::context_length_exceeded : Errc::unsupported, text);
    }
    if (compete) {
        std::ranges::stable_sort(able, [](const Ranked& a, const Ranked& b) {
            return a.rank != b.rank ? a.rank < b.rank : a.cost < b.cost;
        });
    } else {
        std::ranges::stable_sort(able, [](const Ranked& a, const Ranked& b) { return a.rank / 1'000 < b.rank / 1'000; });
    }
    if (route->max_wait_ms > 0) {
        const auto limit = static_cast<double>(route->max_wait_ms);
        std::ranges::stable_partition(able, [&](const Ranked& r) { return r.candidate.prediction.ttft_ms <= limit; });
    }
    for (auto& r : able) {
        auto& c = r.candidate;
        if (c.why.empty()) {
            c.why = std::string(label(c)) + ", first token in about " + seconds(c.prediction.ttft_ms);
            if (route->max_wait_ms > 0 && c.prediction.ttft_ms > static_cast<double>(route->max_wait_ms)) c.why += ", over max_wait_ms";
            if (c.prediction.load_ms > 0) c.why += ", to be loaded";
            if (c.prediction.queue_ms > 0) c.why += ", others wait there";
        }
        out.candidates.push_back(std::move(c));
    }
    for (auto& r : unable) out.candidates.push_back(std::move(r.candidate));
    return out;
}

std::string to_json(const Plan& plan, const Features& features) {
    boost::json::object out;
    out["kind"] = features.kind;
    out["features"] = boost::json::parse(to_json(features));
    auto& list = out["candidates"].emplace_array();
    for (const auto& c : plan.candidates) {
        boost::json::object one;
        one["model"] = c.model;
        one["backend"] = c.backend;
        if (c.capable) one["predicted_ttft_ms"] = std::round(c.prediction.ttft_ms * 10) / 10;
        one["cached_tokens"] = c.cached;
        one["capable"] = c.capable;
        one["why"] = c.why;
        list.push_back(std::move(one));
    }
    out["rule"] = plan.rule;
    out["chosen"] = nullptr;
    if (!plan.candidates.empty() && plan.candidates.front().capable) {
        out["chosen"] = {{"model", plan.candidates.front().model}, {"backend", plan.candidates.front().backend}};
    }
    return boost::json::serialize(out);
}

}  // namespace lc::route
