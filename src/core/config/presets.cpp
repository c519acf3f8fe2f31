#include "core/config/presets.hpp"

#include <algorithm>
#include <array>

namespace lc::config {

namespace {
constexpr std::array<std::string_view, 1> zai_models = {"glm-4.7"};
constexpr std::array<Preset, 1> all = {{
    {zai_preset, "https://api.z.ai/api/coding/paas/v4", "env:ZAI_API_KEY", zai_models, "GLM-4.7 coding API of Z.ai"},
}};

constexpr auto names = [] {
    std::array<std::string_view, all.size()> out;
    for (std::size_t i = 0; i < all.size(); ++i) out[i] = all[i].name;
    return out;
}();
}  // namespace

std::span<const Preset> presets() {
    return all;
}
std::span<const std::string_view> preset_names() {
    return names;
}

const Preset* find_preset(std::string_view name) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Preset& p) { return p.name == name; });
    return found == all.end() ? nullptr : &*found;
}

Backend with_preset(Backend backend) {
    const Preset* preset = find_preset(backend.preset);
    if (preset == nullptr) return backend;
    if (backend.url.empty()) backend.url = preset->url;
    if (backend.key.empty()) backend.key.spec = preset->key;
    if (backend.models.empty()) backend.models.assign(preset->models.begin(), preset->models.end());
    return backend;
}

}  // namespace lc::config
