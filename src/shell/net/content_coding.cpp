#include "shell/net/content_coding.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "base/text.hpp"

namespace lc::net {
namespace {

constexpr int zstd_max_window_log = 23;  // 8 MiB, what RFC 9659 allows in HTTP

/// Zlib's two-byte header; without it the sender means a raw deflate stream.
bool has_zlib_header(std::string_view text) {
    if (text.size() < 2) return false;
    const auto first = static_cast<unsigned char>(text[0]), second = static_cast<unsigned char>(text[1]);
    return (first & 0x0f) == 8 && (first * 256 + second) % 31 == 0;
}

tl::unexpected<Error> broken(const char* what) {
    return fail(Errc::bad_request, std::string("the request body is ") + what);
}

}  // namespace

class Decoder {
  public:
    Coding coding = Coding::identity;
    std::string_view input;
    z_stream zlib{};
    bool zlib_ready = false;
    ZSTD_DStream* zstd = nullptr;
    bool frame_open = false;  // zstd: within a frame
};

void DecoderDeleter::operator()(Decoder* decoder) const {
    if (decoder->zlib_ready) inflateEnd(&decoder->zlib);
    ZSTD_freeDStream(decoder->zstd);
    delete decoder;
}

std::optional<Coding> parse_coding(std::string_view value) {
    value = trim(value);
    if (value.empty() || iequals(value, "identity")) return Coding::identity;
    if (iequals(value, "gzip") || iequals(value, "x-gzip")) return Coding::gzip;
    if (iequals(value, "deflate")) return Coding::deflate;
    if (iequals(value, "zstd")) return Coding::zstd;
    return std::nullopt;
}

DecoderPtr make_decoder(Coding coding, std::string_view compressed) {
    DecoderPtr d(new Decoder);
    d->coding = coding;
    d->input = compressed;
    if (coding == Coding::gzip || coding == Coding::deflate) {
        const int bits = coding == Coding::gzip ? 15 + 16 : has_zlib_header(compressed) ? 15 : -15;
        d->zlib_ready = inflateInit2(&d->zlib, bits) == Z_OK;
        d->zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    } else if (coding == Coding::zstd) {
        d->zstd = ZSTD_createDStream();
        if (d->zstd != nullptr) ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, zstd_max_window_log);
    }
    return d;
}

namespace {

/// One call of the library into [to, to + room). Returns bytes written; `finished` when the whole input is decoded.
Result<std::size_t> zlib_step(Decoder& d, char* to, std::size_t room, bool& finished) {
    if (!d.zlib_ready) return fail(Errc::internal, "zlib could not be started");
    d.zlib.avail_in = static_cast<uInt>(std::min<std::size_t>(d.input.size(), 1u << 30));
    d.zlib.next_out = reinterpret_cast<Bytef*>(to);
    d.zlib.avail_out = static_cast<uInt>(room);
    const uInt before = d.zlib.avail_in;
    const int rc = inflate(&d.zlib, Z_NO_FLUSH);
    d.input.remove_prefix(before - d.zlib.avail_in);
    const std::size_t written = room - d.zlib.avail_out;
    if (rc == Z_STREAM_END) {
        if (d.input.empty()) {
            finished = true;
        } else if (d.coding != Coding::gzip || inflateReset(&d.zlib) != Z_OK) {  // gzip: members may follow each other
            return broken("followed by other bytes after its compressed data");
        }
        return written;
    }
    if (rc != Z_OK && rc != Z_BUF_ERROR) return broken("not valid compressed data");
    if (d.input.empty() && d.zlib.avail_out != 0) return broken("cut short: its compressed data has no end");
    return written;
}

Result<std::size_t> zstd_step(Decoder& d, char* to, std::size_t room, bool& finished) {
    if (d.zstd == nullptr) return fail(Errc::internal, "zstd could not be started");
    ZSTD_inBuffer in{d.input.data(), d.input.size(), 0};
    ZSTD_outBuffer out{to, room, 0};
    const std::size_t rc = ZSTD_decompressStream(d.zstd, &out, &in);
    if (ZSTD_isError(rc)) return broken("not valid zstd data");
    d.input.remove_prefix(in.pos);
    if (rc == 0 && d.input.empty()) {
        finished = true;
    } else if (rc != 0 && d.input.empty() && out.pos < room) {
        return broken("cut short: its compressed data has no end");
    }
    return out.pos;
}

}  // namespace

Result<bool> decode_some(Decoder& d, std::string& out, std::size_t max_step, std::size_t max_total) {
    if (d.coding == Coding::identity || (d.input.empty() && out.empty() && d.zlib.total_in == 0)) {
        out.append(d.input);
        return true;
    }
    // One byte over the limit is asked for, so that a body of exactly the limit can still show its end.
    std::size_t budget = max_step;
    bool finished = false;
    while (!finished && budget != 0) {
        const std::size_t have = out.size();
        const std::size_t room = std::min({budget, max_total + 1 - std::min(have, max_total), std::size_t{64} << 10});
        out.resize(have + room);
        const bool gz = d.coding == Coding::gzip || d.coding == Coding::deflate;
        const Result<std::size_t> n = gz ? zlib_step(d, out.data() + have, room, finished)
                                         : zstd_step(d, out.data() + have, room, finished);
        out.resize(have + n.value_or(0));
        if (!n) return tl::unexpected(n.error());
        if (out.size() > max_total) {
            return fail(Errc::too_large,
                        "the request body decompresses to more than " + std::to_string(max_total) + " bytes");
        }
        budget -= *n;
    }
    return finished;
}

}  // namespace lc::net
