#include "core/kv/chunk.hpp"

#include <gtest/gtest.h>

#include <set>

#include "core/kv/testing.hpp"
#include "core/kv/wire.hpp"

namespace lc::kv {
namespace {

using namespace lc::kv::testing;

Chunk small_chunk() {
    return {test_scope(), {}, {}, 0, test_layers(), {5, 0, 49151}};
}

bool whole(std::string_view file) {
    const auto parsed = parse_chunk(file, file.size());
    return parsed && check_rows(*parsed, file);
}

TEST(Chunk, GoldenFile) {
    Chunk chunk = small_chunk();
    chunk.start = 256;
    chunk.parent = sha256("parent");
    chunk.positions = {300, 301, 302};
    chunk.extensions = std::string(36, 'x');
    expect_golden(__FILE__, "chunk", chunk_file(chunk));
}

TEST(Chunk, ComesBackAsItWas) {
    Chunk with_all = small_chunk();
    with_all.start = 512;
    with_all.parent = sha256("p");
    with_all.media = sha256("m");
    with_all.tokens = {media_token, media_token, 7};
    with_all.positions = {512, 512, 513};
    with_all.extensions = std::string(36, 'e');
    with_all.layers = {{3, 8, 34, 0, 0}, {7, 8, 34, 8, 68}};  // the first has no V
    Chunk full = small_chunk();
    full.tokens = test_tokens(256);
    const struct {
        const char* name;
        Chunk chunk;
        std::uint32_t align;
    } cases[] = {{"small", small_chunk(), 64},
                 {"page", small_chunk(), page},
                 {"unaligned", small_chunk(), 1},
                 {"all fields", with_all, 64},
                 {"256 tokens", full, page}};
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const std::string file = chunk_file(c.chunk, c.align);
        const auto parsed = parse_chunk(file, file.size());
        ASSERT_TRUE(parsed) << parsed.error().detail;
        EXPECT_EQ(parsed->chunk, c.chunk);
        EXPECT_EQ(parsed->header_bytes % c.align, 0u);
        EXPECT_TRUE(check_rows(*parsed, file));
        EXPECT_EQ(encode_chunk_header(parsed->chunk, parsed->places, c.align).value(),
                  file.substr(0, parsed->header_bytes));
        EXPECT_EQ(parsed->name, chunk_name(c.chunk.scope, c.chunk.parent, c.chunk.media, c.chunk.tokens));
    }
}

TEST(Chunk, EveryByteIsGuarded) {
    const std::string file = chunk_file(small_chunk());
    expect_damage_refused(file, file.size(), whole);
}

TEST(Chunk, LaterVersionIsNotDamage) {
    std::string file = chunk_file(small_chunk());
    put_at(file, 8, std::uint32_t{2});
    EXPECT_EQ(parse_chunk(file, file.size()).error().code, Errc::unsupported);
}

TEST(Chunk, WritersRefuseWhatReadersRefuse) {
    const struct {
        const char* name;
        void (*spoil)(Chunk&);
    } cases[] = {
        {"no tokens", [](Chunk& c) { c.tokens.clear(); }},
        {"257 tokens", [](Chunk& c) { c.tokens = test_tokens(257); }},
        {"start", [](Chunk& c) { c.start = 100, c.parent = sha256("p"); }},
        {"start without parent", [](Chunk& c) { c.start = 256; }},
        {"parent without start", [](Chunk& c) { c.parent = sha256("p"); }},
        {"no layers", [](Chunk& c) { c.layers.clear(); }},
        {"layers not ascending", [](Chunk& c) { c.layers[1].layer = 0; }},
        {"no K", [](Chunk& c) { c.layers[0].k_row_bytes = 0; }},
        {"huge V", [](Chunk& c) { c.layers[0].v_row_bytes = 1u << 30; }},
        {"negative token", [](Chunk& c) { c.tokens[0] = -2; }},
        {"media token without media", [](Chunk& c) { c.tokens[0] = -1; }},
        {"positions", [](Chunk& c) { c.positions = {1}; }},
        {"extensions", [](Chunk& c) { c.extensions = "x"; }},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Chunk chunk = small_chunk();
        c.spoil(chunk);
        EXPECT_FALSE(encode_chunk_header(chunk, std::vector<LayerPlace>(chunk.layers.size())));
    }
    EXPECT_FALSE(encode_chunk_header(small_chunk(), std::vector<LayerPlace>(2), 48));
    EXPECT_FALSE(encode_chunk_header(small_chunk(), std::vector<LayerPlace>(1)));
}

TEST(Names, DependOnEverythingBefore) {
    const auto tokens = test_tokens(600);
    const auto base = chunk_names(test_scope(), tokens);
    ASSERT_EQ(base.size(), 3u);
    auto changed = tokens;
    changed[300] ^= 1;
    const auto other = chunk_names(test_scope(), changed);
    EXPECT_EQ(other[0], base[0]);
    EXPECT_NE(other[1], base[1]);
    EXPECT_NE(other[2], base[2]);
    std::set<Digest> all(base.begin(), base.end());
    for (const Scope& scope : {test_scope("tenant"), test_scope("", "other identity")}) {
        for (const Digest& name : chunk_names(scope, tokens)) EXPECT_TRUE(all.insert(name).second);
    }
    EXPECT_EQ(all.size(), 9u);
    const auto cut = chunk_names(test_scope(), std::span(tokens).first(512));
    EXPECT_TRUE(std::equal(cut.begin(), cut.end(), base.begin()));
    EXPECT_TRUE(chunk_names(test_scope(), {}).empty());
}

TEST(Names, TellImagesApart) {
    auto tokens = test_tokens(600);
    for (std::size_t i = 250; i < 300; ++i) tokens[i] = media_token;
    const auto names = [&](std::string_view image) {
        const Media media[] = {{250, 50, sha256(image)}};
        return chunk_names(test_scope(), tokens, media);
    };
    const auto cat = names("cat"), dog = names("dog");
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NE(cat[i], dog[i]);
    const Media media[] = {{250, 50, sha256("cat")}};
    EXPECT_TRUE(is_zero(media_digest(media, 0, 250)));
    EXPECT_FALSE(is_zero(media_digest(media, 0, 251)));
    EXPECT_FALSE(is_zero(media_digest(media, 299, 1)));
    EXPECT_TRUE(is_zero(media_digest(media, 300, 10)));
    EXPECT_TRUE(media_fit(media, tokens));
    EXPECT_FALSE(media_fit({}, tokens));
    const Media wrong[] = {{249, 50, {}}};
    EXPECT_FALSE(media_fit(wrong, tokens));
    const Media outside[] = {{0xffff'fff0, 50, {}}};
    EXPECT_FALSE(media_fit(outside, tokens));
}

}  // namespace
}  // namespace lc::kv
