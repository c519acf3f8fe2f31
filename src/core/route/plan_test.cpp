#include "core/route/plan.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "core/route/glob.hpp"

namespace lc::route {

namespace {

/// Two engines and a cloud.
Table sample() {
    return {{{"coder", {"gpt-4o"}}, {"small", {}}}, {{"cloud", {"glm-4.7", "glm-4.6"}, false}, {"spare", {"glm-4.7"}, false}}, "coder", true};
}

Facts coder() {
    Facts f;
    f.roles = {"coder"};
    f.context = 16'384;
    f.now.local = true;
    f.now.slots = 2;
    f.speed.prefill_ms = 5;
    return f;
}
Facts small() {
    auto f = coder();
    f.roles = {"small"};
    f.speed.prefill_ms = 1;
    return f;
}
Facts cloud() {
    Facts f;
    f.roles = {"coder", "vision"};
    f.context = 131'072;
    f.vision = true;
    f.speed.base_ms = 900;
    return f;
}

struct World {
    Facts coder_ = coder(), small_ = small(), cloud_ = cloud(), spare_ = cloud();
};
FactsOf facts_of(const World& w) {
    return [&w](const Choice& c) {
        if (c.place == Place::local) return c.index == 0 ? w.coder_ : w.small_;
        return c.index == 0 ? w.cloud_ : w.spare_;
    };
}

Features request(std::string model, std::string kind = "main", std::int64_t tokens = 1'000) {
    Features f;
    f.model = std::move(model);
    f.kind = std::move(kind);
    f.tokens = tokens;
    f.client = "opencode";
    return f;
}

/// The order in which places are tried: "engine/coder cloud/glm-4.7".
std::string order(const Result<Plan>& plan) {
    if (!plan) return "error: " + plan.error().detail;
    std::string out;
    for (const auto& c : plan->candidates) {
        if (c.capable) out += (out.empty() ? "" : " ") + c.backend + "/" + c.model;
    }
    return out;
}

std::string order_of(const World& w, const Features& f, std::vector<config::Route> routes = {},
                     std::vector<api::HeaderField> fields = {}) {
    return order(plan(sample(), routes, f, fields, facts_of(w)));
}

config::Route to(std::string use, std::vector<std::string> fallback = {}) {
    config::Route r;
    r.use = std::move(use);
    r.fallback = std::move(fallback);
    return r;
}

}  // namespace

TEST(Glob, Matches) {
    const struct {
        std::string_view pattern, text;
        bool want;
    } cases[] = {{"*", "", true},           {"", "", true},          {"", "x", false},        {"glm-*", "glm-4.7", true},
                 {"glm-*", "GLM-4.7", true}, {"a?c", "abc", true},    {"a?c", "ac", false},    {"*-4.7", "glm-4.7", true},
                 {"*a*b", "xaxbxb", true},   {"*a*b", "xaxbx", false}, {"main", "mainly", false}};
    for (const auto& c : cases) EXPECT_EQ(matches(c.pattern, c.text), c.want) << c.pattern << " on " << c.text;
    EXPECT_TRUE(matches_any({}, "anything"));
    EXPECT_FALSE(matches_any({"a", "b"}, "c"));
}

TEST(Plan, ByNameAsBefore) {
    const World w;
    EXPECT_EQ(order_of(w, request("coder")), "engine/coder");
    EXPECT_EQ(order_of(w, request("gpt-4o")), "engine/coder");
    EXPECT_EQ(order_of(w, request("")), "engine/coder") << "the default";
    EXPECT_EQ(order_of(w, request("cloud/glm-4.6")), "cloud/glm-4.6") << "a backend that was named has no substitute";
    EXPECT_EQ(order_of(w, request("glm-4.7")), "cloud/glm-4.7 spare/glm-4.7") << "who has the very same name stands in";
    EXPECT_NE(order_of(w, request("glm-9")).find("error"), std::string::npos);
    EXPECT_EQ(order_of(w, request("small", "main", 1'000'000)), "engine/small") << "it says itself what is too long for it";
}

TEST(Plan, AutoTakesTheFastestThatSuits) {
    World w;
    EXPECT_EQ(order_of(w, request("auto")), "cloud/glm-4.7 spare/glm-4.7 engine/coder engine/small") << "0.9 s against 5 s";
    w.coder_.now.cached = 990;
    EXPECT_EQ(order_of(w, request("auto")), "engine/coder cloud/glm-4.7 spare/glm-4.7 engine/small") << "it has the prompt";
    w.coder_.now.busy = 3;
    w.coder_.speed.answer_ms = 8'000;
    EXPECT_EQ(order_of(w, request("auto")).find("cloud"), 0U) << "others wait there";
    EXPECT_EQ(order_of(w, request("auto", "title", 300)).find("engine/small"), 0U);
    auto picture = request("auto");
    picture.media = 1;
    EXPECT_EQ(order_of(w, picture), "cloud/glm-4.7 spare/glm-4.7");
    EXPECT_EQ(order_of(w, request("auto", "main", 20'000)), "cloud/glm-4.7 spare/glm-4.7") << "too long for the engines";
    EXPECT_EQ(order_of(w, request("auto", "embedding")).find("error: no place can answer"), 0U);
    w.small_.roles = {"embed"};
    EXPECT_EQ(order_of(w, request("auto", "embedding")), "engine/small");
    EXPECT_EQ(order_of(w, request("auto")).find("engine/small"), std::string::npos) << "it cannot talk";

    const auto nowhere = plan(sample(), {}, request("auto", "main", 1'000'000), {}, facts_of(w));
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().code, Errc::unsupported) << "the embedding model is no question of length";
    w.small_ = small();
    EXPECT_EQ(plan(sample(), {}, request("auto", "main", 1'000'000), {}, facts_of(w)).error().code, Errc::context_length_exceeded);
    EXPECT_EQ(plan(Table{{}, {}, "glm-4.7", false}, {}, request("auto"), {}, facts_of(w)).error().code, Errc::not_found);
}

TEST(Plan, RoutesDecideFirst) {
    World w;
    auto titles = to("small");
    titles.match.kind = {"title", "compaction"};
    auto any = to("coder", {"cloud/glm-4.7"});
    EXPECT_EQ(order_of(w, request("coder", "title"), {titles, any}), "engine/small") << "whatever name the client gave";
    EXPECT_EQ(order_of(w, request("small"), {titles, any}), "engine/coder cloud/glm-4.7");
    EXPECT_EQ(order_of(w, request("small", "main", 20'000), {any}), "cloud/glm-4.7") << "does not fit the first";

    any.max_wait_ms = 3'000;
    EXPECT_EQ(order_of(w, request("x"), {any}), "cloud/glm-4.7 engine/coder") << "5 s are over 3";
    w.coder_.now.cached = 900;
    EXPECT_EQ(order_of(w, request("x"), {any}), "engine/coder cloud/glm-4.7");

    auto fastest = to("coder", {"cloud/glm-4.7"});
    fastest.prefer = "fastest";
    fastest.weights = {{"remote", 4.0}};
    w.coder_.now.cached = 400;
    EXPECT_EQ(order_of(w, request("x"), {fastest}), "engine/coder cloud/glm-4.7") << "3 s against 4 times 0.9";
    fastest.weights = {{"remote", 4.0}, {"cloud/glm-4.7", 1.0}};
    EXPECT_EQ(order_of(w, request("x"), {fastest}), "cloud/glm-4.7 engine/coder") << "its own weight counts";

    EXPECT_EQ(order_of(w, request("x"), {to("gone", {"coder"})}), "engine/coder") << "a place that is no more";
    EXPECT_EQ(order_of(w, request("x"), {to("auto")}).find("cloud/glm-4.7"), 0U);
    EXPECT_EQ(order_of(w, request("x"), {to("small", {"auto"})}).find("engine/small"), 0U) << "the first stays first";
}

TEST(Plan, WhoRestsComesLast) {
    World w;
    w.cloud_.rests_ms = 4'000;
    EXPECT_EQ(order_of(w, request("glm-4.7")), "spare/glm-4.7 cloud/glm-4.7");
    EXPECT_EQ(order_of(w, request("cloud/glm-4.6")), "cloud/glm-4.6") << "there is no other";
    EXPECT_EQ(order_of(w, request("x"), {to("cloud/glm-4.7", {"coder"})}), "engine/coder cloud/glm-4.7");
}

TEST(Plan, Conditions) {
    auto f = request("glm-4.7", "main", 5'000);
    f.language = "python";
    f.tools = 3;
    const std::vector<api::HeaderField> fields{{"X-Team", "tools"}};
    const struct {
        const char* name;
        config::RouteMatch match;
        bool want;
    } cases[] = {
        {"nothing asked", {}, true},
        {"model glob", {.model = {"glm-*"}}, true},
        {"another model", {.model = {"qwen*"}}, false},
        {"any of a list", {.client = {"claude", "open*"}}, true},
        {"language", {.language = {"rust"}}, false},
        {"header", {.header = {{"x-team", "t*"}}}, true},
        {"header is absent", {.header = {{"x-other", "?*"}}}, false},
        {"tokens", {.min_tokens = 5'000, .max_tokens = 5'000}, true},
        {"too few", {.min_tokens = 5'001}, false},
        {"too many", {.max_tokens = 4'999}, false},
        {"no media", {.media = false}, true},
        {"media", {.media = true}, false},
        {"with tools", {.tools = true}, true},
        {"all must hold", {.kind = {"main"}, .tools = false}, false},
    };
    for (const auto& c : cases) EXPECT_EQ(holds(c.match, f, fields), c.want) << c.name;
}

TEST(Plan, ExplainsItself) {
    const World w;
    const auto f = request("auto", "main", 20'000);
    const auto json = boost::json::parse(to_json(*plan(sample(), {}, f, {}, facts_of(w)), f));
    EXPECT_EQ(json.at("kind"), "main");
    EXPECT_EQ(json.at("features").at("tokens"), 20'000);
    EXPECT_EQ(json.at("chosen").at("model"), "glm-4.7");
    EXPECT_EQ(json.at("chosen").at("backend"), "cloud");
    ASSERT_EQ(json.at("candidates").as_array().size(), 4U);
    const auto& first = json.at("candidates").at(0);
    EXPECT_EQ(first.at("predicted_ttft_ms"), 900.0);
    EXPECT_EQ(first.at("cached_tokens"), 0);
    const auto& last = json.at("candidates").at(3);
    EXPECT_EQ(last.at("capable"), false);
    EXPECT_NE(std::string(last.at("why").as_string()).find("do not fit into its context of 16384"), std::string::npos);
}

}  // namespace lc::route
