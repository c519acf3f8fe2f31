// Whether a stored state is what it says, seen from outside: the end of its prompt is computed again and compared with
// what follows from the stored rows.
#include <boost/json.hpp>
#include <cmath>

#include "app/states/loop.hpp"

namespace lc::states {

namespace json = boost::json;

namespace {

constexpr double tolerance = 0.2;  ///< results depend on how a prompt is cut into batches; a wrong state is nats away

struct Candidate {
    Digest manifest{};
    std::string session;
    std::vector<kv::Token> tokens;
};

/// The states of this engine that can be cut, last used first, at most `most`.
Result<std::vector<Candidate>> candidates(kv::Store& store, const Digest& identity, std::size_t most) {
    const auto names = kv::state_names(store);
    if (!names) return tl::unexpected(names.error());
    std::vector<Candidate> out;
    for (auto name = names->rbegin(); name != names->rend() && out.size() < most; ++name) {
        for (const auto& tenant : {std::string()}) {
            auto state = kv::pin_state(store, *name, {kv::namespace_digest(tenant), identity});
            if (!state) continue;
            auto& manifest = state->manifest.manifest;
            if (manifest.has_chunks && manifest.media.empty() && manifest.tokens.size() > 2 * kv::chunk_tokens) {
                out.push_back({*name, manifest.session, std::move(manifest.tokens)});
            } else {
                kv::unpin_state(store, *name);
            }
        }
    }
    return out;
}

using TopLogprobs = std::map<std::int64_t, double>;

/// The most likely next tokens after `tokens`, with at most `limit` of them taken from the store.
awaitable<Result<std::pair<TopLogprobs, std::uint32_t>>> next_tokens(StatesPtr states, EnginePtr engine, std::size_t slot,
                                                                     const Candidate& candidate, std::uint32_t limit) {
    UseState use;
    use.token = states->options.token;
    use.scope = {kv::namespace_digest(""), *engine->identity};
    use.states.push_back(candidate.manifest);
    use.chunks = false;
    use.limit = limit;
    json::object body;
    json::array prompt;
    for (const auto token : candidate.tokens) prompt.emplace_back(token);
    body["prompt"] = std::move(prompt);
    body["n_predict"] = 1;
    body["n_probs"] = 8;
    body["temperature"] = 0;
    body["id_slot"] = static_cast<std::int64_t>(slot);
    body["localcode_state"] = json::parse(print(use));
    net::Request request;
    request.method = "POST";
    request.target = "/completion";
    request.fields.push_back({"content-type", "application/json"});
    request.body = json::serialize(body);
    const net::Timeouts timeouts{std::chrono::seconds(2), std::chrono::minutes(10), std::chrono::minutes(10)};
    const auto answer = co_await net::fetch(states->pool, engine->target, timeouts, std::move(request));
    if (!answer) co_return tl::unexpected(answer.error());
    if (answer->status != 200) co_return fail(Errc::upstream_error, "status " + std::to_string(answer->status));
    const auto report = parse_state_report(net::get(answer->fields, "x-localcode-state"));
    boost::system::error_code ec;
    const auto document = json::parse(answer->body, ec);
    TopLogprobs out;
    if (const auto* root = ec ? nullptr : document.if_object()) {
        const auto* all = root->if_contains("completion_probabilities");
        const auto* list = all ? all->if_array() : nullptr;
        const auto* first = list && !list->empty() ? list->front().if_object() : nullptr;
        const auto* top = first ? first->if_contains("top_logprobs") : nullptr;
        if (const auto* entries = top ? top->if_array() : nullptr) {
            for (const auto& entry : *entries) {
                const auto* one = entry.if_object();
                const auto* id = one ? one->if_contains("id") : nullptr;
                const auto* logprob = one ? one->if_contains("logprob") : nullptr;
                if (id && logprob && id->is_int64() && logprob->is_number()) {
                    out[id->get_int64()] = logprob->to_number<double>();
                }
            }
        }
    }
    if (out.empty()) co_return fail(Errc::upstream_error, "the engine gave no log-probabilities");
    co_return std::pair(std::move(out), report ? report->used : 0u);
}

/// How far apart the log-probabilities are, on average by probability: unlikely tokens move most and matter least.
double difference(const TopLogprobs& a, const TopLogprobs& b) {
    double sum = 0, weight = 0;
    std::size_t common = 0;
    for (const auto& [token, logprob] : a) {
        const auto other = b.find(token);
        if (other == b.end()) continue;
        ++common;
        sum += std::exp(logprob) * std::abs(logprob - other->second);
        weight += std::exp(logprob);
    }
    // Near ties may change places at the end of the list; most of it must be there.
    return common * 2 >= a.size() && weight > 0 ? sum / weight : 99;
}

awaitable<DeepResult> check(StatesPtr states, EnginePtr engine, std::size_t slot, Candidate candidate) {
    DeepResult out;
    out.session = candidate.session;
    out.model = engine->model;
    out.tokens = static_cast<std::uint32_t>(candidate.tokens.size());
    // With everything from the store but the last token; then with the last chunk computed again.
    const auto whole = co_await next_tokens(states, engine, slot, candidate, out.tokens);
    auto cut = whole;
    if (whole) cut = co_await next_tokens(states, engine, slot, candidate, out.tokens - kv::chunk_tokens);
    if (!whole || !cut) {
        out.result = "not checked: " + (whole ? cut.error().detail : whole.error().detail);
        co_return out;
    }
    if (whole->second < out.tokens - kv::chunk_tokens) {
        out.result = "not checked: the engine used " + std::to_string(whole->second) + " tokens of it";
        co_return out;
    }
    const double apart = difference(whole->first, cut->first);
    out.checked = true;
    out.good = apart <= tolerance;
    char text[64];
    std::snprintf(text, sizeof text, "%s: log-probabilities differ by %.3f", out.good ? "good" : "BAD", apart);
    out.result = text;
    co_return out;
}

}  // namespace

awaitable<Result<std::vector<DeepResult>>> verify_deep(StatesPtr states, std::size_t most) {
    if (!states->is_open) co_return fail(Errc::overloaded, "no KV states are kept: " + states->problem, 5);
    std::vector<DeepResult> out;
    std::vector<EnginePtr> engines;
    for (const auto& [name, engine] : states->engines) {
        if (engine && !engine->gone && engine->ours && engine->identity && engine->about.cuttable) engines.push_back(engine);
    }
    for (const auto& engine : engines) {
        const auto identity = *engine->identity;
        using Found = Result<std::vector<Candidate>>;
        const std::function<Found()> work = [states, identity, most] { return candidates(*states->store, identity, most); };
        auto found = co_await on_thread<Found>(states->disk, work);
        if (!found) co_return tl::unexpected(found.error());
        for (auto& candidate : *found) {
            const auto slot = co_await borrow_slot(states, engine);
            if (slot) {
                out.push_back(co_await check(states, engine, *slot, candidate));
                give_back(states, *engine, *slot);
            }
            const auto name = candidate.manifest;
            const bool bad = slot && out.back().checked && !out.back().good;
            if (states->is_open) asio::post(states->disk, [states, name, bad] {
                kv::unpin_state(*states->store, name);
                if (bad) kv::quarantine(*states->store, {kv::BlobKind::manifest, name}, "its end computed again differs");
            });
            if (bad) count(*states, "quarantined");
        }
    }
    co_return out;
}

}  // namespace lc::states
