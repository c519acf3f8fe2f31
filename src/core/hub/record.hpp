// What is kept on disk beside the models, as JSON: which files a spec was resolved to, and what a part file is a part
// of. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/hub/choose.hpp"
#include "core/hub/transfer.hpp"

namespace lc::hub {

/// Written once all files of a choice are complete and verified; with it a model is found again without a network.
[[nodiscard]] std::string to_json(const Choice& choice);

/// nullopt: not such a record, of another version, or with paths that are not safe. Then the hub is asked.
[[nodiscard]] std::optional<Choice> parse_record(std::string_view json);

[[nodiscard]] std::string to_json(const PartNote& note);
[[nodiscard]] std::optional<PartNote> parse_part_note(std::string_view json);

}  // namespace lc::hub
