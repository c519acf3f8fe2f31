#include "core/metrics/metrics.hpp"

#include <gtest/gtest.h>

namespace lc::metrics {

TEST(Metrics, TextForm) {
    Metrics m;
    declare(m, "requests_total", "counter", "Requests.");
    EXPECT_EQ(render(m), "# HELP localcode_requests_total Requests.\n# TYPE localcode_requests_total counter\n"
                         "localcode_requests_total 0\n");
    add(m, "requests_total", {{"model", "a\"b\\c\nd"}, {"code", "200"}});
    add(m, "requests_total", {{"model", "a\"b\\c\nd"}, {"code", "200"}});
    EXPECT_NE(render(m).find("localcode_requests_total{model=\"a\\\"b\\\\c\\nd\",code=\"200\"} 2\n"), std::string::npos)
        << render(m);
}

TEST(Metrics, HistogramBucketsAreCumulative) {
    Metrics m;
    declare(m, "queue_seconds", "histogram", "Wait.");
    observe(m, "queue_seconds", {}, 0.001);
    observe(m, "queue_seconds", {}, 0.02);
    observe(m, "queue_seconds", {}, 10'000);
    const auto text = render(m);
    EXPECT_NE(text.find("localcode_queue_seconds_bucket{le=\"0.001\"} 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("localcode_queue_seconds_bucket{le=\"0.025\"} 2\n"), std::string::npos) << text;
    EXPECT_NE(text.find("localcode_queue_seconds_bucket{le=\"600\"} 2\n"), std::string::npos) << text;
    EXPECT_NE(text.find("localcode_queue_seconds_bucket{le=\"+Inf\"} 3\n"), std::string::npos) << text;
    EXPECT_NE(text.find("localcode_queue_seconds_count 3\n"), std::string::npos) << text;
}

TEST(Metrics, LabelSetsAreBounded) {
    Metrics m;
    for (int i = 0; i < 5'000; ++i) add(m, "requests_total", {{"model", std::to_string(i)}});
    EXPECT_LE(m.families["requests_total"].values.size(), 1'001u);
}

}  // namespace lc::metrics
