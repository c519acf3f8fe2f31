// What a request may start from: the longest stored state that its message keys lead to.
#include <boost/asio/post.hpp>

#include "app/states/loop.hpp"

namespace lc::states {

namespace {

struct Known {
    std::vector<Digest> pinned;
    Expected expected;
    std::uint32_t n_tokens = 0;
    std::vector<kv::StateKey> keys;
    std::string problem;
};

Known look_up(kv::Store& store, const kv::Scope& scope, const Digest& rendering, const std::vector<Digest>& chain) {
    Known out;
    const auto found = kv::lookup(store, scope, rendering, chain);
    if (!found) {
        out.problem = found.error().detail;
        return out;
    }
    if (!*found) return out;
    const auto state = kv::pin_state(store, (*found)->manifest, scope);
    if (!state) return out;
    out.pinned.push_back((*found)->manifest);
    out.n_tokens = static_cast<std::uint32_t>(state->manifest.manifest.tokens.size());
    out.expected.tokens = (*found)->n_tokens;
    out.keys = std::move(state->manifest.manifest.keys);
    const auto* last = last_message(out.keys);
    out.expected.whole = last && last->key == chain[(*found)->key_index] && last->kind == kv::KeyKind::message;
    return out;
}

/// The longest key of the request that the slot in memory ends with or passes through.
void expect_memory(const Held& held, const std::vector<Digest>& chain, Expected& expected) {
    const auto* last = last_message(held.keys);
    for (const auto& key : held.keys) {
        if (key.n_tokens <= expected.tokens || key.kind == kv::KeyKind::answer) continue;
        if (std::find(chain.begin(), chain.end(), key.key) == chain.end()) continue;
        expected.tokens = key.n_tokens;
        expected.whole = key.key == last->key;
    }
}

}  // namespace

void unpin(Seat& seat) {
    if (seat.pinned.empty()) return;
    const auto states = seat.states;
    const auto names = std::exchange(seat.pinned, {});
    if (!states->is_open) return;  // closed: pins went with it
    asio::post(states->disk, [states, names] {
        for (const auto& name : names) kv::unpin_state(*states->store, name);
    });
}

void prepare_fresh(const States& states, Seat& seat, const Want& want) {
    if (!states.is_open || !seat.engine->identity || !seat.engine->ours) return;
    // The engine must know whose tokens come into the slot, though it may use none.
    UseState use;
    use.token = states.options.token;
    use.scope = {kv::namespace_digest(want.name_space), *seat.engine->identity};
    use.chunks = false;
    use.limit = 0;
    seat.scope = use.scope;
    seat.members.push_back({"localcode_state", print(use)});
}

awaitable<void> prepare_use(StatesPtr states, Seat& seat, const Want& want) {
    const auto engine = seat.engine;
    auto& held = engine->held[seat.slot];
    if (seat.in_memory) expect_memory(held, seat.chain, seat.expected);
    seat.exact = want.answers && engine->exact_history && !seat.chain.empty();
    if (seat.exact) seat.answers = *want.answers;
    const Chain chain{seat.chain, seat.answers};
    // Keys of messages that are no longer in the history lead nowhere.
    held.keys = still_there(held.keys, chain);
    if (!states->is_open || !engine->identity) {
        seat.expected.reason = states->is_open ? engine->why_not : "no_store";
        co_return;
    }
    UseState use;
    use.token = states->options.token;
    use.scope = {kv::namespace_digest(want.name_space), *engine->identity};
    seat.scope = use.scope;
    Known known;
    // Who holds all but the newest messages in memory needs nothing from the disk.
    if (!seat.chain.empty() && !(seat.in_memory && seat.expected.whole)) {
        const auto keys = seat.chain;
        const auto rendering = engine->rendering;
        const auto scope = use.scope;
        const std::function<Known()> work = [states, scope, rendering, keys] {
            return look_up(*states->store, scope, rendering, keys);
        };
        known = co_await on_thread<Known>(states->disk, work);
        seat.pinned = known.pinned;
        seat.known_keys = still_there(known.keys, chain);
        if (known.expected.tokens > seat.expected.tokens) seat.expected = known.expected;
        if (!known.problem.empty()) say(*states, Level::warn, "kv: " + known.problem);
    }
    if (want.keys && want.view) {
        if (!engine->heads_stored.contains(want.keys->head)) {
            seat.head = head_probe(*want.keys, *want.view, want.body, engine->ours);
        }
        // A model whose state cannot be cut needs a stop there on the way.
        if (!engine->about.cuttable && !seat.head.first.empty() && known.expected.tokens == 0) {
            if (const auto n = co_await find_head(states, engine, seat.head)) use.checkpoints.push_back(n);
        }
    }
    if (!engine->ours) {
        if (!known.pinned.empty()) {
            const auto name = known.pinned.front();
            co_await restore_stock(states, seat, name, known.n_tokens);
        }
        co_return;
    }
    use.states = known.pinned;
    if (seat.exact) {
        UseHistory history;
        history.generation = seat.in_memory ? held.generation : 0;
        if (history.generation > 0) history.slot = same_turns(held.keys, chain);
        if (!known.pinned.empty()) history.states.push_back(same_turns(seat.known_keys, chain));
        use.history = std::move(history);
    }
    use.chunks = !(seat.in_memory && seat.expected.whole);
    seat.members.push_back({"localcode_state", print(use)});
}

}  // namespace lc::states
