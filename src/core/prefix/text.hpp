// The texts inside a request's messages, as ranges of its body: what the steps look at and move. Texts stay in the form in
// which the JSON has them ("raw": between the quotes, escapes as they are), so that what is moved is moved byte for byte.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/api/request_view.hpp"
#include "core/api/splice.hpp"

namespace lc::prefix {

/// Borrows both for the call of each step.
struct Input {
    const api::RequestView& view;
    std::string_view body;
    std::string_view client;  ///< of the session: opencode | claude | ...
};

/// The message's content as JSON: string, array, or whatever it is; empty: it has none. Of a tool's result its output.
[[nodiscard]] api::Range content_of(const Input& in, std::size_t message);

/// The texts of a message in order, without their quotes.
[[nodiscard]] std::vector<api::Range> texts_of(const Input& in, std::size_t message);

/// How many messages at the beginning are the system's or the developer's.
[[nodiscard]] std::size_t leading_system(const api::RequestView& view);

/// Where `what` (raw, beginning with a backslash) stands in raw text as an escape of its own; npos: nowhere.
[[nodiscard]] std::size_t find_escape(std::string_view raw, std::string_view what, std::size_t from = 0);
/// The last one that begins before `before`.
[[nodiscard]] std::size_t rfind_escape(std::string_view raw, std::string_view what, std::size_t before);

/// Without the line ends (\n, \r) at both ends.
[[nodiscard]] std::string_view trim_lines(std::string_view raw);

/// What the raw text says.
[[nodiscard]] std::string plain(std::string_view raw);
/// Raw text that says `text`.
[[nodiscard]] std::string raw_of(std::string_view text);

/// Adds raw text before, or behind, what a message says. False: its content is neither text nor a list of parts.
[[nodiscard]] bool put_before(const Input& in, std::size_t message, std::string_view raw, std::vector<api::Splice>& out);
[[nodiscard]] bool put_behind(const Input& in, std::size_t message, std::string_view raw, std::vector<api::Splice>& out);

/// `raw` inside the tags by which coding agents tell their models what is no word of the user's.
[[nodiscard]] std::string as_reminder(std::string_view raw);
[[nodiscard]] bool is_reminder(std::string_view raw);

/// One place that a step changed, for people: `before` is gone from there, `after` is new.
struct Edit {
    std::string where;  ///< "messages[0]", "tools[3]", "body"
    std::string before, after;
    bool operator==(const Edit&) const = default;
};
[[nodiscard]] std::vector<Edit> edits_of(const Input& in, const std::vector<api::Splice>& splices);

}  // namespace lc::prefix
