#include "core/hub/spec.hpp"

#include <gtest/gtest.h>

#include <set>

namespace lc::hub {
namespace {

TEST(Spec, Parse) {
    const struct {
        const char* name;
        const char* text;
        Spec want;
    } good[] = {
        {"repository", "org/repo", {"org", "repo", "", ""}},
        {"quant",
         "bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M",
         {"bartowski", "SmolLM2-135M-Instruct-GGUF", "Q4_K_M", ""}},
        {"quant as written", "o/r:q4_k_m", {"o", "r", "q4_k_m", ""}},
        {"variant", "unsloth/Qwen3-4B-GGUF:UD-Q4_K_XL", {"unsloth", "Qwen3-4B-GGUF", "UD-Q4_K_XL", ""}},
        {"file", "o/r:sub/m.GGUF", {"o", "r", "", "sub/m.GGUF"}},
        {"host in front", "hf.co/o/r:Q8_0", {"o", "r", "Q8_0", ""}},
        {"page's address", "https://huggingface.co/o/r", {"o", "r", "", ""}},
        {"spaces around", "  o/r ", {"o", "r", "", ""}},
        {"dots and digits", "a1/Qwen2.5-0.5B", {"a1", "Qwen2.5-0.5B", "", ""}},
    };
    for (const auto& c : good) {
        SCOPED_TRACE(c.name);
        const auto spec = parse_spec(c.text);
        ASSERT_TRUE(spec) << spec.error().detail;
        EXPECT_EQ(*spec, c.want);
        EXPECT_EQ(parse_spec(to_text(*spec)), *spec) << "what is printed can be typed";
    }
    const struct {
        const char* name;
        std::string text;
        const char* says;
    } bad[] = {
        {"empty", "", "no '/'"},
        {"only a name", "llama", "no '/'"},
        {"three parts", "a/b/c", "more than one '/'"},
        {"no organisation", "/repo", "organisation"},
        {"no repository", "org/", "repository"},
        {"traversal in organisation", "../repo", "organisation"},
        {"traversal in repository", "org/..", "repository"},
        {"dots inside", "org/a..b", "repository"},
        {"hidden", "org/.repo", "repository"},
        {"empty quant", "o/r:", "nothing follows"},
        {"quant with slash", "o/r:a/b", "neither a quantisation"},
        {"two quants", "o/r:a:b", "neither a quantisation"},
        {"traversal in file", "o/r:../x.gguf", "plain relative path"},
        {"absolute file", "o/r:/x.gguf", "plain relative path"},
        {"newline", "o/r\n", "repository"},
        {"query", "o/r?x", "repository"},
        {"long", "o/" + std::string(200, 'a'), "repository"},
    };
    for (const auto& c : bad) {
        SCOPED_TRACE(c.name);
        const auto spec = parse_spec(c.text);
        ASSERT_FALSE(spec);
        EXPECT_EQ(spec.error().code, Errc::bad_request);
        EXPECT_NE(spec.error().detail.find(c.says), std::string::npos) << spec.error().detail;
        EXPECT_NE(spec.error().detail.find("Expected org/repo"), std::string::npos) << spec.error().detail;
    }
}

TEST(Spec, SafePaths) {
    const struct {
        const char* name;
        std::string path;
        bool safe;
    } cases[] = {
        {"file", "m.gguf", true},
        {"below a folder", "Q4_K_M/m-00001-of-00002.gguf", true},
        {"spaces and letters of any language", "mod\xc3\xa8le 1.gguf", true},
        {"dots inside a name", "a..b.gguf", true},
        {"empty", "", false},
        {"up", "../m.gguf", false},
        {"up in the middle", "a/../../m.gguf", false},
        {"up at the end", "a/..", false},
        {"here", "./m.gguf", false},
        {"absolute", "/etc/m.gguf", false},
        {"empty name", "a//m.gguf", false},
        {"trailing slash", "a/", false},
        {"hidden", ".ssh/m.gguf", false},
        {"backslash", "..\\m.gguf", false},
        {"zero byte", std::string("a\0.gguf", 7), false},
        {"escape", "a\x1b[2J.gguf", false},
        {"long name", std::string(241, 'a'), false},
        {"long path", std::string(600, 'a') + "/" + std::string(600, 'b'), false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(is_safe_path(c.path), c.safe);
    }
}

TEST(Spec, Places) {
    const Spec any{"o", "r", "", ""}, quant{"o", "r", "Q4_0", ""}, lower{"o", "r", "q4_0", ""},
        file{"o", "r", "", "a.gguf"};
    EXPECT_EQ(repo_dir("/c", quant), "/c/models/hf/o/r");
    EXPECT_EQ(record_name(quant), record_name(lower));
    const std::set<std::string> names{record_name(any), record_name(quant), record_name(file),
                                      record_name({"o", "r", "", "b.gguf"}), record_name({"o", "r", "Q8_0", ""})};
    EXPECT_EQ(names.size(), 5U);
    for (const auto& name : names)
        EXPECT_FALSE(is_safe_path(name)) << "no file of a repository may have this name: " << name;
}

}  // namespace
}  // namespace lc::hub
