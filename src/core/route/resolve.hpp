// Which model and place a name in a request means. By name only; the choice by content and load comes on top of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/config/config.hpp"

namespace lc::route {

struct Local {
    std::string name;
    std::vector<std::string> aliases;
};

struct Remote {
    std::string name;
    std::vector<std::string> models;
    bool open = false;  ///< its models are not known: any name may be one of its
};

struct Table {
    std::vector<Local> locals;
    std::vector<Remote> remotes;
    std::string default_model;
    bool default_chosen = false;  ///< configured, or a local model: not merely the name that everybody expects
};

enum class Place : std::uint8_t { local, remote };

struct Choice {
    Place place = Place::local;
    std::size_t index = 0;  ///< in locals or remotes
    std::string model;      ///< the name to send there
    std::string reason;     ///< "name" | "alias" | "default" | "backend" | "only-backend": a token for x-localcode-route
    bool operator==(const Choice&) const = default;
};

[[nodiscard]] Table table_of(const config::Config& config);

/// The configured default, else the first local model, else "glm-4.7".
[[nodiscard]] std::string default_model(const config::Config& config);

/// Pure. Order: exact local name, local alias, "backend/model", a backend that lists the name, an open backend. An empty
/// name means the default; the one that nobody chose goes to the first backend where none is known to have it. not_found names the nearest model, or says that none is configured.
[[nodiscard]] Result<Choice> resolve(const Table& table, std::string_view asked);

}  // namespace lc::route
