#include "core/route/resolve.hpp"

#include <gtest/gtest.h>

namespace lc::route {

namespace {
Table sample() {
    return {{{"smol", {"small", "glm-4.7"}}, {"coder", {}}},
            {{"zai", {"glm-4.7", "glm-4.6"}, false}, {"lab", {}, false}},
            "coder", true};
}

/// Nothing is configured but places; nobody chose the default.
Table remotes_only() {
    return {{}, {{"one", {"a"}, false}, {"two", {"glm-4.7"}, false}}, "glm-4.7", false};
}
}  // namespace

TEST(Resolve, ByName) {
    Table open = sample();
    open.remotes[1].open = true;
    Table unlisted = remotes_only();
    unlisted.remotes[1].models.clear();
    const struct {
        const char* name;
        Table table;
        std::string_view asked;
        Choice want;
    } cases[] = {
        {"local name", sample(), "smol", {Place::local, 0, "smol", "name"}},
        {"alias wins over a backend's model", sample(), "glm-4.7", {Place::local, 0, "smol", "alias"}},
        {"no model: the default", sample(), "", {Place::local, 1, "coder", "default"}},
        {"nobody chose the default: who lists it", remotes_only(), "", {Place::remote, 1, "glm-4.7", "default"}},
        {"nobody lists it: the first backend says so", unlisted, "", {Place::remote, 0, "glm-4.7", "default"}},
        {"backend/model", sample(), "zai/glm-4.7", {Place::remote, 0, "glm-4.7", "backend"}},
        {"listed by a backend", sample(), "glm-4.6", {Place::remote, 0, "glm-4.6", "name"}},
        {"open backend takes unknown names", open, "some-model", {Place::remote, 1, "some-model", "only-backend"}},
        {"open backend by prefix keeps further slashes", open, "lab/org/m", {Place::remote, 1, "org/m", "backend"}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto got = resolve(c.table, c.asked);
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(*got, c.want);
    }
}

TEST(Resolve, UnknownNamesTheNearest) {
    const auto typo = resolve(sample(), "codr");
    ASSERT_FALSE(typo);
    EXPECT_EQ(typo.error().code, Errc::not_found);
    EXPECT_NE(typo.error().detail.find("did you mean 'coder'"), std::string::npos) << typo.error().detail;

    const auto far = resolve(sample(), "something-else-entirely");
    ASSERT_FALSE(far);
    EXPECT_NE(far.error().detail.find("available: smol"), std::string::npos) << far.error().detail;

    const auto none = resolve(Table{}, "x");
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().detail.find("no model is configured"), std::string::npos);

    EXPECT_FALSE(resolve(sample(), "zai/unknown"));
    EXPECT_FALSE(resolve(sample(), "zai/"));
    EXPECT_FALSE(resolve(remotes_only(), "glm-5")) << "a name that somebody gave is not made up for";
    auto chosen = remotes_only();
    chosen.default_model = "gone", chosen.default_chosen = true;
    EXPECT_FALSE(resolve(chosen, "")) << "a configured default that nobody has";
    EXPECT_FALSE(resolve(Table{{}, {}, "glm-4.7", false}, ""));
}

TEST(Resolve, DefaultModel) {
    config::Config config;
    EXPECT_EQ(default_model(config), "glm-4.7");
    config.backends.push_back({.name = "b", .models = {"m1", "m2"}});
    EXPECT_EQ(default_model(config), "glm-4.7") << "what a backend has is its own business";
    EXPECT_FALSE(table_of(config).default_chosen);
    config.models.push_back({.name = "local"});
    EXPECT_EQ(default_model(config), "local");
    config.server.model = "b/m2";
    EXPECT_EQ(default_model(config), "b/m2");
    EXPECT_TRUE(table_of(config).default_chosen);
}

}  // namespace lc::route
