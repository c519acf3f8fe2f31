// What of a client's request goes on to the place that answers it: path, fields and an edited body. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/endpoint.hpp"
#include "core/api/request_view.hpp"
#include "core/api/session.hpp"

namespace lc::forward {

/// The request as it came. Borrowed for the call.
struct Incoming {
    api::Endpoint endpoint = api::Endpoint::unknown;
    api::Dialect dialect = api::Dialect::plain;
    std::string_view method, target;
    std::span<const api::HeaderField> fields;
    std::string_view body;
    const api::RequestView* view = nullptr;
};

struct Outgoing {
    std::string method, target;
    std::vector<api::HeaderField> fields;
    std::string body;
    bool assemble = false;  ///< a stream is asked for although the client did not: put the answer together
};

/// A member to be set in the request: raw JSON.
struct Member {
    std::string name, json;
};

/// To a llama.cpp engine that calls the model `model`. Asks for prefill progress where the answer streams. `members` are
/// ours; what a client sets of the same name, or of those that are only ours to set, does not get there.
[[nodiscard]] Outgoing to_engine(const Incoming& in, std::string_view model, std::span<const Member> members = {});

struct BackendRules {
    std::string_view key;                              ///< its API key; empty: none
    const std::map<std::string, std::string>* fields = nullptr;  ///< set on each request; may be null
    bool gateway_has_keys = false;                     ///< the client's key is ours and stays here
};

/// To a remote backend whose base URL has its /v1 already.
[[nodiscard]] Outgoing to_backend(const Incoming& in, std::string_view model, const BackendRules& rules);

/// Whether a field of a client's request goes on to a backend: not those of a connection, of proxies, cookies, and ours.
/// `keep_key`: the client's API key goes on too.
[[nodiscard]] bool may_pass(std::string_view name, bool keep_key);

/// Whether a field of an answer that is passed on as it is goes to the client: not those of a connection, nor those by
/// which a server speaks for itself (cookies, CORS, its name).
[[nodiscard]] bool answer_may_pass(std::string_view name);

/// Where an engine counts the tokens of such a request; empty: it cannot.
[[nodiscard]] std::string_view counting_path(api::Endpoint endpoint);

/// When to come again, as a place that refuses says it.
struct RetryAfter {
    int seconds = 0;           ///< 0: not said
    std::string milliseconds;  ///< of retry-after-ms, when it is a sensible number; else empty
    bool operator==(const RetryAfter&) const = default;
};
/// Values of the fields retry-after (seconds, or a date) and retry-after-ms; empty: absent. Total; at most a day.
[[nodiscard]] RetryAfter retry_after(std::string_view after, std::string_view after_ms, std::int64_t now_unix_ms);

/// Whether a refusal of the place that answers goes to the client in its own words and with its own status: what the client
/// did wrong does; what is between us and that place (keys, its load, its faults) and what clients must recognise (overflow)
/// is told by us. `code`: what api::classify_upstream_error makes of it.
[[nodiscard]] bool passes_as_it_came(int status, Errc code);

}  // namespace lc::forward
