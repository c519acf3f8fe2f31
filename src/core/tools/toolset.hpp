// The tools that a request offers, with their schemas compiled.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/request_view.hpp"
#include "core/tools/schema.hpp"

namespace lc::tools {

struct Tool {
    std::string name;
    Schema schema;           ///< empty: any object will do
    std::string parameters;  ///< the schema's text, empty when there is none
    bool free_text = false;  ///< its input is not JSON (custom tools of `responses`), or the server runs it: left alone
};

struct ToolSet {
    std::vector<Tool> tools;
    /// What is not checked, with the tool in front: "read/properties/when/format: date-time". Schemas that cannot be
    /// used too.
    std::vector<std::string> unchecked;
    [[nodiscard]] const Tool* find(std::string_view name) const;
    [[nodiscard]] bool empty() const { return tools.empty(); }
};

/// Pure. The tools of a request of any dialect; `body` is what the view was parsed from.
[[nodiscard]] ToolSet tools_of(const api::RequestView& view, std::string_view body);

/// Pure. From a JSON list of definitions in chat's form (or bare {"name", "parameters"}).
[[nodiscard]] ToolSet tools_from_json(std::string_view list);

/// Pure. The names that a tool_choice of type `allowed_tools` leaves; nothing: it is none.
[[nodiscard]] std::optional<std::vector<std::string>> allowed_tools(const api::RequestView& view, std::string_view body);

/// Pure. Those of the tools that have one of the names.
[[nodiscard]] ToolSet only(const ToolSet& tools, const std::vector<std::string>& names);

/// How a wanted name leads to a tool.
struct Named {
    const Tool* tool = nullptr;  ///< null: none, or more than one would do
    bool exact = false;
};

/// Pure. Exactly that name; else the one tool that it differs from by case, separators, a wrapping like
/// `functions.NAME`, or a slip of the pen that makes no other word of it.
[[nodiscard]] Named find_tool(const ToolSet& tools, std::string_view name);

}  // namespace lc::tools
