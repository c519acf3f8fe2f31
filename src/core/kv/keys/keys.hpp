// Message keys: a SHA-256 chain over what the engine will render, free of whitespace, order of members and of what only
// clients care about. Format and test vectors: docs/formats/keys.md. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.hpp"
#include "core/api/request_view.hpp"

namespace lc::kv {

struct MessageKeys {
    Digest head{};                 ///< M0: version, options, tools, system
    std::vector<Digest> messages;  ///< M1..: one for each message behind the leading system messages
    std::size_t n_system = 0;      ///< how many of the view's messages are in the head
    bool operator==(const MessageKeys&) const = default;

    /// What `x-localcode-cache-key` shows.
    [[nodiscard]] const Digest& last() const { return messages.empty() ? head : messages.back(); }
};

/// `view` is parse_request's of `body`, after all transformations. Equal keys mean equal renderings with one template,
/// but for ids of calls; a wrong match only costs time, because engines compare tokens again.
[[nodiscard]] MessageKeys message_keys(const api::RequestView& view, std::string_view body);

/// The same from `canonical_texts(view, body)`.
[[nodiscard]] MessageKeys message_keys(const api::RequestView& view, const std::vector<std::string>& texts);

/// The texts that are hashed: for `explain`, for answers (answer.hpp) and for tests. The first is the head's.
[[nodiscard]] std::vector<std::string> canonical_texts(const api::RequestView& view, std::string_view body);

}  // namespace lc::kv
