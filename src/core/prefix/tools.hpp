// Tools in a lasting order: those that every request of a client has come first, by name, then those of the project, and
// last those that some requests lack (a subagent's, a mode's, of a server that comes and goes). So what requests have in
// common stands first. What was learned is a value; the loop keeps it. Pure.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/prefix/text.hpp"

namespace lc::prefix {

inline constexpr std::size_t max_tools = 512;

/// What is known of the tools of many requests: one such value for each client and one for each of its projects.
struct KnownTools {
    std::set<std::string> seen;  ///< at most max_tools
    std::set<std::string> some;  ///< of these, those that not every request had
    bool operator==(const KnownTools&) const = default;
};

/// With one more request.
[[nodiscard]] KnownTools learn(KnownTools known, std::span<const std::string> names);

/// The names in the order in which they should be sent. `session`: the order that this session has already sent; it is
/// kept, what is new comes behind. `client`: of what is known of it beforehand.
[[nodiscard]] std::vector<std::string> order_tools(std::span<const std::string> names, const KnownTools& of_client,
                                                   const KnownTools& of_project, std::span<const std::string> session,
                                                   std::string_view client);

/// Names in the request's order; empty: it has none, too many, or two of one name (it is left alone then).
[[nodiscard]] std::vector<std::string> tool_names(const Input& in);

/// The request's tools in that order. `forms[i]`: the text for view.tools[i], empty: its own.
[[nodiscard]] std::vector<api::Splice> arrange_tools(const Input& in, std::span<const std::string> order,
                                                     std::span<const std::string> forms = {});

/// One text for all ways to write the same tool: what tells whether two definitions are the same.
[[nodiscard]] std::string canonical_tool(const Input& in, std::size_t tool);

/// What tells the projects of a client apart: its working directory, as its messages name it; else the beginning of its
/// system text.
[[nodiscard]] std::string project_of(const Input& in);

}  // namespace lc::prefix
