// Inside of reading answers: what an error object of a backend stands for.
#pragma once

#include <optional>
#include <string_view>

#include "core/api/json_dom.hpp"

namespace lc::api {

/// `object` is the value of `error` (an object or a text), or an object that is itself the error. `status` is the HTTP
/// status, 0 in mid-stream. Total.
[[nodiscard]] Error error_of(Json object, int status, int retry_after_s = 0);

/// The error that a frame's or an answer's root object holds, if any: `{"error": ...}`, `{"type":"error", ...}`.
[[nodiscard]] std::optional<Json> find_error(Json root);

}  // namespace lc::api
