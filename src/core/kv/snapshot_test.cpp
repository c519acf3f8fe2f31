#include "core/kv/snapshot.hpp"

#include <gtest/gtest.h>

#include "core/kv/testing.hpp"

namespace lc::kv {
namespace {

using namespace lc::kv::testing;

const std::string payloads[] = {"first section", "", std::string(70, 's')};

Snapshot small_snapshot() {
    return {test_scope(), prefix_name(test_scope(), test_tokens(3)), 3, {{"checkpoint.0"}, {"draft"}, {"recurrent"}}};
}

bool whole(std::string_view file) {
    const auto parsed = parse_snapshot(file, file.size());
    return parsed && check_sections(*parsed, file);
}

TEST(Snapshot, GoldenFile) {
    expect_golden(__FILE__, "snapshot", snapshot_file(small_snapshot(), payloads));
}

TEST(Snapshot, ComesBackAsItWas) {
    for (const std::uint32_t align : {1u, 64u, page}) {
        const std::string file = snapshot_file(small_snapshot(), payloads, align);
        const auto parsed = parse_snapshot(file, file.size());
        ASSERT_TRUE(parsed) << parsed.error().detail;
        ASSERT_TRUE(check_sections(*parsed, file));
        for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(section(*parsed, i, file), payloads[i]);
        EXPECT_EQ(encode_snapshot_header(parsed->snapshot, align).value(), file.substr(0, parsed->header_bytes));
        EXPECT_EQ(parsed->name, snapshot_name(small_snapshot()));
    }
}

TEST(Snapshot, EveryByteIsGuarded) {
    const std::string file = snapshot_file(small_snapshot(), payloads);
    expect_damage_refused(file, file.size(), whole);
}

TEST(Snapshot, NameTellsStatesApart) {
    const Snapshot base = small_snapshot();
    Snapshot tokens = base, sections = base, scope = base;
    tokens.n_tokens = 4;
    sections.sections.pop_back();
    scope.scope = test_scope("tenant");
    for (const Snapshot& other : {tokens, sections, scope}) EXPECT_NE(snapshot_name(other), snapshot_name(base));
    Snapshot same = base;
    same.sections[0].bytes = 99;
    EXPECT_EQ(snapshot_name(same), snapshot_name(base));
}

TEST(Snapshot, WritersRefuseWhatReadersRefuse) {
    const struct {
        const char* name;
        void (*spoil)(Snapshot&);
    } cases[] = {
        {"no tokens", [](Snapshot& s) { s.n_tokens = 0; }},
        {"no prefix", [](Snapshot& s) { s.prefix = {}; }},
        {"no sections", [](Snapshot& s) { s.sections.clear(); }},
        {"upper case", [](Snapshot& s) { s.sections[0].name = "Aa"; }},
        {"long name", [](Snapshot& s) { s.sections[0].name = std::string(49, 'a'); }},
        {"empty name", [](Snapshot& s) { s.sections[0].name.clear(); }},
        {"twice", [](Snapshot& s) { s.sections[1].name = "checkpoint.0"; }},
        {"huge", [](Snapshot& s) { s.sections[0].bytes = ~0ull; }},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Snapshot snapshot = small_snapshot();
        c.spoil(snapshot);
        EXPECT_FALSE(encode_snapshot_header(snapshot));
    }
}

}  // namespace
}  // namespace lc::kv
