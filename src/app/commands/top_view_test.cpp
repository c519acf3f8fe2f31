#include "app/commands/top_view.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace lc::commands {
namespace {

TEST(TopView, Counters) {
    const auto c = counters_of(
        "# HELP localcode_requests_total x\nlocalcode_requests_total{kind=\"a b\",code=\"200\"} 3\n"
        "localcode_requests_total{kind=\"c\"} 4\nlocalcode_x_seconds_bucket{le=\"1\"} 9\nlocalcode_x_seconds_sum 1.5\n"
        "localcode_x_seconds_count 2\nother 5\nlocalcode_broken");
    EXPECT_EQ(c, (Counters{{"requests_total", 7}, {"x_seconds_sum", 1.5}, {"x_seconds_count", 2}}));
}

TEST(TopView, Rates) {
    Sample before, now;
    EXPECT_EQ(rates_of(before, now).hit_share, -1);
    EXPECT_EQ(rates_of(before, now).generated, 0) << "no time has passed";
    before.seconds = 10, now.seconds = 12;
    before.counters = {{"inter_token_seconds_count", 100}, {"requests_total", 5}};
    now.counters = {{"inter_token_seconds_count", 150},
                    {"requests_total", 6},
                    {"prompt_tokens_total", 200},
                    {"prompt_tokens_cached_total", 50}};
    EXPECT_EQ(rates_of(before, now).generated, 25);
    EXPECT_EQ(rates_of(before, now).requests, 0.5);
    EXPECT_EQ(rates_of(before, now).hit_share, 0.25);
    EXPECT_EQ(rates_of(now, before).generated, 0) << "a gateway that was started anew counts from zero";
}

TEST(TopView, Lines) {
    Sample s;
    s.status = boost::json::parse(R"({"version":"1","uptime_s":61,"requests_total":2,"streams_open":1,"engines":[
        {"name":"coder","phase":"ready","in_use":3,"slots":2,"context":4096,"rss_bytes":1000000},
        {"name":"other","phase":"stopped","in_use":0,"slots":0}]})");
    s.requests = boost::json::parse(
        R"({"running":[{"model":"coder","kind":"main","session":"s1","ms":2500,"waiting_for":"prefill 43%"},
        {"model":"coder","kind":"title","session":"s1","ms":1}],
        "requests":[{"model_used":"coder","kind":"main","status":500,"session":"s\u001b[31m1","usage":{"prompt":1200,"cached":700,"completion":5}}]})");
    std::string all;
    for (const auto& line : top_lines(s, s, 200, 100, false)) all += line + "\n";
    for (const char* want : {"2 requests, 1 streams, 1 sessions", "2/2      1", "prefill 43%", "1,200", "500"}) {
        EXPECT_NE(all.find(want), std::string::npos) << want << "\n" << all;
    }
    EXPECT_EQ(all.find('\x1b'), std::string::npos) << "nothing that controls a terminal";
    for (const auto& line : top_lines(s, s, 20, 4, false)) EXPECT_LE(line.size(), 20U);
    EXPECT_EQ(top_lines(s, s, 20, 4, false).size(), 4U);
    for (const auto& line : top_lines(s, s, 12, 4, true)) {
        const auto last = line.rfind("\x1b[");
        EXPECT_TRUE(last == std::string::npos || line.substr(last, 4) == "\x1b[0m")
            << "colour ends with the line: " << line;
    }
}

}  // namespace
}  // namespace lc::commands
