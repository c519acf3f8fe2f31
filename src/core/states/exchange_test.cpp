#include "core/states/exchange.hpp"

#include <gtest/gtest.h>

#include "core/states/outcome.hpp"

namespace lc::states {
namespace {

const std::string name_a(64, 'a'), name_b(64, 'b');

TEST(Exchange, EngineState) {
    const auto good = parse_engine_state(
        R"({"engine":"localcode-engine","state":{"kind":"swa","cuttable":false,)"
        R"("identity":{"k_type":"f16","loras":["/m/a.gguf 1.5","/m/b.gguf 1"]}}})");
    EXPECT_TRUE(good.supported);
    EXPECT_FALSE(good.cuttable);
    EXPECT_EQ(good.kind, "swa");
    ASSERT_EQ(good.identity.size(), 3u);
    EXPECT_EQ(good.identity[2].key, "loras");
    EXPECT_EQ(good.identity[2].value, "/m/b.gguf 1");

    for (const auto* bad : {"", "{}", "[]", R"({"state":1})", R"({"state":{"kind":"full"}})",
                            R"({"state":{"identity":{"n_swa":512}}})", R"({"state":{"identity":{"loras":[1]}}})"}) {
        SCOPED_TRACE(bad);
        EXPECT_FALSE(parse_engine_state(bad).supported);
        EXPECT_FALSE(parse_engine_state(bad).why.empty());
    }
    EXPECT_EQ(parse_engine_state(R"({"state_why":"no memory"})").why, "no memory");
}

TEST(Exchange, UseIsJson) {
    UseState use;
    use.token = "t\"k";
    use.states.push_back(*kv::digest_of_hex(name_a));
    use.limit = 7;
    use.checkpoints = {10, 20};
    const std::string zero(64, '0');
    EXPECT_EQ(print(use), R"({"token":"t\"k","namespace":")" + zero + R"(","identity":")" + zero + R"(","states":[")" +
                              name_a + R"("],"chunks":true,"limit":7,"checkpoints":[10,20]})");
}

TEST(Exchange, History) {
    UseState use;
    use.history = UseHistory{7, {{10, 20}, {30, 45}}, {{{10, 20}}, {}}};
    EXPECT_TRUE(print(use).ends_with(R"("history":{"generation":7,"slot":[[10,20],[30,45]],"states":[[[10,20]],[]]}})")) << print(use);
    const auto report = parse_state_report(
        R"({"slot":0,"prompt":90,"used":80,"generation":8,"history":{"tokens":21,"turns":1,"slot":0,"state":80}})");
    ASSERT_TRUE(report && report->history);
    EXPECT_EQ(report->generation, 8u);
    EXPECT_EQ(report->history->tokens, 21u);
    EXPECT_EQ(report->history->turns, 1u);
    EXPECT_EQ(report->history->slot, 0u);
    EXPECT_EQ(report->history->state, 80u);
    EXPECT_FALSE(parse_state_report(R"({"slot":0})")->history);
    EXPECT_FALSE(parse_state_report(R"({"slot":0,"history":3,"generation":-1})")->history);
    EXPECT_EQ(parse_state_report(R"({"slot":0,"history":3,"generation":-1})")->generation, 0u);
}

TEST(Exchange, Report) {
    const auto report = report_in(": localcode-state {\"slot\":1,\"prompt\":100,\"had\":3,\"used\":90,\"from\":\"state\",\"state\":\"" +
                                  name_a + "\",\"bytes\":5,\"ms\":1.5,\"reason\":\"\",\"bad\":[{\"kind\":\"chunk\",\"name\":\"" +
                                  name_b + "\",\"why\":\"torn\"},{\"kind\":\"what\",\"name\":\"" + name_b + "\"}]}\n\n");
    ASSERT_TRUE(report);
    EXPECT_EQ(report->slot, 1);
    EXPECT_EQ(report->used, 90u);
    EXPECT_EQ(report->from, "state");
    EXPECT_EQ(hex(*report->state), name_a);
    ASSERT_EQ(report->bad.size(), 1u);
    EXPECT_EQ(report->bad[0].why, "torn");

    EXPECT_FALSE(report_in("data: {}\n\n"));
    EXPECT_FALSE(report_in(": localcode-state nonsense\n\n"));
    EXPECT_FALSE(report_in(": ping\n\n"));
    EXPECT_EQ(parse_state_report(R"({"used":-1,"prompt":1e9})")->used, 0u);
}

TEST(Exchange, SaveEvents) {
    const auto copied = parse_save_event(R"({"event":"copied","n_tokens":9})");
    ASSERT_TRUE(copied);
    EXPECT_EQ(std::get<Copied>(*copied).n_tokens, 9u);
    const auto refused = parse_save_event(R"({"event":"error","code":"busy","message":"m"})");
    ASSERT_TRUE(refused);
    EXPECT_EQ(std::get<SaveRefused>(*refused).code, "busy");
    const auto saved = parse_save_event(R"({"event":"done","n_tokens":3,"tokens":[1,-1,3],"media":[{"start":1,"n_tokens":1,"digest":")" +
                                        name_a + R"("}],"files":[{"kind":"chunk","name":")" + name_b +
                                        R"(","path":"tmp/x-1","bytes":10}],"snapshots":[{"name":")" + name_a +
                                        R"(","n_tokens":3,"bytes":7}],"complete":false,"copy_ms":1,"ms":2.5})");
    ASSERT_TRUE(saved) << saved.error().detail;
    const auto& s = std::get<Saved>(*saved);
    EXPECT_EQ(s.tokens, (std::vector<kv::Token>{1, -1, 3}));
    EXPECT_EQ(s.media.size(), 1u);
    EXPECT_EQ(s.files[0].path, "tmp/x-1");
    EXPECT_EQ(s.snapshots[0].bytes, 7u);
    EXPECT_FALSE(s.complete);
    EXPECT_TRUE(s.has_chunks);

    const std::string file = R"({"event":"done","n_tokens":1,"tokens":[1],"files":[{"kind":"chunk","name":")" + name_b + R"(","path":)";
    for (const std::string& bad :
         {std::string("{}"), std::string("no"), std::string(R"({"event":"other"})"),
          std::string(R"({"event":"done","n_tokens":2,"tokens":[1]})"),
          std::string(R"({"event":"done","n_tokens":1,"tokens":["1"]})"),
          std::string(R"({"event":"done","n_tokens":1,"tokens":[4294967296]})"), file + R"("/etc/passwd"}]})",
          file + R"("tmp/../../x"}]})", file + R"(""}]})"}) {
        SCOPED_TRACE(bad);
        EXPECT_FALSE(parse_save_event(bad));
    }
}

TEST(Outcome, Table) {
    const struct {
        const char* name;
        Expected expected;
        std::uint32_t used, prompt;
        const char* engine_reason;
        const char* want;
    } cases[] = {
        {"nothing known", {}, 0, 100, "", "miss;reason=no_state"},
        {"no store", {0, false, "no_store"}, 0, 100, "", "miss;reason=no_store"},
        {"the engine says why", {90, true, ""}, 0, 100, "damaged", "miss;reason=damaged"},
        {"the same prompt again", {}, 100, 100, "", "hit;tokens=99"},
        {"all but the last token", {}, 99, 100, "", "hit;tokens=99"},
        {"the next turn", {80, true, ""}, 80, 100, "", "hit;tokens=80"},
        {"the template renders its end anew", {80, true, ""}, 70, 100, "", "hit;tokens=70"},
        {"less than was there", {80, true, ""}, 40, 100, "other_tokens", "partial;tokens=40;reason=other_tokens"},
        {"a new session with a known head", {50, false, ""}, 50, 100, "", "partial;tokens=50;reason=other_tokens"},
        {"chunks of somebody else", {}, 48, 100, "", "partial;tokens=48;reason=no_state"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(print(outcome_of(c.expected, c.used, c.prompt, c.engine_reason)), c.want);
    }
}

TEST(Outcome, FallsShort) {
    EXPECT_FALSE(falls_short(90, 100, 90));
    EXPECT_FALSE(falls_short(90, 100, 89));  // a checkpoint is entered one token before its end
    EXPECT_TRUE(falls_short(90, 100, 88));
    EXPECT_FALSE(falls_short(100, 100, 99));  // the last token is always computed
    EXPECT_TRUE(falls_short(100, 100, 97));
    EXPECT_FALSE(falls_short(0, 100, 0));
}

}  // namespace
}  // namespace lc::states
