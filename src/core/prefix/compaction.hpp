// Compaction from the session's own state: a client that wants a summary of a session sends its history as one text, under
// another system text, without tools; nothing of what the engine knows fits that. Put as the session's next turn it is a
// continuation. Understood: OpenCode's form (`<conversation>` with "[User]: ..." and so on). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/prefix/text.hpp"

namespace lc::prefix {

/// How a message begins in a flattened history.
struct Piece {
    std::string beginning;   ///< marker and the first bytes of its text, plain
    std::size_t length = 0;  ///< of marker and text
    bool operator==(const Piece&) const = default;
};

/// The session's messages as a flattened history would have them; empty: too many, or none.
[[nodiscard]] std::vector<Piece> pieces_of(const Input& in);

/// The last request of a session that was answered, as it was put to the engine.
struct LastPrompt {
    std::string messages;       ///< JSON array
    std::string tools;          ///< JSON array; empty: none
    std::string options;        ///< further members that a template looks at, as `,"key":value`
    std::vector<Piece> pieces;  ///< of the request as the client sent it
    std::uint64_t tokens = 0;   ///< prompt and answer
};
[[nodiscard]] LastPrompt last_prompt(const Input& in, std::vector<Piece> pieces);

/// The request as the session's next turn: its messages, then the instructions and what is not among its messages yet; its
/// tools, which must not be called. Nothing: not understood, another history, or no room in a context of so many tokens.
[[nodiscard]] std::optional<std::string> compaction_body(const Input& in, const LastPrompt& last, std::int64_t context);

/// GBNF for any text in which `word` does not occur.
[[nodiscard]] std::string grammar_without(std::string_view word);

}  // namespace lc::prefix
