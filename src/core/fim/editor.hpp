// Requests of one editor: which of them a newer one makes useless, and extra context in an order that stays. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/request_view.hpp"

namespace lc::fim {

/// What a request to complete code is, as far as others of the same editor are concerned.
struct Ask {
    std::string who;      ///< key, session or else client program and address, model
    bool named = false;   ///< `who` holds a session that the client itself gave: it is one editor for sure
    bool warm_up = false; ///< asks for no tokens (`n_predict: 0`): only to have its context read
    std::string prefix, suffix;  ///< around the cursor, as JSON writes them, without quotes
};
[[nodiscard]] Ask ask_of(const api::RequestView& view, std::string_view body);

/// Whether `newer` makes `older`, which still runs, useless. Both must be of one `who`. With a session: any newer one
/// does. Without: only when they stand in the same text, so that two editors behind one address do not end each other's.
/// A warm-up ends warm-ups only. Two equal requests let each other live.
[[nodiscard]] bool supersedes(const Ask& newer, const Ask& older);

/// The order in which to send chunks: those that were sent last time first, as they stood then; new ones after them. So
/// the prompt begins as it did, and the engine has that part already. Returns indices into `now`.
[[nodiscard]] std::vector<std::size_t> stable_order(const std::vector<std::uint64_t>& last, const std::vector<std::uint64_t>& now);

}  // namespace lc::fim
