// Names and numbers from the gateway.
#include "state/service.h"

#include "core/kv/identity.hpp"

#include <stdexcept>

namespace {
[[noreturn]] void refuse(const char* what, const char* why) {
    throw std::invalid_argument("'" + std::string(what) + "' " + why);
}
constexpr std::size_t most_turns = 4096;

/// [[begin, end], ...], ascending.
std::vector<KnownTurn> parse_turns(const json& value) {
    if (!value.is_array() || value.size() > most_turns) {
        refuse("history", "must have short lists of turns");
    }
    std::vector<KnownTurn> out;
    for (const auto& turn : value) {
        const auto ends = parse_counts(turn, 2, "history");
        if (ends.size() != 2 || (!out.empty() && ends[0] < out.back().end)) {
            refuse("history", "must have ascending turns");
        }
        out.push_back({ends[0], ends[1]});
    }
    return out;
}

HistoryRequest parse_history(const json& value, std::size_t n_states) {
    HistoryRequest out;
    if (!value.is_object()) {
        refuse("history", "must be an object");
    }
    const auto generation = value.value("generation", json(0));
    if (!generation.is_number_integer() || generation.get<std::int64_t>() < 0) {
        refuse("history", "must have a generation that is a number");
    }
    out.generation = generation.get<std::uint64_t>();
    out.slot = parse_turns(value.value("slot", json::array()));
    const auto states = value.value("states", json::array());
    if (!states.is_array() || states.size() > n_states) {
        refuse("history", "must have turns of the states that are named");
    }
    for (const auto& turns : states) {
        out.states.push_back(parse_turns(turns));
    }
    return out;
}
}  // namespace

lc::Digest parse_name(const json& value, const char* what) {
    const auto digest = value.is_string() ? lc::kv::digest_of_hex(value.get<std::string>())
                                          : lc::Result<lc::Digest>(lc::fail(lc::Errc::bad_request, ""));
    if (!digest) {
        refuse(what, "must be 64 lower-case hexadecimal digits");
    }
    return *digest;
}

std::vector<std::uint32_t> parse_counts(const json& value, std::size_t most, const char* what) {
    if (!value.is_array() || value.size() > most) {
        refuse(what, "must be a short list of token counts");
    }
    std::vector<std::uint32_t> out;
    for (const auto& count : value) {
        const bool good = count.is_number_integer() && count.get<std::int64_t>() > 0 && count.get<std::int64_t>() <= 1 << 24 &&
                          (out.empty() || out.back() <= count.get<std::int64_t>());
        if (!good) {
            refuse(what, "must be ascending token counts");
        }
        out.push_back(count.get<std::uint32_t>());
    }
    return out;
}

StateRequest parse_state_request(const json& member) {
    StateRequest out;
    out.scope.name_space = parse_name(member.value("namespace", json()), "namespace");
    out.scope.identity = parse_name(member.value("identity", json()), "identity");
    const auto states = member.value("states", json::array());
    if (!states.is_array() || states.size() > 8) {
        refuse("states", "must be a list of at most 8 names");
    }
    for (const auto& name : states) {
        out.states.push_back(parse_name(name, "states"));
    }
    const auto chunks = member.value("chunks", json(false));
    if (!chunks.is_boolean()) {
        refuse("chunks", "must be true or false");
    }
    out.chunks = chunks.get<bool>();
    if (member.contains("limit")) {
        const auto& limit = member.at("limit");
        if (!limit.is_number_integer() || limit.get<std::int64_t>() < 0 || limit.get<std::int64_t>() > 1 << 24) {
            refuse("limit", "must be a number of tokens");
        }
        out.limit = limit.get<std::uint32_t>();
    }
    if (member.contains("checkpoints")) {
        out.checkpoints = parse_counts(member.at("checkpoints"), 8, "checkpoints");
    }
    if (member.contains("history")) {
        out.history = parse_history(member.at("history"), out.states.size());
    }
    return out;
}
