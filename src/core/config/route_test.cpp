#include <gtest/gtest.h>

#include "core/config/parse.hpp"

namespace lc::config {

namespace {

constexpr std::string_view places =
    "[[model]]\nname = \"coder\"\npath = \"c.gguf\"\nroles = [\"coder\", \"fim\"]\n[[backend]]\nname = \"cloud\"\nurl = \"http://h/v1\"\n";

std::string told(const std::string& text) {
    std::string out;
    for (const auto& p : parse(std::string(places) + text).problems) out += p.message + "\n";
    return out;
}

}  // namespace

TEST(Route, IsReadWhole) {
    const auto parsed = parse(std::string(places) + R"([[route]]
match = { kind = ["title", "plan"], model = "glm-*", header = { x-team = "t*" }, min_tokens = 10, media = false }
use = "coder"
fallback = ["cloud/any", "auto"]
prefer = "fastest"
max_wait_ms = 20000
weights = { remote = 2, "cloud/any" = 0.5 }
)");
    ASSERT_TRUE(parsed.problems.empty()) << describe("c", parsed.problems);
    EXPECT_EQ(parsed.config.models[0].roles, (std::vector<std::string>{"coder", "fim"}));
    ASSERT_EQ(parsed.config.routes.size(), 1U);
    const Route& r = parsed.config.routes[0];
    EXPECT_EQ(r.match.kind, (std::vector<std::string>{"title", "plan"}));
    EXPECT_EQ(r.match.model, (std::vector<std::string>{"glm-*"}));
    EXPECT_EQ(r.match.header.at("x-team"), "t*");
    EXPECT_EQ(r.match.min_tokens, 10);
    EXPECT_EQ(r.match.media, false);
    EXPECT_FALSE(r.match.tools.has_value());
    EXPECT_EQ(r.fallback, (std::vector<std::string>{"cloud/any", "auto"}));
    EXPECT_EQ(r.prefer, "fastest");
    EXPECT_EQ(r.max_wait_ms, 20'000);
    EXPECT_EQ(r.weights, (std::map<std::string, double>{{"remote", 2.0}, {"cloud/any", 0.5}}));
    EXPECT_EQ(parse(to_toml(parsed.config)).config.routes, parsed.config.routes) << to_toml(parsed.config);
}

TEST(Route, Mistakes) {
    const struct {
        const char* name;
        std::string text, want;
    } cases[] = {
        {"no place", "[[route]]\n", "a [[route]] needs use = \"model\" or \"backend/model\"\n"},
        {"unknown place", "[[route]]\nuse = \"codr\"\n",
         "use names 'codr', which is neither a [[model]] nor \"backend/model\"; did you mean 'coder'?\n"},
        {"unknown fallback", "[[route]]\nuse = \"coder\"\nfallback = [\"nowhere/x\"]\n",
         "fallback names 'nowhere/x', which is neither a [[model]] nor \"backend/model\"\n"},
        {"condition", "[[route]]\nuse = \"coder\"\nmatch = { knd = \"main\" }\n",
         "unknown key 'knd' in match of a [[route]]; did you mean 'kind'?\n"},
        {"type of a condition", "[[route]]\nuse = \"coder\"\nmatch = { kind = 1, media = \"yes\", min_tokens = -1 }\n",
         "'kind' must be a string or a list of strings, got an integer\n'media' must be true or false, got a string\n"
         "'min_tokens' must be from 0 to 1099511627776, got -1\n"},
        {"never", "[[route]]\nuse = \"coder\"\nmatch = { min_tokens = 9, max_tokens = 8 }\n",
         "min_tokens is greater than max_tokens: nothing could match\n"},
        {"empty list", "[[route]]\nuse = \"coder\"\nmatch = { kind = [] }\n", "'kind' is an empty list: nothing could match\n"},
        {"weight", "[[route]]\nuse = \"coder\"\nweights = { local = 0 }\n", "'weights.local' must be from 0.001 to 1000\n"},
        {"weight of nobody", "[[route]]\nuse = \"coder\"\nweights = { lokal = 1.0 }\n",
         "weights names 'lokal', which is neither a [[model]] nor \"backend/model\"\n"},
        {"role", "[[model]]\nname = \"b\"\npath = \"b\"\nroles = [\"codr\"]\n",
         "'roles' must be one of coder, general, small, vision, fim, embed, rerank; got 'codr'\n"},
    };
    for (const auto& c : cases) EXPECT_EQ(told(c.text), c.want) << c.name;
}

}  // namespace lc::config
