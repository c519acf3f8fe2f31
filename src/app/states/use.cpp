// What a request may start from: the longest stored state that its message keys lead to.
#include <boost/asio/post.hpp>

#include "app/states/loop.hpp"

namespace lc::states {

namespace {

struct Known {
    std::vector<Digest> pinned;
    Expected expected;
    std::uint32_t n_tokens = 0;
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
    const auto& keys = state->manifest.manifest.keys;
    out.expected.whole = !keys.empty() && keys.back().key == chain[(*found)->key_index] &&
                         keys.back().kind == kv::KeyKind::message;
    return out;
}

/// The longest key of the request that the slot in memory ends with or passes through.
void expect_memory(const Held& held, const std::vector<Digest>& chain, Expected& expected) {
    for (const auto& key : held.keys) {
        if (key.n_tokens <= expected.tokens) continue;
        if (std::find(chain.begin(), chain.end(), key.key) == chain.end()) continue;
        expected.tokens = key.n_tokens;
        expected.whole = key.key == held.keys.back().key;
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
    // Keys of messages that are no longer in the history lead nowhere.
    std::erase_if(held.keys, [&](const kv::StateKey& key) {
        return std::find(seat.chain.begin(), seat.chain.end(), key.key) == seat.chain.end();
    });
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
        const auto chain = seat.chain;
        const auto rendering = engine->rendering;
        const auto scope = use.scope;
        const std::function<Known()> work = [states, scope, rendering, chain] {
            return look_up(*states->store, scope, rendering, chain);
        };
        known = co_await on_thread<Known>(states->disk, work);
        seat.pinned = known.pinned;
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
    use.chunks = !(seat.in_memory && seat.expected.whole);
    seat.members.push_back({"localcode_state", print(use)});
}

}  // namespace lc::states
