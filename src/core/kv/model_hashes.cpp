#include "core/kv/model_hashes.hpp"

#include <algorithm>
#include <charconv>

#include "core/kv/identity.hpp"

namespace lc::kv {

namespace {

constexpr std::size_t max_known = 1000;
constexpr std::int64_t racy_ns = 2'000'000'000;

template <class T>
bool take_number(std::string_view& line, T& out) {
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), out);
    if (error != std::errc() || end == line.data() + line.size() || *end != ' ') return false;
    line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
    return true;
}

}  // namespace

std::optional<Digest> lookup(const ModelHashes& hashes, const FileStamp& stamp) {
    for (const ModelHash& entry : hashes.known) {
        if (entry.stamp == stamp) return entry.digest;
    }
    return std::nullopt;
}

ModelHashes remember(ModelHashes hashes, const FileStamp& stamp, const Digest& digest, std::int64_t now_ns) {
    std::erase_if(hashes.known, [&](const ModelHash& entry) {
        return entry.stamp.device == stamp.device && entry.stamp.inode == stamp.inode;
    });
    if (std::max(stamp.mtime_ns, stamp.ctime_ns) > now_ns - racy_ns) return hashes;
    hashes.known.push_back({stamp, digest});
    if (hashes.known.size() > max_known) hashes.known.erase(hashes.known.begin());
    return hashes;
}

std::string print(const ModelHashes& hashes) {
    std::string out;
    for (const auto& [stamp, digest] : hashes.known) {
        out += std::to_string(stamp.device) + ' ' + std::to_string(stamp.inode) + ' ' + std::to_string(stamp.size) +
               ' ' + std::to_string(stamp.mtime_ns) + ' ' + std::to_string(stamp.ctime_ns) + ' ' + hex(digest) + '\n';
    }
    return out;
}

ModelHashes parse_model_hashes(std::string_view text) {
    ModelHashes out;
    while (!text.empty() && out.known.size() < max_known) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        ModelHash entry;
        FileStamp& s = entry.stamp;
        if (!take_number(line, s.device) || !take_number(line, s.inode) || !take_number(line, s.size) ||
            !take_number(line, s.mtime_ns) || !take_number(line, s.ctime_ns)) {
            continue;
        }
        if (const auto digest = digest_of_hex(line)) {
            entry.digest = *digest;
            out.known.push_back(entry);
        }
    }
    return out;
}

}  // namespace lc::kv
