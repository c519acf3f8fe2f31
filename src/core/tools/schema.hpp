// JSON Schema: draft 7 and 2020-12 as clients send them, compiled once and checked often.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/tools/value.hpp"

namespace lc::tools {

/// Which rules a schema without `$schema` is read by. `mixed`: 2020-12's, and what only older drafts had
/// (`definitions`, `dependencies`, lists of `items`) too: what clients send is often both.
enum class Draft : std::uint8_t { mixed, draft7, draft2020 };

/// Another schema that references may lead to. Nothing is ever fetched.
struct SchemaDocument {
    std::string uri;
    std::string_view text;
};

struct SchemaData;

/// A compiled schema; cheap to copy, may be used by several threads.
struct Schema {
    std::shared_ptr<const SchemaData> data;
    /// What it says and is not checked: "/properties/when/format: date-time".
    std::vector<std::string> unchecked;
    [[nodiscard]] explicit operator bool() const { return data != nullptr; }
};

/// Pure. Errors (bad_request): not JSON, or a keyword whose value cannot be what it must be; says where. What is not
/// known (formats, references that lead nowhere, patterns beyond the matcher) is no error but in `unchecked`.
[[nodiscard]] Result<Schema> compile_schema(std::string_view json, Draft draft = Draft::mixed,
                                            std::span<const SchemaDocument> documents = {});

struct Violation {
    std::string where;  ///< JSON pointer into the value, "" is all of it
    std::string what;   ///< "'command' is required", "must be a number, is a string"
};

/// Pure. At most `most` violations; empty: valid. Bounded work: beyond it what is left counts as valid.
[[nodiscard]] std::vector<Violation> check(const Schema& schema, const Value& value, std::size_t most = 8);

[[nodiscard]] bool is_valid(const Schema& schema, const Value& value);

/// "at /edits/0: 'old' is required; ..."
[[nodiscard]] std::string describe(const std::vector<Violation>& violations);

}  // namespace lc::tools
