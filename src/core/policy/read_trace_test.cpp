#include "core/policy/read_trace.hpp"

#include <gtest/gtest.h>

#include "core/policy/plot.hpp"

namespace lc::policy {
namespace {

TEST(ReadTrace, MooncakesFormatAndOurMembers) {
    Trace trace;
    ASSERT_TRUE(
        read_line(trace, R"({"timestamp": 3000, "input_length": 1000, "output_length": 5, "hash_ids": [0, 1]})", 1));
    ASSERT_TRUE(read_line(trace, "  ", 2));
    ASSERT_TRUE(
        read_line(trace,
                  R"({"timestamp":0,"input_length":1500,"output_length":7,"hash_ids":[0,1,2],"session":"a","parent":9,)"
                  R"("kind":"subagent","finish_reason":"tool_use","prefill_ms":30,"more":{}})",
                  3));
    finish(trace);
    ASSERT_EQ(trace.requests.size(), 2u);
    EXPECT_EQ(trace.block_tokens, 512u);
    const auto& first = trace.requests[0];  // the later line, at time 0
    EXPECT_EQ(first.input, 1500u);
    EXPECT_EQ(first.kind, Kind::subagent);
    EXPECT_EQ(first.finish, Finish::tool_calls);
    EXPECT_NE(first.session, 0u);
    EXPECT_NE(first.parent, 0u);
    EXPECT_FLOAT_EQ(first.prefill_ms_per_block, 10);
    const auto& second = trace.requests[1];
    EXPECT_EQ(second.kind, Kind::main);
    EXPECT_EQ(second.session, 0u);
    EXPECT_EQ(trace.path(first)[1], trace.path(second)[1]);
    EXPECT_EQ(unique_blocks(trace), 3u);
}

TEST(ReadTrace, SameNumberBehindAnotherPrefixIsAnotherBlock) {
    Trace trace;
    ASSERT_TRUE(read_line(trace, R"({"timestamp":0,"hash_ids":[1,5]})", 1));
    ASSERT_TRUE(read_line(trace, R"({"timestamp":0,"hash_ids":[2,5]})", 2));
    EXPECT_EQ(unique_blocks(trace), 4u);
}

TEST(ReadTrace, RefusesWithTheLineAndTheReason) {
    const struct {
        const char *name, *line, *says;
    } cases[] = {
        {"no JSON", "hello", "no JSON"},
        {"cut", R"({"timestamp": 1, "hash_ids": [1)", "no JSON"},
        {"a list", "[]", "no JSON object"},
        {"no ids", R"({"timestamp": 1})", "hash_ids"},
        {"ids of text", R"({"timestamp": 1, "hash_ids": ["a"]})", "whole numbers"},
        {"ids of fractions", R"({"timestamp": 1, "hash_ids": [1.5]})", "whole numbers"},
        {"no time", R"({"hash_ids": [1]})", "timestamp"},
        {"negative time", R"({"timestamp": -1, "hash_ids": [1]})", "timestamp"},
        {"endless time", R"({"timestamp": 1e300, "hash_ids": [1]})", "timestamp"},
        {"negative length", R"({"timestamp": 1, "input_length": -3, "hash_ids": [1]})", "input_length"},
        {"length of text", R"({"timestamp": 1, "output_length": "x", "hash_ids": [1]})", "output_length"},
        {"deep", R"({"timestamp": 1, "hash_ids": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]})", "no JSON"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Trace trace;
        const auto done = read_line(trace, c.line, 42);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Errc::bad_request);
        EXPECT_TRUE(done.error().detail.starts_with("line 42: ")) << done.error().detail;
        EXPECT_NE(done.error().detail.find(c.says), std::string::npos) << done.error().detail;
        EXPECT_TRUE(trace.requests.empty());
        EXPECT_TRUE(trace.blocks.empty());
    }
    Trace trace;
    EXPECT_FALSE(read_line(trace, std::string(max_trace_line + 1, 'x'), 1));
}

TEST(ReadTrace, LogOfASessionSharesItsBeginning) {
    std::vector<LoggedRequest> log(3);
    log[0] = {1000, 1000, 10, {{1, 3000}, {2, 1000}}};
    log[1] = {2000, 1500, 10, {{1, 3000}, {2, 1000}, {3, 2000}}};
    log[2] = {3000, 900, 10, {{1, 3000}, {9, 600}}};
    log[2].cancelled = true;
    const Trace trace = trace_of(log, 100);
    ASSERT_EQ(trace.requests.size(), 3u);
    const auto a = trace.path(trace.requests[0]), b = trace.path(trace.requests[1]), c = trace.path(trace.requests[2]);
    EXPECT_EQ(a.size(), 10u);
    EXPECT_EQ(b.size(), 15u);
    EXPECT_EQ(c.size(), 9u);
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin()));
    EXPECT_TRUE(std::equal(c.begin(), c.begin() + 7, a.begin()));
    EXPECT_NE(c[7], a[7]);
    EXPECT_EQ(trace.requests[2].finish, Finish::gone);
    auto tenant = log;
    tenant[1].name_space = "other";
    const Trace apart = trace_of(tenant, 100);
    EXPECT_NE(apart.path(apart.requests[1])[0], apart.path(apart.requests[0])[0]);
    EXPECT_TRUE(trace_of({}, 100).requests.empty());
}

TEST(Plot, IsWellFormedAndHasALineForEachPolicy) {
    std::vector<std::pair<double, std::vector<Row>>> runs;
    for (const double share : {0.1, 0.01}) {
        std::vector<Row> rows;
        for (const auto& name : policy_names())
            rows.push_back({name, 10, 100, static_cast<std::uint64_t>(share * 200)});
        runs.emplace_back(share, rows);
    }
    for (const auto& some : {runs, {runs[0]}, {}}) {
        const std::string svg = plot("a <b> & c", some);
        EXPECT_TRUE(svg.starts_with("<svg "));
        EXPECT_TRUE(svg.ends_with("</svg>\n"));
        EXPECT_EQ(svg.find("nan"), std::string::npos);
        EXPECT_EQ(svg.find("<b>"), std::string::npos);
        for (const auto& name : policy_names())
            EXPECT_EQ(svg.find(">" + name + "<") != std::string::npos, !some.empty());
    }
}

}  // namespace
}  // namespace lc::policy
