#include "core/route/predict.hpp"

#include <gtest/gtest.h>

#include "core/route/breaker.hpp"
#include "core/route/features.hpp"

namespace lc::route {

TEST(Predict, PartsOfTheWait) {
    Speed speed;
    Situation now{.local = true, .tokens = 1'000};
    EXPECT_DOUBLE_EQ(predict(speed, now).ttft_ms, 5'000) << "nothing was measured yet";
    speed.prefill_ms = 2;
    EXPECT_DOUBLE_EQ(predict(speed, now).ttft_ms, 2'000);
    now.cached = 1'200;
    EXPECT_DOUBLE_EQ(predict(speed, now).ttft_ms, 0) << "more is cached than is needed";
    now.cached = 900;
    now.loaded = false;
    now.file_bytes = std::int64_t{2} << 30;
    EXPECT_DOUBLE_EQ(predict(speed, now).load_ms, 2'500);
    speed.load_ms = 700;
    EXPECT_DOUBLE_EQ(predict(speed, now).ttft_ms, 900);
    now.loaded = true;
    now.slots = 2;
    now.busy = 1;
    EXPECT_DOUBLE_EQ(predict(speed, now).queue_ms, 0) << "a slot is free";
    now.busy = 2;
    speed.answer_ms = 8'000;
    EXPECT_DOUBLE_EQ(predict(speed, now).queue_ms, 2'000);
    now.busy = 4;
    EXPECT_DOUBLE_EQ(predict(speed, now).queue_ms, 10'000);
    EXPECT_DOUBLE_EQ(predict({}, {.local = false, .tokens = 100'000}).ttft_ms, 1'000);
    EXPECT_DOUBLE_EQ(predict({.base_ms = 400}, {.local = false, .tokens = 100'000}).ttft_ms, 400);
}

TEST(Predict, Learns) {
    Observation seen{.local = true, .prompt = 1'000, .cached = 200, .generated = 10, .prefill_ms = 1'600, .decode_ms = 500};
    auto speed = learn({}, seen);
    EXPECT_DOUBLE_EQ(speed.prefill_ms, 2);
    EXPECT_DOUBLE_EQ(speed.decode_ms, 50);
    seen.prefill_ms = 8'000;
    speed = learn(speed, seen);
    EXPECT_DOUBLE_EQ(speed.prefill_ms, 4) << "a quarter of the way to 10";
    seen.cached = 999;
    EXPECT_DOUBLE_EQ(learn(speed, seen).prefill_ms, 4) << "one token says nothing of the speed";
    EXPECT_DOUBLE_EQ(learn({}, {.first_token_ms = 300}).base_ms, 300);
    EXPECT_EQ(learn({}, {}).seen, 1U);
    EXPECT_DOUBLE_EQ(learn_load(learn_load({}, 1'000), 2'000).load_ms, 1'250);
}

TEST(Breaker, OpensAfterFiveInARow) {
    Breaker b;
    for (int i = 0; i < 4; ++i) b = end(begin(b, i), Attempt::failed, i);
    EXPECT_TRUE(may_try(b, 4));
    EXPECT_EQ(end(b, Attempt::good, 5), Breaker{}) << "one that goes well ends the row";
    b = end(b, Attempt::failed, 10);
    EXPECT_FALSE(may_try(b, 10));
    EXPECT_FALSE(may_try(b, 5'009));
    ASSERT_TRUE(may_try(b, 5'010)) << "half open";
    auto probing = begin(b, 5'010);
    EXPECT_FALSE(may_try(probing, 5'011)) << "one probe at a time";
    EXPECT_TRUE(may_try(end(probing, Attempt::good, 5'100), 5'100));
    EXPECT_TRUE(may_try(end(probing, Attempt::neutral, 5'100), 5'100)) << "a probe whose client left says nothing";
    probing = end(probing, Attempt::failed, 5'100);
    EXPECT_FALSE(may_try(probing, 15'000));
    EXPECT_TRUE(may_try(probing, 15'100)) << "twice as long";
}

TEST(Breaker, OldFailuresAndRefusals) {
    Breaker b;
    for (int i = 0; i < 4; ++i) b = end(b, Attempt::failed, i);
    b = end(b, Attempt::failed, 31'000);
    EXPECT_TRUE(may_try(b, 31'001)) << "not within 30 s";
    for (int i = 0; i < 20; ++i) b = end({}, Attempt::refused, i);
    EXPECT_TRUE(may_try(b, 21)) << "a 429 that names no time does not count";
    b = end({}, Attempt::refused, 1'000, 7'000);
    EXPECT_FALSE(may_try(b, 7'999));
    EXPECT_TRUE(may_try(b, 8'000));
    EXPECT_TRUE(may_try(end({}, Attempt::refused, 0, 86'400'000), 600'000)) << "not for a day";
}

TEST(Features, OfARequest) {
    const std::string body =
        R"({"model":"m","max_tokens":50,"messages":[{"role":"system","content":"You write int main() { return 0; }"},)"
        R"({"role":"user","content":"Why does src/app/main.py fail?\n```python\nimport os\nprint(os)\n```\nThanks."}],)"
        R"("tools":[{"type":"function","function":{"name":"read","parameters":{"type":"object"}}}]})";
    const auto view = api::parse_request(api::Dialect::chat, body);
    ASSERT_TRUE(view);
    const auto f = features_of(*view, body, {"s1", "", "opencode"}, "main");
    EXPECT_EQ(f.kind, "main");
    EXPECT_EQ(f.client, "opencode");
    EXPECT_EQ(f.model, "m");
    EXPECT_EQ(f.language, "python");
    EXPECT_GT(f.code_share, 0.1);
    EXPECT_LT(f.code_share, 0.9);
    EXPECT_EQ(f.last_role, "user");
    EXPECT_EQ(f.turn, 1);
    EXPECT_EQ(f.tools, 1);
    EXPECT_EQ(f.answer, 50);
    EXPECT_EQ(features_of(*view, body, {}, "main", 2).tokens, static_cast<std::int64_t>(view->prompt_bytes * 2));

    const std::string prose = R"({"messages":[{"role":"user","content":"Tell me a story; a long one.\nIt should be about the sea."}]})";
    const auto plain = api::parse_request(api::Dialect::chat, prose);
    const auto g = features_of(*plain, prose, {}, "main");
    EXPECT_EQ(g.language, "");
    EXPECT_EQ(g.code_share, 0);
}

}  // namespace lc::route
