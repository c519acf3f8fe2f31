#include "shell/net/content_coding.hpp"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

namespace lc::net {
namespace {

std::string deflated(std::string_view text, int window_bits) {
    z_stream z{};
    deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&z, text.size()) + 64, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    deflate(&z, Z_FINISH);
    out.resize(z.total_out);
    deflateEnd(&z);
    return out;
}

std::string zstd(std::string_view text, int window_log = 0) {
    ZSTD_CCtx* c = ZSTD_createCCtx();
    if (window_log != 0) {
        ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
        ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    }
    std::string out(ZSTD_compressBound(text.size()), '\0');
    if (window_log == 0) {
        out.resize(ZSTD_compress2(c, out.data(), out.size(), text.data(), text.size()));
    } else {  // streamed, so that the frame must announce its window
        ZSTD_inBuffer in{text.data(), text.size(), 0};
        ZSTD_outBuffer to{out.data(), out.size(), 0};
        ZSTD_compressStream2(c, &to, &in, ZSTD_e_continue);
        ZSTD_compressStream2(c, &to, &in, ZSTD_e_end);
        out.resize(to.pos);
    }
    ZSTD_freeCCtx(c);
    return out;
}

Result<std::string> decoded(Coding coding, std::string_view body, std::size_t max_step, std::size_t max_total) {
    const DecoderPtr decoder = make_decoder(coding, body);
    std::string out;
    for (;;) {
        const std::size_t before = out.size();
        const Result<bool> done = decode_some(*decoder, out, max_step, max_total);
        if (!done) return tl::unexpected(done.error());
        EXPECT_LE(out.size() - before, max_step);
        if (*done) return out;
    }
}

TEST(ContentCoding, Names) {
    EXPECT_EQ(parse_coding("gzip"), Coding::gzip);
    EXPECT_EQ(parse_coding(" X-GZip "), Coding::gzip);
    EXPECT_EQ(parse_coding("deflate"), Coding::deflate);
    EXPECT_EQ(parse_coding("zstd"), Coding::zstd);
    EXPECT_EQ(parse_coding("identity"), Coding::identity);
    EXPECT_EQ(parse_coding("br"), std::nullopt);
    EXPECT_EQ(parse_coding("gzip, br"), std::nullopt);
}

TEST(ContentCoding, Decodes) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919) + " ";
    const struct { const char* name; Coding coding; std::string body; std::string want; } cases[] = {
        {"gzip", Coding::gzip, deflated(text, 31), text},
        {"gzip in two members", Coding::gzip, deflated(text, 31) + deflated("end", 31), text + "end"},
        {"an empty member first", Coding::gzip, deflated("", 31) + deflated("end", 31), "end"},
        {"zlib", Coding::deflate, deflated(text, 15), text},
        {"raw", Coding::deflate, deflated(text, -15), text},
        {"zstd", Coding::zstd, zstd(text), text},
        {"zstd in two frames", Coding::zstd, zstd(text) + zstd("end"), text + "end"},
        {"gzip of nothing", Coding::gzip, deflated("", 31), ""},
        {"zstd of nothing", Coding::zstd, zstd(""), ""},
        {"empty gzip", Coding::gzip, "", ""},
        {"empty zstd", Coding::zstd, "", ""},
        {"identity", Coding::identity, text, text},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        for (const std::size_t step : {std::size_t{1} << 20, std::size_t{1000}}) {
            if (c.coding == Coding::identity && step == 1000) continue;  // there is nothing to do in steps
            const auto got = decoded(c.coding, c.body, step, 1u << 20);
            ASSERT_TRUE(got) << got.error().detail;
            EXPECT_EQ(*got, c.want);
        }
    }
}

TEST(ContentCoding, Refuses) {
    const std::string text(100'000, 'x');
    const std::string gz = deflated(text, 31), zlib = deflated(text, 15), zs = zstd(text);
    const struct { const char* name; Coding coding; std::string body; Errc want; } cases[] = {
        {"gzip cut", Coding::gzip, gz.substr(0, gz.size() - 1), Errc::bad_request},
        {"gzip cut early", Coding::gzip, gz.substr(0, 5), Errc::bad_request},
        {"gzip with a wrong checksum", Coding::gzip, [&] { std::string s = gz; s[s.size() - 6] ^= 1; return s; }(), Errc::bad_request},
        {"text behind gzip", Coding::gzip, gz + "tail", Errc::bad_request},
        {"text behind zlib", Coding::deflate, zlib + "tail", Errc::bad_request},
        {"zlib cut", Coding::deflate, zlib.substr(0, zlib.size() - 1), Errc::bad_request},
        {"text", Coding::deflate, "plain text", Errc::bad_request},
        {"one byte", Coding::gzip, "\x1f", Errc::bad_request},
        {"zstd cut", Coding::zstd, zs.substr(0, zs.size() - 1), Errc::bad_request},
        {"text behind zstd", Coding::zstd, zs + "tail", Errc::bad_request},
        {"zstd with a window of 128 MB", Coding::zstd, zstd(text, 27), Errc::bad_request},
        {"gzip bomb", Coding::gzip, deflated(std::string(5u << 20, '\0'), 31), Errc::too_large},
        {"zstd bomb", Coding::zstd, zstd(std::string(5u << 20, '\0')), Errc::too_large},
        {"one byte too many", Coding::gzip, deflated(std::string((1u << 20) + 1, 'a'), 31), Errc::too_large},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        for (const std::size_t step : {std::size_t{1} << 20, std::size_t{1000}}) {
            const auto got = decoded(c.coding, c.body, step, 1u << 20);
            ASSERT_FALSE(got);
            EXPECT_EQ(got.error().code, c.want) << got.error().detail;
        }
    }
    EXPECT_EQ(decoded(Coding::gzip, deflated(std::string(1u << 20, 'a'), 31), 1u << 16, 1u << 20)->size(), 1u << 20);
}

}  // namespace
}  // namespace lc::net
