#include "core/prefix/steps.hpp"

#include <gtest/gtest.h>

namespace lc::prefix {

TEST(Steps, WhoGetsWhich) {
    using Names = std::vector<std::string>;
    config::Prefix standard;
    config::Prefix ruled;
    ruled.steps = {"tools"};
    ruled.rules = {{"coder", "", "", {"environment"}}, {"", "claude", "", {}}, {"", "", "box", {"pinned"}}};
    const Steps all{true, true, true, true}, none;
    const struct {
        const char* name;
        const config::Prefix& config;
        Asker asker;
        std::optional<Names> request;
        Steps want;
    } cases[] = {
        {"a local engine", standard, {"m", "", "opencode"}, {}, all},
        {"a remote backend: never", standard, {"m", "box", "opencode"}, {}, none},
        {"remote, asked by the request", standard, {"m", "box", ""}, Names{"tools"}, {false, false, true, false}},
        {"the request wants none", standard, {"m", "", ""}, Names{}, none},
        {"a rule for a model", ruled, {"coder", "", "claude"}, {}, {true, false, false, false}},
        {"a rule for a client", ruled, {"m", "", "claude"}, {}, none},
        {"no rule fits", ruled, {"m", "", "codex"}, {}, {false, false, true, false}},
        {"a rule for a backend", ruled, {"m", "box", "codex"}, {}, {false, true, false, false}},
        {"rules without a backend are about engines", ruled, {"coder", "other", ""}, {}, none},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(chosen(c.config, c.asker, c.request), c.want);
    }
}

}  // namespace lc::prefix
