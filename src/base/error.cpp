#include "base/error.hpp"

namespace lc {

std::string_view name_of(Errc code) {
    switch (code) {
        case Errc::bad_request: return "bad_request";
        case Errc::unauthorized: return "unauthorized";
        case Errc::not_found: return "not_found";
        case Errc::too_large: return "too_large";
        case Errc::context_length_exceeded: return "context_length_exceeded";
        case Errc::unsupported: return "unsupported";
        case Errc::rate_limited: return "rate_limited";
        case Errc::overloaded: return "overloaded";
        case Errc::model_load_failed: return "model_load_failed";
        case Errc::upstream_error: return "upstream_error";
        case Errc::upstream_timeout: return "upstream_timeout";
        case Errc::cancelled: return "cancelled";
        case Errc::internal: return "internal";
    }
    return "internal";
}

}  // namespace lc
