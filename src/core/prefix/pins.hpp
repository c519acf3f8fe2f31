// Pinned for a session: what changes inside a running session (the date at midnight, git state, skills, reminders that
// wander from message to message) keeps the form in which it was first sent; what is new about it is said at the end, where
// it costs only itself, and stays there. The state is a value; the loop keeps one for each session. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/prefix/environment.hpp"

namespace lc::prefix {

inline constexpr std::size_t max_pinned_bytes = 512 << 10;  ///< of one session; beyond it nothing is pinned

struct Pins {
    /// A volatile block of the system's texts.
    struct Block {
        std::string first;  ///< raw, as first sent
        std::string last;   ///< as the client sent it last
        bool operator==(const Block&) const = default;
    };
    /// A message that was sent with reminders.
    struct Mark {
        std::size_t message = 0;
        std::string chain;  ///< hash of all that was said up to it, reminders left out
        std::string raw;    ///< the message as first sent: JSON
        bool operator==(const Mark&) const = default;
    };
    /// Text that was added behind a message.
    struct Addition {
        std::size_t message = 0;
        std::string chain;
        std::string text;  ///< raw
        bool operator==(const Addition&) const = default;
    };
    std::string system;  ///< hash of the system's texts without the blocks
    std::vector<Block> blocks;
    std::vector<Mark> marks;
    std::vector<Addition> additions;
    bool operator==(const Pins&) const = default;
};

struct Pinned {
    std::vector<api::Splice> splices;
    Pins pins;  ///< for the session's next request
};

/// Another system text, a history that was edited or cut, and what is too large begin anew: nothing that the user changed
/// is ever put back.
[[nodiscard]] Pinned pin(const Input& in, Pins pins);

/// Raw text that says which lines are new and which do not hold any more; empty: none.
[[nodiscard]] std::string what_changed(std::string_view before, std::string_view after);

}  // namespace lc::prefix
