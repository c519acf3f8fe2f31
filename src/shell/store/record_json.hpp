// A request record as JSON: what requests.db keeps, the admin API sends and `localcode requests --json` prints.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/log/record.hpp"

namespace lc::store {

/// One line; members named as in RequestRecord. Empty texts and lists and unknown values are left out, numbers and
/// switches of the record itself never are. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string to_json(const log::RequestRecord& record);

/// The same without the bodies: they have columns of their own.
[[nodiscard]] std::string to_json_without_bodies(const log::RequestRecord& record);

/// Reads it back; unknown members are ignored (a later version's), missing ones keep their defaults.
[[nodiscard]] Result<log::RequestRecord> record_from_json(std::string_view json);

}  // namespace lc::store
