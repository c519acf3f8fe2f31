// Token-exact history, the gateway's side: which answers among the tokens of a state mean what the request's history says.
// Pure. docs/adr/0008.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/kv/manifest.hpp"

namespace lc::states {

/// An answer: its tokens are [begin, end) of the state's.
struct AnswerTurn {
    std::uint32_t begin = 0, end = 0;
    bool operator==(const AnswerTurn&) const = default;
};

/// What a request says of its history.
struct Chain {
    std::vector<Digest> keys;                    ///< head, then messages
    std::vector<std::optional<Digest>> answers;  ///< for each key: of the answer that follows (kv::answer_keys); may be shorter
};

/// `known`: the keys of a state, ascending by tokens. Ascending, at most 4,096 (the last ones).
[[nodiscard]] std::vector<AnswerTurn> same_turns(std::span<const kv::StateKey> known, const Chain& chain);

/// Those of `known` that the request's history still has: messages, and answers that mean the same.
[[nodiscard]] std::vector<kv::StateKey> still_there(std::span<const kv::StateKey> known, const Chain& chain);

/// The last key of a message (or head); nullptr: none.
[[nodiscard]] const kv::StateKey* last_message(std::span<const kv::StateKey> known);

}  // namespace lc::states
