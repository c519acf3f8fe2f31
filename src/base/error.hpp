// The closed set of errors that LocalCode can answer a request with, and the result type everything returns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace lc {

/// Closed: a new value needs a row in every total map (core/api/http_error.hpp).
enum class Errc : std::uint8_t {
    bad_request,              ///< malformed or ill-typed request
    unauthorized,             ///< no key, or a wrong one
    not_found,                ///< unknown model or path
    too_large,                ///< header or body over a limit
    context_length_exceeded,  ///< prompt does not fit the model's context
    unsupported,              ///< the chosen model or backend lacks the capability
    rate_limited,             ///< upstream says slow down
    overloaded,               ///< our own bounds are reached, or shutting down
    model_load_failed,        ///< the engine did not come up
    upstream_error,           ///< the backend failed or spoke nonsense
    upstream_timeout,         ///< the backend was silent for too long
    cancelled,                ///< the client left, or asked to stop
    internal,                 ///< a fault of ours
};

struct Error {
    Errc code = Errc::internal;
    std::string detail;           ///< for people: what happened and what to do; never holds a secret
    int retry_after_s = 0;        ///< 0: none; sent as `retry-after` with 429 and 503
    bool operator==(const Error&) const = default;
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(Errc code, std::string detail, int retry_after_s = 0) {
    return tl::unexpected(Error{code, std::move(detail), retry_after_s});
}

/// The snake_case name of the code, as in the API's error objects and in logs.
[[nodiscard]] std::string_view name_of(Errc code);

}  // namespace lc
