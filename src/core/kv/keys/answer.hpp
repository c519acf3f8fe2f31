// Keys of answers: whether the assistant's message in a history means what the model once answered there. Pure.
// Format: docs/formats/keys.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.hpp"
#include "core/kv/keys/keys.hpp"

namespace lc::kv {

/// What an answer means: its text, and its calls with their arguments as JSON. Not its reasoning: the template decides
/// whether that is part of the history.
struct Answer {
    struct Call {
        std::string name, arguments;  ///< arguments: JSON text as it came
    };
    std::string text;
    std::vector<Call> calls;
};

/// `before`: the key of all that was answered. Space around the text does not count; of arguments that are no JSON every
/// byte does.
[[nodiscard]] Digest answer_key(const Digest& before, const Answer& answer);

/// For the head and each message, in the order of their keys: the key of the answer that follows in the history (all
/// assistant's messages in a row). Nothing: none follows, or one with parts that no model answers (images).
/// `texts` are canonical_texts of the request, `keys` its keys.
[[nodiscard]] std::vector<std::optional<Digest>> answer_keys(const std::vector<std::string>& texts, const MessageKeys& keys);

}  // namespace lc::kv
