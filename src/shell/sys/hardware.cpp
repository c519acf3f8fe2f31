#include "shell/sys/hardware.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "shell/sys/fd.hpp"

namespace lc::sys {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_bytes = 1 << 20;

std::string slurp(const fs::path& path) {
    auto text = read_file(path.string(), max_bytes).value_or("");
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

/// What follows "KEY :" on its line.
std::string field(const std::string& text, const std::string& key) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(key)) continue;
        const auto colon = line.find(':');
        if (colon == std::string::npos || line.find_first_not_of(" \t", key.size()) != colon) continue;
        const auto begin = line.find_first_not_of(" \t", colon + 1);
        return begin == std::string::npos ? std::string() : line.substr(begin);
    }
    return {};
}

std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> out;
    std::error_code ec;
    for (fs::directory_iterator at(folder, ec), end; !ec && at != end; at.increment(ec)) out.push_back(at->path());
    std::sort(out.begin(), out.end());
    return out;
}

bool openable(const fs::path& path) {
    return ::access(path.c_str(), R_OK | W_OK) == 0;
}

void nvidia(const std::string& root, std::vector<Card>& out) {
    for (const auto& folder : entries(root + "/proc/driver/nvidia/gpus")) {
        Card card;
        const auto text = slurp(folder / "information");
        card.name = field(text, "Model");
        if (card.name.empty()) card.name = "NVIDIA GPU";
        card.kind = "cuda";
        const auto minor = field(text, "Device Minor");
        const fs::path device = root + "/dev/nvidia" + (minor.empty() ? "0" : minor);
        std::error_code ec;
        if (fs::exists(device, ec)) card.device = device.string(), card.can_open = openable(device);
        out.push_back(std::move(card));
    }
}

/// The render node of a card: /sys/class/drm/cardN/device/drm/renderD*.
std::string render_node(const std::string& root, const fs::path& card) {
    for (const auto& node : entries(card / "device" / "drm")) {
        const auto name = node.filename().string();
        if (name.starts_with("renderD")) return root + "/dev/dri/" + name;
    }
    return {};
}

void others(const std::string& root, std::vector<Card>& out) {
    std::error_code ec;
    for (const auto& folder : entries(root + "/sys/class/drm")) {
        const auto name = folder.filename().string();
        if (!name.starts_with("card") || name.find('-') != std::string::npos) continue;
        const auto vendor = slurp(folder / "device" / "vendor");
        const bool amd = vendor == "0x1002", intel = vendor == "0x8086";
        if (!amd && !intel) continue;
        Card card;
        card.name = std::string(amd ? "AMD" : "Intel") + " GPU (" + name + ")";
        const bool kfd = amd && fs::exists(root + "/dev/kfd", ec);
        card.kind = kfd ? "hip" : "vulkan";
        card.device = kfd ? root + "/dev/kfd" : render_node(root, folder);
        if (card.device.empty()) continue;  // shows pictures only
        card.can_open = openable(card.device);
        card.memory = std::atoll(slurp(folder / "device" / "mem_info_vram_total").c_str());
        const auto used = std::atoll(slurp(folder / "device" / "mem_info_vram_used").c_str());
        card.memory_free = std::max<std::int64_t>(0, card.memory - used);
        out.push_back(std::move(card));
    }
}

}  // namespace

std::vector<std::string> cpu_flags(const std::string& root) {
    std::istringstream words(field(slurp(root + "/proc/cpuinfo"), "flags"));
    std::vector<std::string> out;
    for (std::string word; words >> word;) out.push_back(word);
    return out;
}

std::string cpu_name(const std::string& root) {
    return field(slurp(root + "/proc/cpuinfo"), "model name");
}

std::vector<Card> cards(const std::string& root) {
    std::vector<Card> out;
    nvidia(root, out);
    others(root, out);
    return out;
}

}  // namespace lc::sys
