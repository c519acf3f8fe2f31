// Which places may answer a request, in the order in which they are tried, and why. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/session.hpp"
#include "core/config/config.hpp"
#include "core/route/features.hpp"
#include "core/route/predict.hpp"
#include "core/route/resolve.hpp"

namespace lc::route {

/// What is known of a place when a request comes.
struct Facts {
    std::vector<std::string> roles;  ///< as configured; empty: coder
    std::int64_t context = 0;        ///< tokens of a request and its answer; 0: not known
    bool tools = true;               ///< its template renders tools
    bool vision = false;
    bool fim = false;
    Speed speed;
    Situation now;                   ///< `tokens` is filled in by `plan`
    std::int64_t rests_ms = 0;       ///< > 0: its breaker is open for so long
};

struct Candidate {
    Choice choice;
    std::string model, backend;  ///< as shown: the model's name there; "engine" or the backend's name
    Prediction prediction;
    std::int64_t cached = 0;
    bool capable = true;
    std::string why;             ///< why it stands where it does; why not, when it is not capable
};

struct Plan {
    std::vector<Candidate> candidates;  ///< those to try first; the ones that are not capable stand last and are not tried
    std::string rule;                   ///< "route 2", "auto", "name", "alias", "default", ...
};

using FactsOf = std::function<Facts(const Choice&)>;

/// Whether all conditions of a rule hold.
[[nodiscard]] bool holds(const config::RouteMatch& match, const Features& features, std::span<const api::HeaderField> fields);

/// The first route that matches decides; else `model: "auto"` lets all places compete, and any other name means the places that
/// have it. Errors: not_found as `resolve`; unsupported or context_length_exceeded when no place can answer.
[[nodiscard]] Result<Plan> plan(const Table& table, const std::vector<config::Route>& routes, const Features& features,
                                std::span<const api::HeaderField> fields, const FactsOf& facts_of);

/// {"kind", "features", "candidates": [{"model", "backend", "predicted_ttft_ms", "cached_tokens", "why"}], "rule", "chosen"}.
[[nodiscard]] std::string to_json(const Plan& plan, const Features& features);

}  // namespace lc::route
