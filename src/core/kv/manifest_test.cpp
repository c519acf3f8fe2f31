#include "core/kv/manifest.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/kv/testing.hpp"
#include "core/kv/wire.hpp"

namespace lc::kv {
namespace {

using namespace lc::kv::testing;

Manifest small_manifest() {
    Manifest m;
    m.scope = test_scope();
    m.rendering = sha256("template");
    m.saved_ms = 1'700'000'000'123;
    m.session = "ses_1";
    m.model = "coder";
    m.tokens = test_tokens(300);
    std::fill_n(m.tokens.begin() + 10, 5, media_token);
    m.media = {{10, 5, sha256("cat")}};
    m.snapshots = {{sha256("s1"), 100, 5000}, {sha256("s2"), 300, 6000}};
    m.keys = {{sha256("k0"), 100, KeyKind::head}, {sha256("k1"), 100}, {sha256("k2"), 300}};
    return m;
}

bool parses(std::string_view file) {
    return parse_manifest(file).has_value();
}

TEST(Manifest, GoldenFile) {
    expect_golden(__FILE__, "manifest", encode_manifest(small_manifest()).value());
}

TEST(Manifest, ComesBackAsItWas) {
    Manifest bare;
    bare.scope = test_scope();
    bare.tokens = {0};
    Manifest large = small_manifest();
    large.media.clear();
    large.tokens = test_tokens(100'000);
    large.tokens[5] = INT32_MAX;
    large.tokens[6] = 0;
    Manifest no_chunks = small_manifest();
    no_chunks.has_chunks = false;
    for (const Manifest& m : {small_manifest(), bare, large, no_chunks}) {
        const std::string file = encode_manifest(m).value();
        const auto parsed = parse_manifest(file);
        ASSERT_TRUE(parsed) << parsed.error().detail;
        EXPECT_EQ(parsed->manifest, m);
        EXPECT_EQ(parsed->chunks, m.has_chunks ? chunk_names(m.scope, m.tokens, m.media) : std::vector<Digest>{});
        EXPECT_EQ(encode_manifest(parsed->manifest).value(), file);
    }
}

TEST(Manifest, EveryByteIsGuarded) {
    const std::string file = encode_manifest(small_manifest()).value();
    expect_damage_refused(file, file.size(), parses);
}

/// Damage that a correct checksum covers: what a hostile or buggy writer could send.
TEST(Manifest, ConsistentNonsenseIsRefused) {
    const std::string file = encode_manifest(small_manifest()).value();
    for (std::size_t at = head_bytes; at < file.size(); ++at) {
        std::string bad = file;
        bad[at] = static_cast<char>(bad[at] ^ 0x5a);
        seal(bad, 1, 0);
        const auto parsed = parse_manifest(bad);  // must not crash; what it accepts must be what was written
        if (parsed) {
            EXPECT_EQ(encode_manifest(parsed->manifest).value(), bad) << at;
        }
    }
}

TEST(Manifest, NameDoesNotDependOnTheSignature) {
    std::string file = encode_manifest(small_manifest()).value();
    const Digest name = manifest_name(file);
    EXPECT_EQ(parse_manifest(file)->name, name);
    std::fill_n(file.begin() + 32, 32, 'm');
    seal(file, 1, 0);
    EXPECT_EQ(parse_manifest(file).value().name, name);
    Manifest later = small_manifest();
    later.saved_ms += 1;
    EXPECT_NE(manifest_name(encode_manifest(later).value()), name);
}

TEST(Manifest, WritersRefuseWhatReadersRefuse) {
    const struct {
        const char* name;
        void (*spoil)(Manifest&);
    } cases[] = {
        {"no tokens", [](Manifest& m) { m.tokens.clear(), m.media.clear(), m.keys.clear(), m.snapshots.clear(); }},
        {"long session", [](Manifest& m) { m.session = std::string(513, 's'); }},
        {"media missing", [](Manifest& m) { m.media.clear(); }},
        {"media outside", [](Manifest& m) { m.media[0].n_tokens = 4000; }},
        {"key of no tokens", [](Manifest& m) { m.keys[0].n_tokens = 0; }},
        {"keys not ascending", [](Manifest& m) { std::swap(m.keys[0], m.keys[2]); }},
        {"key beyond the tokens", [](Manifest& m) { m.keys[2].n_tokens = 301; }},
        {"snapshot beyond the tokens", [](Manifest& m) { m.snapshots[1].n_tokens = 301; }},
        {"nothing stored", [](Manifest& m) { m.has_chunks = false, m.snapshots.clear(); }},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Manifest m = small_manifest();
        c.spoil(m);
        EXPECT_FALSE(encode_manifest(m));
    }
}

}  // namespace
}  // namespace lc::kv
