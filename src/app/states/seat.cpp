// A slot in use by one request, from the moment the engine begins to the moment the slot is free again.
#include <boost/asio/post.hpp>

#include "app/states/loop.hpp"
#include "core/policy/read_trace.hpp"

namespace lc::states {

const std::vector<Member>& members(const Seat& seat) { return seat.members; }

std::optional<CacheOutcome> outcome(const Seat& seat) { return seat.outcome; }
const std::optional<StateReport>& report(const Seat& seat) { return seat.report; }
bool keeps_history(const Seat& seat) { return seat.exact; }

namespace {

/// Keys whose tokens the prompt has, wherever they came from. The engine compared.
void note_history(Held& held, const Seat& seat, const HistoryReport& told) {
    const auto beyond = [](std::uint32_t n) { return [n](const kv::StateKey& key) { return key.n_tokens > n; }; };
    std::erase_if(held.keys, beyond(told.slot));
    auto others = seat.known_keys;
    std::erase_if(others, beyond(told.state));
    if (held.keys.empty() || (!others.empty() && others.back().n_tokens > held.keys.back().n_tokens)) held.keys = std::move(others);
}

}  // namespace

void started(Seat& seat, const StateReport* report) {
    if (seat.lock) {
        seat.lock->cancel();
        if (seat.engine->lock == seat.lock) seat.engine->lock.reset();
        seat.lock.reset();
    }
    unpin(seat);
    if (!report || !seat.chosen) return;
    seat.report = *report;
    auto& held = seat.engine->held[seat.slot];
    held.generation = report->generation;
    if (report->history) note_history(held, seat, *report->history);
    seat.outcome = outcome_of(seat.expected, report->used, report->prompt, report->reason);
    if (seat.in_memory && seat.expected.whole && report->had == 0 && seat.expected.tokens > 0) {
        count(*seat.states, "slot_lost");
        say(*seat.states, Level::warn,
            "model " + seat.engine->model + ": slot " + std::to_string(seat.slot) + " has lost what it held (" +
                std::to_string(seat.expected.tokens) + " tokens)" + (report->used > 0 ? "; it was restored" : ""));
    }
    if (report->bad.empty() || !seat.states->is_open) return;
    count(*seat.states, "quarantined");
    const auto states = seat.states;
    const auto bad = report->bad;
    asio::post(states->disk, [states, bad] {
        for (const auto& blob : bad) kv::quarantine(*states->store, {blob.kind, blob.name}, blob.why);
    });
}

void counted(Seat& seat, std::uint32_t prompt, std::uint32_t cached) {
    if (seat.chosen && !seat.outcome && prompt > 0) seat.outcome = outcome_of(seat.expected, cached, prompt, {});
}

void finished(Seat& seat, const Finished& how) {
    seat.ended = true;
    if (!seat.chosen) return;
    auto& engine = *seat.engine;
    auto& held = engine.held[seat.slot];
    held.use.kind = policy::kind_named(seat.kind);
    held.use.finish = policy::finish_named(how.finish_reason, how.gone);
    held.use.has_parent = seat.has_parent;
    held.use.output = how.generated;
    held.prefill_ms += how.prompt_ms;
    // Of a few tokens the time says little.
    if (const std::uint32_t own = how.prompt - std::min(how.prompt, how.cached); own >= 64 && how.prompt_ms > 0) {
        held.use.ms_per_token = how.prompt_ms / own;
    }
    const std::uint32_t prompt = how.prompt > 0 ? how.prompt : seat.report ? seat.report->prompt : 0;
    counted(seat, prompt, how.cached);
    if (prompt > 0 && !seat.chain.empty()) {
        std::erase_if(held.keys, [&](const kv::StateKey& key) { return key.n_tokens >= prompt; });
        held.keys.push_back({seat.chain.back(), prompt,
                             seat.chain.size() == 1 ? kv::KeyKind::head : kv::KeyKind::message});
        // The last token that was sampled is not in memory: the end of the turn.
        if (how.good && how.answer && how.generated > 1 && seat.exact && held.generation > 0) {
            held.keys.push_back({*how.answer, prompt + how.generated - 1, kv::KeyKind::answer});
        }
    }
    if (seat.keeps && engine.identity && seat.states->is_open) {
        engine.slots[seat.slot].unsaved = std::max<std::uint64_t>(1, prompt + how.generated);
    }
    const bool from_store = seat.report && (seat.report->from == "state" || seat.report->from == "chunks");
    if (!how.good || !from_store || how.prompt == 0 || !falls_short(seat.report->used, how.prompt, how.cached)) return;
    // Checksums and identity were right and the tokens equal: whatever this state is, it is not what it says.
    count(*seat.states, "quarantined");
    say(*seat.states, Level::warn,
        "model " + engine.model + ": a restored state of " + std::to_string(seat.report->used) + " tokens was reused for " +
            std::to_string(how.cached) + " only; it is set aside");
    if (!seat.report->state || !seat.states->is_open) return;
    const auto states = seat.states;
    const auto name = *seat.report->state;
    asio::post(states->disk, [states, name] {
        kv::quarantine(*states->store, {kv::BlobKind::manifest, name}, "reused less than it must");
    });
}

void abandon(Seat& seat) {
    seat.ended = true;
    seat.keeps = false;
    if (seat.chosen) seat.engine->held[seat.slot] = Held{};
}

void SeatDeleter::operator()(Seat* seat) const {
    started(*seat, nullptr);
    if (seat->chosen) {
        auto& slot = seat->engine->slots[seat->slot];
        slot.busy = false;
        slot.used = ++seat->states->order;
        // The answer never came to an end that was told: what the slot holds now is only known to the engine.
        if (!seat->ended && seat->keeps && seat->engine->identity && seat->states->is_open) slot.unsaved = 1;
        deal(seat->states, *seat->engine);
        if (!slot.busy && slot.unsaved > 0 && !seat->engine->gone) {
            run_beside(seat->states, save_slot(seat->states, seat->engine, seat->slot));
        }
    }
    delete seat;
}

}  // namespace lc::states
