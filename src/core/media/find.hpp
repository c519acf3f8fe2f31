// Where a request carries images and sound, in the terms of every dialect that an engine takes. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/api/request_view.hpp"

namespace lc::media {

/// One image or sound. `text` stands at `range` of the body, as a JSON string.
struct Item {
    api::Range range;
    std::string text;        ///< unescaped: a URL, or base64
    std::string where;       ///< for people: "messages[3].content[1].image_url"
    bool bare = false;       ///< base64 without a `data:` before it
    bool video = false;
    bool file = false;       ///< named by an id that only another service knows
    api::Range media_type;   ///< Messages: the member that says the kind; else empty
};

inline constexpr std::size_t max_items = 64;

/// All of them, in order. Of duplicate members the last counts, as in an engine; names may be written with escapes.
/// bad_request: more than `max_items`. `body` is valid JSON.
[[nodiscard]] Result<std::vector<Item>> find_media(std::string_view body);

/// The bytes of a data URL, or of bare base64. bad_request: it is none (a web address, a path, another encoding).
[[nodiscard]] Result<std::string> bytes_of(const Item& item);

}  // namespace lc::media
