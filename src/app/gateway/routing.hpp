// Which place a turn goes to, where it goes when that place fails, and what is learned from how it went. What is decided is
// core/route; here is the state. Internal to app/gateway.
#pragma once

#include <list>
#include <map>
#include <string>
#include <vector>

#include "app/gateway/packed.hpp"
#include "app/gateway/parts.hpp"
#include "core/route/breaker.hpp"
#include "core/route/plan.hpp"

namespace lc::gateway {

/// What is known of one place.
struct LearnedPlace {
    route::Speed speed;
    double tokens_per_byte = 0;  ///< of prompts; 0: not known yet
};

/// Owned by the gateway. Bounded: `places` by the names that answered, at most 1,024; `cached` at most 4,096.
struct Routing {
    std::map<std::string, LearnedPlace, std::less<>> places;  ///< by "engine/model", "backend/model"
    std::vector<route::Breaker> breakers;                     ///< by backend
    /// How many tokens of a session's next prompt a place has: "place session" -> tokens, the last used first.
    struct Cached {
        std::string key;
        std::int64_t tokens = 0;
    };
    std::list<Cached> cached;
    std::map<std::string, std::list<Cached>::iterator, std::less<>> cached_at;
};

/// What a turn carries of it.
struct RouteTurn {
    route::Features features;
    route::Plan plan;
    std::size_t at = 0;              ///< the candidate that is being tried
    std::size_t prompt_bytes = 0;    ///< of the request as it came
    bool was_loaded = true;          ///< that place, when it was chosen
    Clock::time_point sent{};        ///< when the attempt began
    Packed original;                 ///< the body as it came, where another place may be asked next
    api::EndpointMatch match;        ///< likewise what was asked for
};

/// The places that may answer, the first of them chosen. Errors: not_found, unsupported, context_length_exceeded.
awaitable<Result<void>> choose_places(Gateway& gateway, Turn& turn);

/// The same for a request that nobody sends: `localcode route --explain`.
awaitable<Result<std::string>> explain_route(Gateway& gateway, const net::Request& request, std::string_view path);

/// Whether another place stands ready should this one fail.
[[nodiscard]] bool has_next_place(const Turn& turn);

/// After an attempt: learns from it, and after an error that another place may not have chooses the next one. True: try there.
[[nodiscard]] bool next_place(Gateway& gateway, Turn& turn, const Result<void>& done);

/// An attempt begins.
void begin_attempt(Gateway& gateway, Turn& turn);

}  // namespace lc::gateway
