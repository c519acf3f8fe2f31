#include "core/clients/client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "core/clients/opencode.hpp"

namespace lc::clients {
namespace {

namespace json = boost::json;

constexpr const char* list = R"({"object":"list","data":[
 {"id":"coder","meta":{"n_ctx":32768,"size":8000},"localcode":{"place":"local","context":32768,
   "capabilities":["completion","chat","tools","vision","reasoning"],"aliases":["default"]}},
 {"id":"tiny","meta":{"n_ctx":8192,"size":900},"localcode":{"place":"local","capabilities":["completion","chat"],"aliases":[]}},
 {"id":"vectors","meta":{"size":10},"localcode":{"place":"local","capabilities":["embedding"]}},
 {"id":"glm-4.7","meta":{"n_ctx":200000},"localcode":{"place":"remote","backend":"zai","context":200000,"output":32000}},
 {"id":"unknown","localcode":{"place":"remote","backend":"x","context":0}},
 {"no":"id"}]})";

Setup setup(std::string key = "") {
    Setup out;
    out.url = "http://127.0.0.1:4242";
    out.key = std::move(key);
    out.models = models_of(list).value();
    out.scratch = "/scratch";
    choose_models(out, "coder");
    return out;
}

std::string env(const Launch& launch, std::string_view name) {
    const auto found =
        std::find_if(launch.env.begin(), launch.env.end(), [&](const auto& v) { return v.first == name; });
    return found == launch.env.end() ? "(unset)" : found->second;
}

json::value opencode_config(const Setup& s) {
    const auto made = launch(Client::opencode, s);
    EXPECT_TRUE(made) << made.error().detail;
    return read_jsonc(env(*made, "OPENCODE_CONFIG_CONTENT")).value();
}

TEST(Clients, Names) {
    for (const auto name : client_names()) EXPECT_EQ(name_of(client_of(name).value()), name);
    EXPECT_EQ(client_of("opncode").error().detail, "there is no client 'opncode'; did you mean 'opencode'?");
    EXPECT_EQ(client_of("emacs").error().detail,
              "there is no client 'emacs'; known: opencode, claude, codex, qwen, cline, cn, aider");
}

TEST(Clients, Models) {
    const auto models = models_of(list).value();
    ASSERT_EQ(models.size(), 4U) << "embedding models are left out";
    Model coder;
    coder.id = "coder", coder.context = 32768, coder.bytes = 8000, coder.aliases = {"default"};
    coder.local = coder.vision = coder.reasoning = true;
    EXPECT_EQ(models[0], coder);
    EXPECT_FALSE(models[1].tools);
    EXPECT_TRUE(models[2].tools) << "nothing is known of a remote one: it may";
    EXPECT_FALSE(models[2].local);
    EXPECT_EQ(models_of("[]").error().code, Errc::upstream_error);
    EXPECT_EQ(models_of("nope").error().code, Errc::upstream_error);
}

TEST(Clients, WhichModels) {
    const struct {
        const char* name;
        const char* asked;
        std::vector<Model> models;
        const char* main;
        const char* small;
    } cases[] = {
        {"none", "a", {}, "", ""},
        {"one", "a", {{"a"}}, "a", "a"},
        {"the default", "b", {{"a"}, {"b"}}, "b", "b"},
        {"the default cannot chat", "gone", {{"a"}, {"b"}}, "a", "a"},
        {"the default by its alias", "x", {{"a"}, {"b", 0, 0, 0, {"x"}}}, "b", "b"},
        {"a small one by its alias", "a", {{"a"}, {"b", 0, 0, 0, {"small"}}}, "a", "b"},
        {"the smallest",
         "a",
         {{"a", 0, 0, 90, {}, true}, {"b", 0, 0, 20, {}, true}, {"c", 0, 0, 10, {}, true}},
         "a",
         "c"},
        {"not much smaller", "a", {{"a", 0, 0, 90, {}, true}, {"b", 0, 0, 50, {}, true}}, "a", "a"},
        {"of unknown size", "a", {{"a", 0, 0, 90, {}, true}, {"b"}}, "a", "a"},
        {"main is remote", "a", {{"a"}, {"b", 0, 0, 50, {}, true}}, "a", "a"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        clients::Setup s;
        s.models = c.models;
        choose_models(s, c.asked);
        EXPECT_EQ(s.main, c.main);
        EXPECT_EQ(s.small, c.small);
    }
}

TEST(Clients, OutputLimit) {
    EXPECT_EQ(output_limit({"a", 8192}), 1024);
    EXPECT_EQ(output_limit({"a", 16384}), 2048);
    EXPECT_EQ(output_limit({"a", 200000}), 2048);
    EXPECT_EQ(output_limit({"a", 200000, 32000}), 32000);
}

TEST(OpenCode, OneRun) {
    const auto config = opencode_config(setup());
    const auto& provider = config.at("provider").at("localcode");
    EXPECT_EQ(provider.at("npm"), "@ai-sdk/openai-compatible");
    EXPECT_EQ(json::serialize(provider.at("options")),
              R"({"baseURL":"http://127.0.0.1:4242/v1","apiKey":"none","headerTimeout":false,"chunkTimeout":false})");
    EXPECT_EQ(json::serialize(provider.at("models").at("coder")),
              R"({"name":"coder","tool_call":true,"temperature":true,"reasoning":true,)"
              R"("interleaved":{"field":"reasoning_content"},"attachment":true,)"
              R"("modalities":{"input":["text","image"],"output":["text"]},"limit":{"context":32768,"output":2048}})");
    EXPECT_EQ(provider.at("models").at("glm-4.7").at("limit").at("output"), 32000);
    EXPECT_FALSE(provider.at("models").at("unknown").as_object().contains("limit"));
    EXPECT_FALSE(provider.at("models").at("tiny").at("tool_call").as_bool());
    EXPECT_EQ(config.at("model"), "localcode/coder");
    EXPECT_EQ(config.at("small_model"), "localcode/tiny");
    EXPECT_FALSE(config.as_object().contains("plugin"));
}

TEST(OpenCode, KeysStayOutOfTheText) {
    auto s = setup("k-secret");
    s.plugin = "/share/plugin.js";
    const auto made = launch(Client::opencode, s).value();
    EXPECT_EQ(env(made, "LOCALCODE_API_KEY"), "k-secret");
    const auto text = env(made, "OPENCODE_CONFIG_CONTENT");
    EXPECT_EQ(text.find("k-secret"), std::string::npos);
    EXPECT_EQ(read_jsonc(text)->at("provider").at("localcode").at("options").at("apiKey"), "{env:LOCALCODE_API_KEY}");
    EXPECT_EQ(json::serialize(read_jsonc(text)->at("plugin")), R"(["file:///share/plugin.js"])");
}

TEST(OpenCode, WhatTheEnvironmentHasStays) {
    auto s = setup();
    s.previous = R"({"theme":"dark", "model":"x/y", /* mine */ "provider":{"x":{"name":"X"}}, "plugin":["p"]})";
    s.plugin = "/p.js";
    const auto config = opencode_config(s);
    EXPECT_EQ(config.at("theme"), "dark");
    EXPECT_EQ(config.at("provider").at("x").at("name"), "X");
    EXPECT_EQ(config.at("model"), "localcode/coder") << "this run is with this gateway";
    EXPECT_EQ(json::serialize(config.at("plugin")), R"(["p","file:///p.js"])");
    s.previous = "{";
    EXPECT_EQ(launch(Client::opencode, s).error().code, Errc::bad_request);
}

TEST(OpenCode, AUsersFileKeepsWhatItSays) {
    const std::string mine = R"({
  // my favourites
  "model": "anthropic/claude", // for work
  "provider": {
    "localcode": {
      "options": { "baseURL": "http://127.0.0.1:9/v1", "apiKey": "{env:MINE}" },
      "models": {
        "coder": { "name": "My coder", "limit": { "context": 1, "output": 4096 } }, // tuned
      },
    },
  },
}
)";
    auto s = setup();
    const auto there = read_jsonc(mine).value();
    const auto text = with_settings(mine, opencode_settings(s, Purpose::file, there)).value();
    const auto config = read_jsonc(text).value();
    for (const char* comment : {"// my favourites", "// for work", "// tuned"})
        EXPECT_NE(text.find(comment), std::string::npos);
    EXPECT_EQ(config.at("model"), "anthropic/claude");
    EXPECT_EQ(config.at("small_model"), "localcode/tiny");
    const auto& provider = config.at("provider").at("localcode");
    EXPECT_EQ(provider.at("options").at("baseURL"), "http://127.0.0.1:4242/v1");
    EXPECT_EQ(provider.at("options").at("apiKey"), "{env:MINE}");
    EXPECT_EQ(json::serialize(provider.at("models").at("coder")),
              R"({"name":"My coder","limit":{"context":32768,"output":4096}})");
    EXPECT_EQ(with_settings(text, opencode_settings(s, Purpose::file, config)).value(), text)
        << "a second time changes nothing";
}

TEST(Claude, Environment) {
    const auto made = launch(Client::claude, setup("k")).value();
    EXPECT_EQ(env(made, "ANTHROPIC_BASE_URL"), "http://127.0.0.1:4242") << "without /v1";
    EXPECT_EQ(env(made, "ANTHROPIC_AUTH_TOKEN"), "k");
    EXPECT_EQ(env(made, "ANTHROPIC_MODEL"), "coder");
    EXPECT_EQ(env(made, "ANTHROPIC_SMALL_FAST_MODEL"), "tiny");
    EXPECT_EQ(env(made, "CLAUDE_CODE_MAX_CONTEXT_TOKENS"), "32768");
    EXPECT_EQ(env(made, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"), "1");
    EXPECT_TRUE(made.args.empty());
    EXPECT_TRUE(made.files.empty());
}

TEST(Codex, OptionsInsteadOfItsFile) {
    const auto made = launch(Client::codex, setup("k")).value();
    ASSERT_EQ(made.args.size() % 2, 0U);
    std::vector<std::string> set;
    for (std::size_t i = 0; i < made.args.size(); i += 2) {
        EXPECT_EQ(made.args[i], "-c");
        set.push_back(made.args[i + 1]);
    }
    for (const char* want : {R"(model="coder")", R"(model_provider="localcode")", "model_context_window=32768",
                             R"(model_providers.localcode.base_url="http://127.0.0.1:4242/v1")",
                             R"(model_providers.localcode.wire_api="responses")",
                             R"(model_providers.localcode.env_key="LOCALCODE_API_KEY")", "analytics.enabled=false"}) {
        EXPECT_NE(std::find(set.begin(), set.end(), want), set.end()) << want;
    }
    EXPECT_EQ(env(made, "LOCALCODE_API_KEY"), "k");
}

TEST(Others, EnvironmentArgumentsFiles) {
    const auto s = setup();
    const auto qwen = launch(Client::qwen, s).value();
    EXPECT_EQ(env(qwen, "OPENAI_BASE_URL"), "http://127.0.0.1:4242/v1");
    EXPECT_EQ(env(qwen, "OPENAI_API_KEY"), "none");
    EXPECT_EQ(env(qwen, "OPENAI_MODEL"), "coder");
    EXPECT_EQ(env(qwen, "QWEN_TELEMETRY_ENABLED"), "false");

    const auto cn = launch(Client::cn, s).value();
    EXPECT_EQ(cn.args, (std::vector<std::string>{"--config", "/scratch/config.yaml"}));
    ASSERT_EQ(cn.files.size(), 1U);
    const auto& yaml = cn.files[0].content;
    EXPECT_LT(yaml.find("name: \"coder\""), yaml.find("name: \"tiny\"")) << "the first one is used";
    EXPECT_NE(yaml.find("contextLength: 32768\n      maxTokens: 2048"), std::string::npos);
    EXPECT_EQ(env(cn, "CONTINUE_TELEMETRY_ENABLED"), "0");

    const auto aider = launch(Client::aider, s).value();
    EXPECT_EQ(env(aider, "OPENAI_API_BASE"), "http://127.0.0.1:4242/v1");
    EXPECT_EQ(aider.args[1], "openai/coder");
    EXPECT_EQ(aider.args[3], "openai/tiny");
    ASSERT_EQ(aider.files.size(), 1U);
    EXPECT_EQ(read_jsonc(aider.files[0].content)->at("openai/coder").at("max_input_tokens"), 32768);

    const auto cline = launch(Client::cline, s).value();
    ASSERT_FALSE(cline.files.empty());
}

}  // namespace
}  // namespace lc::clients
