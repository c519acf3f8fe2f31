#include "options.h"

#include <gtest/gtest.h>

TEST(EngineOptions, Parse) {
    using Args = std::vector<std::string>;
    const struct {
        const char* name;
        Args in;
        bool version;
        int parent;
        Args rest;
        bool error;
    } cases[] = {
        {"nothing", {"e"}, false, 0, {"e"}, false},
        {"llama's stay in order", {"e", "-m", "x.gguf", "--host", "a.sock"}, false, 0, {"e", "-m", "x.gguf", "--host", "a.sock"}, false},
        {"version", {"e", "--version"}, true, 0, {"e"}, false},
        {"parent, two words", {"e", "--die-with-parent", "42", "-c", "1"}, false, 42, {"e", "-c", "1"}, false},
        {"parent, one word", {"e", "--die-with-parent=42"}, false, 42, {"e"}, false},
        {"parent missing", {"e", "--die-with-parent"}, false, 0, {"e"}, true},
        {"parent not a number", {"e", "--die-with-parent", "4x"}, false, 0, {"e"}, true},
        {"parent negative", {"e", "--die-with-parent=-3"}, false, 0, {"e"}, true},
        {"longer option is not ours", {"e", "--die-with-parents=3"}, false, 0, {"e", "--die-with-parents=3"}, false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto got = parse_engine_options(c.in);
        EXPECT_EQ(got.version, c.version);
        EXPECT_EQ(got.die_with_parent, c.parent);
        EXPECT_EQ(got.llama_args, c.rest);
        EXPECT_EQ(!got.error.empty(), c.error);
    }
}

TEST(EngineOptions, StoreForStates) {
    EXPECT_EQ(parse_engine_options({"e", "--kv-dir", "/a b", "-c", "1"}).kv_dir, "/a b");
    EXPECT_EQ(parse_engine_options({"e", "--kv-dir=/a", "-c", "1"}).llama_args, (std::vector<std::string>{"e", "-c", "1"}));
    EXPECT_TRUE(parse_engine_options({"e"}).kv_dir.empty());
    EXPECT_FALSE(parse_engine_options({"e", "--kv-dir"}).error.empty());
    EXPECT_FALSE(parse_engine_options({"e", "--kv-dir="}).error.empty());
}

TEST(EngineOptions, ModelSource) {
    const struct {
        const char* name;
        ModelSource in;
        bool refused;
    } cases[] = {
        {"file", {"m.gguf", "", "", ""}, false},
        {"none", {"", "", "", ""}, true},
        {"download by repository", {"", "", "org/repo", ""}, true},
        {"download by url beside a path", {"m.gguf", "https://h/m.gguf", "", ""}, true},
        {"docker", {"", "", "", "ai/x"}, true},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(!refuse_model_source(c.in).empty(), c.refused);
    }
}
