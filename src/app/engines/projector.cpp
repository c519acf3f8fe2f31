// Vision and audio projectors: which file goes with a model.
#include <algorithm>
#include <filesystem>
#include <vector>

#include "app/engines/prepare.hpp"
#include "base/text.hpp"
#include "shell/sys/fd.hpp"

namespace lc::engines {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t header_bytes = 4 << 20;  // a projector has no vocabulary: its header is small

/// What a file says of itself; nothing when it is no projector.
Result<gguf::Info> read_projector(const std::string& path) {
    const auto bytes = sys::read_file(path, header_bytes);
    if (!bytes) return tl::unexpected(bytes.error());
    auto info = gguf::parse(*bytes);
    if (!info) return tl::unexpected(info.error());
    if (info->architecture != "clip") {
        return fail(Errc::bad_request, "it is no projector but a model (" + info->architecture + ")");
    }
    return info;
}

std::int64_t size_of(const std::string& path) {
    std::error_code ec;
    const auto bytes = fs::file_size(path, ec);
    return ec ? 0 : static_cast<std::int64_t>(bytes);
}

/// Files with "mmproj" in their name beside the model: 16-bit ones first, then by name.
std::vector<std::string> candidates(const std::string& model_path) {
    std::vector<std::string> out;
    std::error_code ec;
    fs::path folder = fs::path(model_path).parent_path();
    if (folder.empty()) folder = ".";
    for (const auto& entry : fs::directory_iterator(folder, ec)) {
        const std::string name = to_lower(entry.path().filename().string());
        if (name.find("mmproj") != std::string::npos && name.ends_with(".gguf")) out.push_back(entry.path().string());
    }
    std::sort(out.begin(), out.end());
    std::stable_partition(out.begin(), out.end(), [](const std::string& path) {
        return to_lower(path.substr(path.rfind('/') + 1)).find("f16") != std::string::npos;
    });
    return out;
}

}  // namespace

Result<Projector> find_projector(const config::Model& model, const gguf::Info& info) {
    Projector out;
    if (model.mmproj == "none") return out;
    if (!model.mmproj.empty()) {
        const auto read = read_projector(model.mmproj);
        if (!read) return fail(Errc::model_load_failed, "mmproj " + model.mmproj + ": " + read.error().detail);
        out.file = model.mmproj;
        out.bytes = size_of(out.file);
        out.images = read->projects_images;
        out.audio = read->projects_audio;
        return out;
    }
    for (const auto& path : candidates(model.path)) {
        const auto read = read_projector(path);
        if (!read) continue;
        // Some give their inner width there; then only their common repository says that they belong together.
        if (read->projection != info.embedding && model.hf.empty()) continue;
        out.file = path;
        out.bytes = size_of(path);
        out.images = read->projects_images;
        out.audio = read->projects_audio;
        out.note = "images and audio: projector " + path.substr(path.rfind('/') + 1) + ", which lies beside the model";
        return out;
    }
    return out;
}

}  // namespace lc::engines
