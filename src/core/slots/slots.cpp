#include "core/slots/slots.hpp"

#include <tuple>

namespace lc::slots {

namespace {

/// A background request waits so long for another slot than its session's: what it displaces can be restored.
constexpr double spare_own_s = 3;

/// The next turn of a session may come before its last one has quite ended: it waits so long for its own slot.
constexpr double own_is_ending_s = 0.3;

/// Lower is better to give away.
std::tuple<bool, bool, std::uint64_t> worth(const Slot& slot) {
    return {!slot.session.empty(), slot.unsaved > 0, slot.used};
}

}  // namespace

std::optional<Choice> choose(std::span<const Slot> slots, const Ask& ask) {
    std::optional<std::size_t> best;
    bool only_own = true;  // is there any other slot at all?
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const bool own = !ask.session.empty() && slots[i].session == ask.session;
        if (!own) only_own = false;
        if (own && !ask.background && slots[i].busy && ask.waited_s < own_is_ending_s) return std::nullopt;
        if (slots[i].busy) continue;
        if (own && !ask.background) return Choice{i, false, false};
        if (own && ask.waited_s < spare_own_s) continue;  // of a background request; below, where it is the only one
        if (!best || worth(slots[i]) < worth(slots[*best])) best = i;
    }
    if (!best && ask.background && only_own) {
        for (std::size_t i = 0; i < slots.size() && !best; ++i) {
            if (!slots[i].busy) best = i;
        }
    }
    if (!best) return std::nullopt;
    const Slot& slot = slots[*best];
    return Choice{*best, slot.unsaved > 0, !slot.session.empty()};
}

std::optional<std::size_t> next(std::span<const Slot> slots, std::span<const Ask> asks, double patience_s) {
    std::optional<std::size_t> best;
    const auto rank = [&](const Ask& ask) {
        return std::tuple(ask.background && ask.waited_s < patience_s, ask.order);
    };
    for (std::size_t i = 0; i < asks.size(); ++i) {
        if (best && rank(asks[*best]) <= rank(asks[i])) continue;
        if (choose(slots, asks[i])) best = i;
    }
    return best;
}

}  // namespace lc::slots
