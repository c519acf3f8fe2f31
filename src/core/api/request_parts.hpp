// Inside of parse_request: the fields of an object with their byte ranges, and the readers of messages and tools.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/api/json_dom.hpp"
#include "core/api/request_view.hpp"

namespace lc::api {

struct Field {
    std::string_view key;  ///< unescaped; borrowed from the parsed document
    Json value;
    Range range;  ///< of the value
    std::size_t key_begin;
};

/// The members of one object in order, duplicates too.
struct Fields {
    std::vector<Field> all;
    [[nodiscard]] std::optional<Json> get(std::string_view key) const;  ///< the last one; null reads as absent
    [[nodiscard]] Range range(std::string_view key) const;              ///< its value; empty when absent
};

/// `object` begins at byte `begin` of the body that it was parsed from.
[[nodiscard]] Fields fields_of(std::string_view body, Json object, std::size_t begin);

/// "'NAME' must be WANTED, got TYPE".
[[nodiscard]] tl::unexpected<Error> type_error(std::string_view name, std::string_view wanted, Json got);

[[nodiscard]] Result<void> read_messages(std::string_view body, const Fields& fields, RequestView& view);
[[nodiscard]] Result<void> read_tools(std::string_view body, const Fields& fields, RequestView& view);

}  // namespace lc::api
