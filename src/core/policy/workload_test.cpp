#include "core/policy/workload.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace lc::policy {
namespace {

/// A fingerprint that changes with any number of the trace.
std::uint64_t print_of(const Trace& trace) {
    std::uint64_t out = trace.block_tokens;
    const auto add = [&](std::uint64_t n) { out = (out ^ n) * 0x100'0000'01b3; };
    for (const auto& r : trace.requests) {
        add(static_cast<std::uint64_t>(r.at_ms));
        for (const std::uint64_t n : {std::uint64_t{r.input}, std::uint64_t{r.output}, r.session, r.parent}) add(n);
        add(static_cast<std::uint64_t>(r.kind) * 8 + static_cast<std::uint64_t>(r.finish));
        for (const auto block : trace.path(r)) add(block);
    }
    return out;
}

TEST(Workload, SameSeedSameTraceOtherSeedAnother) {
    for (const auto w : {Workload::agents, Workload::chat, Workload::documents, Workload::batch}) {
        const auto a = make_workload(w, 1);
        EXPECT_EQ(print_of(a), print_of(make_workload(w, 1)));
        EXPECT_NE(print_of(a), print_of(make_workload(w, 2)));
    }
}

TEST(Workload, InOrderOfTimeAndOfTheExpectedSize) {
    for (const auto w : {Workload::agents, Workload::chat, Workload::documents, Workload::batch}) {
        const auto trace = make_workload(w, 3);
        EXPECT_GE(trace.requests.size(), 1'500u);
        EXPECT_LE(trace.requests.size(), 25'000u);
        std::int64_t before = 0;
        for (const auto& r : trace.requests) {
            EXPECT_GE(r.at_ms, before);
            before = r.at_ms;
            EXPECT_EQ(r.n_blocks, (r.input + trace.block_tokens - 1) / trace.block_tokens);
        }
    }
}

TEST(Workload, AgentsComeBackWithWhatTheyHad) {
    const auto trace = make_workload(Workload::agents, 1);
    const auto has = [&](auto&& what) { return std::any_of(trace.requests.begin(), trace.requests.end(), what); };
    for (const auto kind : {Kind::main, Kind::subagent, Kind::title, Kind::compaction}) {
        EXPECT_TRUE(has([&](const TraceRequest& r) { return r.kind == kind; }));
    }
    for (const auto finish : {Finish::stop, Finish::tool_calls, Finish::gone}) {
        EXPECT_TRUE(has([&](const TraceRequest& r) { return r.finish == finish; }));
    }
    // A later request of a session begins with the whole blocks of the one before it.
    std::size_t followed = 0;
    for (std::size_t i = 0; i < 200; ++i) {
        const auto& r = trace.requests[i];
        if (r.kind != Kind::main) continue;
        const auto next =
            std::find_if(trace.requests.begin() + static_cast<std::ptrdiff_t>(i) + 1, trace.requests.end(),
                         [&](const auto& n) { return n.session == r.session && n.kind == Kind::main; });
        if (next == trace.requests.end() || next->input < r.input) continue;
        const auto path = trace.path(r), later = trace.path(*next);
        EXPECT_TRUE(std::equal(path.begin(), path.end() - 1, later.begin()));
        ++followed;
    }
    EXPECT_GT(followed, 20u);
}

}  // namespace
}  // namespace lc::policy
