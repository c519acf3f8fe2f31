#include "shell/media/pixels.hpp"

#include <webp/decode.h>
#include <zlib.h>

#include <array>
#include <memory>
#include <vector>

namespace lc::media {

namespace {

std::uint32_t be32(std::string_view bytes, std::size_t at) {
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < 4; ++i) out = out << 8 | static_cast<unsigned char>(bytes[at + i]);
    return out;
}

void put32(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

void put_chunk(std::string& out, std::string_view type, std::string_view data) {
    put32(out, static_cast<std::uint32_t>(data.size()));
    std::string body(type);
    body += data;
    out += body;
    put32(out, static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
}

struct Inflater {
    z_stream stream{};
    Inflater() { inflateInit(&stream); }
    ~Inflater() { inflateEnd(&stream); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
};

}  // namespace

Result<std::string> webp_to_png(std::string_view bytes) {
    int width = 0, height = 0;
    const std::unique_ptr<std::uint8_t, void (*)(void*)> rgb(
        WebPDecodeRGB(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), &width, &height), WebPFree);
    if (!rgb || width < 1 || height < 1) return fail(Errc::bad_request, "the WebP image cannot be decoded");
    const std::size_t row = static_cast<std::size_t>(width) * 3;
    std::string rows;
    rows.reserve((row + 1) * static_cast<std::size_t>(height));
    for (int y = 0; y < height; ++y) {
        rows.push_back('\0');  // no filter
        rows.append(reinterpret_cast<const char*>(rgb.get()) + static_cast<std::size_t>(y) * row, row);
    }
    uLongf size = compressBound(static_cast<uLong>(rows.size()));
    std::string packed(size, '\0');
    if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
                  static_cast<uLong>(rows.size()), 1) != Z_OK) {
        return fail(Errc::internal, "the image could not be packed");
    }
    packed.resize(size);
    std::string head;
    put32(head, static_cast<std::uint32_t>(width));
    put32(head, static_cast<std::uint32_t>(height));
    head += std::string("\x08\x02\x00\x00\x00", 5);  // 8 bits, RGB
    std::string out = "\x89PNG\r\n\x1a\n";
    put_chunk(out, "IHDR", head);
    put_chunk(out, "IDAT", packed);
    put_chunk(out, "IEND", "");
    return out;
}

Result<void> check_png(std::string_view bytes, const Info& info) {
    // The most that the header allows: four channels of 16 bits, a filter byte a row, and the rows of seven passes.
    const auto most = static_cast<std::uint64_t>(info.height + 8) * (static_cast<std::uint64_t>(info.width) * 8 + 1) * 2 + 65'536;
    Inflater in;
    std::vector<unsigned char> scratch(64 << 10);
    std::uint64_t total = 0;
    std::size_t at = 8;
    while (at + 12 <= bytes.size()) {
        const std::size_t length = be32(bytes, at);
        if (length > bytes.size() - at - 12) return fail(Errc::bad_request, "the PNG image is cut off");
        const auto type = bytes.substr(at + 4, 4);
        if (type == "IEND") break;
        if (type == "IDAT") {
            in.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + at + 8));
            in.stream.avail_in = static_cast<uInt>(length);
            while (in.stream.avail_in > 0) {
                in.stream.next_out = scratch.data();
                in.stream.avail_out = static_cast<uInt>(scratch.size());
                const int status = inflate(&in.stream, Z_NO_FLUSH);
                const std::size_t made = scratch.size() - in.stream.avail_out;
                total += made;
                if (total > most) return fail(Errc::bad_request, "the PNG image holds more than its size allows; it is refused");
                if (status == Z_STREAM_END) return {};
                if (status != Z_OK || (made == 0 && in.stream.avail_in == 0)) break;
            }
        }
        at += length + 12;
    }
    return {};
}

}  // namespace lc::media
