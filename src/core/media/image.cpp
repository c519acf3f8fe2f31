#include "core/media/image.hpp"

#include <string>

namespace lc::media {

namespace {

/// Reads numbers at any place; beyond the end they are 0 and `good` is false.
struct Reader {
    std::string_view bytes;
    bool good = true;

    std::uint32_t byte(std::size_t at) {
        if (at >= bytes.size()) {
            good = false;
            return 0;
        }
        return static_cast<unsigned char>(bytes[at]);
    }
    std::uint32_t be16(std::size_t at) { return byte(at) << 8 | byte(at + 1); }
    std::uint32_t be32(std::size_t at) { return be16(at) << 16 | be16(at + 2); }
    std::uint32_t le16(std::size_t at) { return byte(at) | byte(at + 1) << 8; }
    std::uint32_t le24(std::size_t at) { return le16(at) | byte(at + 2) << 16; }
    std::uint32_t le32(std::size_t at) { return le16(at) | le16(at + 2) << 16; }
};

/// Four bytes at a place; fewer where they end.
std::string_view four(std::string_view bytes, std::size_t at) { return at < bytes.size() ? bytes.substr(at, 4) : std::string_view(); }

tl::unexpected<Error> damaged(std::string_view kind) {
    return fail(Errc::bad_request, "the image is damaged: its " + std::string(kind) + " header makes no sense");
}

Result<Info> sized(Kind kind, const Reader& in, std::int64_t width, std::int64_t height, std::string_view name) {
    if (!in.good || width < 1 || height < 1) return damaged(name);
    return Info{kind, width, height, false};
}

Result<Info> png(std::string_view bytes) {
    Reader in{bytes};
    if (four(bytes, 12) != "IHDR" || in.be32(8) != 13) return damaged("PNG");
    return sized(Kind::png, in, in.be32(16), in.be32(20), "PNG");
}

Result<Info> gif(std::string_view bytes) {
    Reader in{bytes};
    const auto width = in.le16(6), height = in.le16(8);
    return sized(Kind::gif, in, width, height, "GIF");
}

/// Segments up to the one with the size (SOF0 to SOF15 but for DHT, JPG and DAC).
Result<Info> jpeg(std::string_view bytes) {
    Reader in{bytes};
    std::size_t at = 2;
    while (in.good) {
        if (in.byte(at) != 0xff) return damaged("JPEG");
        while (in.good && in.byte(at) == 0xff) ++at;
        const auto marker = in.byte(at++);
        if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;  // without a length
        if (marker == 0xda || marker == 0xd9 || marker == 0) return damaged("JPEG");
        const auto length = in.be16(at);
        if (length < 2) return damaged("JPEG");
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
            const auto height = in.be16(at + 3), width = in.be16(at + 5);
            return sized(Kind::jpeg, in, width, height, "JPEG");
        }
        at += length;
    }
    return damaged("JPEG");
}

Result<Info> webp(std::string_view bytes) {
    Reader in{bytes};
    const auto chunk = four(bytes, 12);
    if (chunk == "VP8X") {
        auto info = sized(Kind::webp, in, 1 + static_cast<std::int64_t>(in.le24(24)), 1 + static_cast<std::int64_t>(in.le24(27)), "WebP");
        if (info && !in.good) return damaged("WebP");
        if (info) info->animated = (in.byte(20) & 2) != 0;
        return info;
    }
    if (chunk == "VP8 ") {
        const auto width = in.le16(26) & 0x3fff, height = in.le16(28) & 0x3fff;
        return sized(Kind::webp, in, width, height, "WebP");
    }
    if (chunk == "VP8L") {
        const auto bits = in.le32(21);
        return sized(Kind::webp, in, 1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff), "WebP");
    }
    return damaged("WebP");
}

}  // namespace

std::string_view mime_of(Kind kind) {
    switch (kind) {
        case Kind::png: return "image/png";
        case Kind::jpeg: return "image/jpeg";
        case Kind::gif: return "image/gif";
        case Kind::webp: return "image/webp";
        case Kind::wav: return "audio/wav";
        case Kind::mp3: return "audio/mpeg";
        case Kind::flac: return "audio/flac";
    }
    return "";
}

bool is_image(Kind kind) { return kind == Kind::png || kind == Kind::jpeg || kind == Kind::gif || kind == Kind::webp; }

Result<Info> inspect(std::string_view bytes) {
    if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return png(bytes);
    if (bytes.starts_with("\xff\xd8\xff")) return jpeg(bytes);
    if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return gif(bytes);
    if (bytes.starts_with("RIFF") && four(bytes, 8) == "WEBP") return webp(bytes);
    if (bytes.starts_with("RIFF") && four(bytes, 8) == "WAVE") return Info{Kind::wav};
    if (bytes.starts_with("fLaC")) return Info{Kind::flac};
    const bool frame = bytes.size() >= 4 && bytes[0] == '\xff' && (static_cast<unsigned char>(bytes[1]) & 0xe6) == 0xe2;
    if (bytes.starts_with("ID3") || frame) return Info{Kind::mp3};
    return fail(Errc::bad_request, "it is no PNG, JPEG, GIF or WebP image, and no WAV, MP3 or FLAC sound");
}

Result<void> check_size(const Info& info) {
    if (!is_image(info.kind)) return {};
    if (info.width > max_side || info.height > max_side || info.width * info.height > max_pixels) {
        return fail(Errc::bad_request, "the image has " + std::to_string(info.width) + " x " + std::to_string(info.height) +
                                           " pixels; " + std::to_string(max_side) + " a side and " +
                                           std::to_string(max_pixels / 1'000'000) + " million in all are possible: make it smaller");
    }
    return {};
}

}  // namespace lc::media
