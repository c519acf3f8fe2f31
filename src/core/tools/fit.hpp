// Bends a value to a schema where its meaning is plain: types written as strings, names in the wrong case, defaults.
#pragma once

#include <vector>

#include "core/tools/parse.hpp"
#include "core/tools/schema.hpp"

namespace lc::tools {

/// Pure. Changes only what does not hold to the schema, and may fail at that: check afterwards. `close`: lost closing
/// braces may be added to JSON in strings.
void fit(const Schema& schema, Value& value, bool close, std::vector<Fix>& fixes);

/// The kinds (bits, see schema_parts.hpp) that an argument may have; all when its schema does not say.
[[nodiscard]] std::uint8_t kinds_of_argument(const Schema& schema, std::string_view argument);

/// Whether the schema names that argument.
[[nodiscard]] bool has_argument(const Schema& schema, std::string_view argument);

}  // namespace lc::tools
