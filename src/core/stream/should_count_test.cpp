#include "core/stream/should_count.hpp"

#include <gtest/gtest.h>

namespace lc::stream {
namespace {

TEST(ShouldCount, Table) {
    const struct {
        const char* name;
        CountQuestion in;
        bool want;
    } cases[] = {
        {"nothing", {}, false},
        {"context not known", {100'000, 100'000, 0, 0, true}, false},
        {"a greeting, busy", {200, 10, 4096, 0, true}, false},
        {"even one token a byte fits", {3000, 2500, 4096, 0, true}, false},
        {"max_tokens decides nothing", {200, 10, 4096, 100'000, true}, false},
        {"could overflow, engine free", {31'000, 30'000, 16'384, 0, false}, false},
        {"could overflow, engine busy", {31'000, 30'000, 16'384, 0, true}, true},
        {"likely, engine free", {62'000, 60'000, 16'384, 0, false}, true},
        {"likely, engine busy", {62'000, 60'000, 16'384, 0, true}, true},
        {"just below the bound", {3071, 0, 4096, 0, true}, false},
        {"at the bound", {3072, 0, 4096, 0, true}, true},
        {"a body larger than its text", {9000, 10, 4096, 0, true}, true},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(should_count(c.in), c.want);
    }
}

TEST(CountedTokens, Table) {
    EXPECT_EQ(counted_tokens(R"({"input_tokens":7722})"), 7722);
    EXPECT_EQ(counted_tokens(R"({"input_tokens":7722,"object":"response.input_tokens"})"), 7722);
    EXPECT_EQ(counted_tokens(R"({"error":{"message":"no"}})"), std::nullopt);
    EXPECT_EQ(counted_tokens("{}"), std::nullopt);
    EXPECT_EQ(counted_tokens("no"), std::nullopt);
    EXPECT_EQ(counted_tokens(""), std::nullopt);
}

}  // namespace
}  // namespace lc::stream
