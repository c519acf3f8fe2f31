// Remote servers that LocalCode knows by name, so that a backend needs one word instead of a URL.
#pragma once

#include <span>
#include <string_view>

#include "core/config/config.hpp"

namespace lc::config {

struct Preset {
    std::string_view name;
    std::string_view url;
    std::string_view key;  ///< secret spec used when the backend names none
    std::span<const std::string_view> models;
    std::string_view about;  ///< one line for people
};

[[nodiscard]] std::span<const Preset> presets();
[[nodiscard]] std::span<const std::string_view> preset_names();

/// Null: there is no such preset.
[[nodiscard]] const Preset* find_preset(std::string_view name);

/// Fills what the backend leaves open (url, key, models) from its preset; unchanged without one. What is set stays.
[[nodiscard]] Backend with_preset(Backend backend);

/// The environment variable whose presence alone makes the zai preset a backend.
inline constexpr std::string_view zai_key_variable = "ZAI_API_KEY";
inline constexpr std::string_view zai_preset = "zai";

}  // namespace lc::config
