#include "core/config/overlay.hpp"

#include <gtest/gtest.h>

#include "core/config/presets.hpp"

namespace lc::config {

namespace {

std::vector<std::string> told(const std::vector<Problem>& problems) {
    std::vector<std::string> out;
    for (const Problem& p : problems) out.push_back(p.message);
    return out;
}

using Told = std::vector<std::string>;

std::vector<std::string> names_of(const Config& config) {
    std::vector<std::string> out;
    for (const Model& m : config.models) out.push_back(m.name);
    for (const Backend& b : config.backends) out.push_back("@" + b.name);
    return out;
}

}  // namespace

TEST(Overlay, Precedence) {
    Config file;
    file.server.host = "127.0.0.2";
    file.server.port = 1000;
    file.log.level = "warn";
    EXPECT_EQ(overlay(file, {}, {}).config, file);

    const Environment environment = {{"LOCALCODE_HOST", "127.0.0.3"},
                                     {"LOCALCODE_PORT", "2000"},
                                     {"LOCALCODE_LOG_LEVEL", "error"},
                                     {"LOCALCODE_ENGINE", "/e"}};
    const auto over_file = overlay(file, {}, environment);
    EXPECT_EQ(told(over_file.problems), Told{});
    EXPECT_EQ(over_file.config.server.host, "127.0.0.3");
    EXPECT_EQ(over_file.config.server.port, 2000);
    EXPECT_EQ(over_file.config.log.level, "error");
    EXPECT_EQ(over_file.config.server.engine, "/e");

    CliOptions options;
    options.host = "127.0.0.4";
    options.port = 3000;
    options.log_level = "debug";
    options.engine = "/f";
    const auto over_all = overlay(file, options, environment);
    EXPECT_EQ(over_all.config.server.host, "127.0.0.4");
    EXPECT_EQ(over_all.config.server.port, 3000);
    EXPECT_EQ(over_all.config.log.level, "debug");
    EXPECT_EQ(over_all.config.server.engine, "/f");

    EXPECT_EQ(overlay(file, {}, {{"LOCALCODE_PORT", ""}}).config.server.port, 1000) << "empty counts as unset";
}

TEST(Overlay, BadValues) {
    const struct {
        const char* name;
        CliOptions options;
        Environment environment;
        Told want;
    } cases[] = {
        {"port in the environment",
         {},
         {{"LOCALCODE_PORT", "70000"}},
         {"LOCALCODE_PORT must be from 0 to 65535, got '70000'"}},
        {"no number", {}, {{"LOCALCODE_PORT", "1x"}}, {"LOCALCODE_PORT must be from 0 to 65535, got '1x'"}},
        {"level in the environment",
         {},
         {{"LOCALCODE_LOG_LEVEL", "loud"}},
         {"LOCALCODE_LOG_LEVEL must be error, warn, info or debug, got 'loud'"}},
        {"port option", {.port = -1}, {}, {"--port must be from 0 to 65535, got -1"}},
        {"secret on the command line",
         {.upstream = "http://h", .upstream_key = "sk-1"},
         {},
         {"--upstream-key takes env:NAME or file:PATH, since command lines can be read by others"}},
        {"API key on the command line",
         {.api_key = "sk-1"},
         {},
         {"--api-key takes env:NAME or file:PATH, since command lines can be read by others"}},
        {"key without upstream",
         {.upstream_key = "env:A"},
         {},
         {"--upstream-key and --upstream-model need --upstream URL"}},
        {"context without a model",
         {.context = 4096},
         {},
         {"--context, --slots, --chat-template and --preload are about local models, and there is none; give one with "
          "--model FILE.gguf"}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto result = overlay({}, c.options, c.environment);
        EXPECT_EQ(told(result.problems), c.want);
        for (const auto& message : told(result.problems)) EXPECT_EQ(message.find("sk-1"), std::string::npos);
    }
}

TEST(Overlay, LocalModels) {
    Config file;
    file.models = {{.name = "big", .path = "/big.gguf"}, {.name = "coder", .path = "/old.gguf", .slots = 4}};
    file.server.model = "big";

    CliOptions options;
    options.models = {"/m/New.Q4_K_M.gguf", "/m/Coder.gguf"};
    options.hf = {"org/Some-Model-GGUF:Q4_0"};
    options.context = 4096;
    const auto result = overlay(file, options, {});
    ASSERT_EQ(told(result.problems), Told{});
    const Config& c = result.config;
    EXPECT_EQ(names_of(c), (std::vector<std::string>{"new.q4_k_m", "coder", "some-model", "big"}));
    EXPECT_EQ(c.models[1].path, "/m/Coder.gguf") << "the file of the command line";
    EXPECT_EQ(c.models[1].slots, 4) << "the other keys of the config";
    EXPECT_EQ(c.models[2].hf, "org/Some-Model-GGUF:Q4_0");
    EXPECT_EQ(c.models[0].context, 4096);
    EXPECT_EQ(c.models[3].context, 0) << "--context is for the models of the command line";
    EXPECT_EQ(c.server.model, "new.q4_k_m");

    CliOptions only_context;
    only_context.context = 8192;
    only_context.preload = true;
    const auto all = overlay(file, only_context, {});
    EXPECT_EQ(all.config.models[0].context, 8192);
    EXPECT_EQ(all.config.models[1].context, 8192);
    EXPECT_EQ(all.config.server.model, "big");
    EXPECT_EQ(all.config.server.preload, (std::vector<std::string>{"big", "coder"}));
}

TEST(Overlay, SameModelTwiceIsAProblemOfValidate) {
    CliOptions options;
    options.models = {"/a/m.gguf", "/b/m.gguf"};
    const auto result = overlay({}, options, {});
    EXPECT_EQ(told(validate(result.config)), Told{"the name 'm' is already taken by model 'm'"});
}

TEST(Overlay, Upstream) {
    const struct {
        const char* in;
        const char* want;
    } urls[] = {
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"},
        {"http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1"},
        {"https://h/v1", "https://h/v1"},
        {"https://h/api/paas/v4", "https://h/api/paas/v4"},
    };
    for (const auto& u : urls) {
        CliOptions options;
        options.upstream = u.in;
        options.upstream_key = "env:K";
        options.upstream_models = {"m"};
        const auto result = overlay({}, options, {});
        ASSERT_EQ(result.config.backends.size(), 1U);
        EXPECT_EQ(result.config.backends[0].url, u.want);
        EXPECT_EQ(result.config.backends[0].key.spec, "env:K");
        EXPECT_EQ(result.config.backends[0].models, std::vector<std::string>{"m"});
        EXPECT_EQ(told(validate(result.config)), Told{});
    }
}

TEST(Overlay, Zai) {
    const Environment environment = {{"ZAI_API_KEY", "s3cret"}};
    CliOptions local;
    local.models = {"m.gguf"};
    const auto beside = overlay({}, local, environment);
    EXPECT_EQ(names_of(beside.config), (std::vector<std::string>{"m", "@zai"}));
    const Backend& zai = beside.config.backends[0];
    EXPECT_EQ(zai.url, "https://api.z.ai/api/coding/paas/v4");
    EXPECT_EQ(zai.key.spec, "env:ZAI_API_KEY") << "the value itself stays in the environment";
    EXPECT_EQ(zai.models, std::vector<std::string>{"glm-4.7"});
    EXPECT_EQ(told(validate(beside.config)), Told{});

    Config own;
    own.backends = {{.name = "cloud", .preset = "zai", .url = "https://127.0.0.1:1/v4", .models = {"glm-5"}}};
    const auto configured = overlay(own, {}, environment);
    ASSERT_EQ(names_of(configured.config), std::vector<std::string>{"@cloud"}) << "not twice";
    EXPECT_EQ(configured.config.backends[0].url, "https://127.0.0.1:1/v4");
    EXPECT_EQ(configured.config.backends[0].key.spec, "env:ZAI_API_KEY");
    EXPECT_EQ(configured.config.backends[0].models, std::vector<std::string>{"glm-5"});

    EXPECT_TRUE(overlay({}, {}, {{"ZAI_API_KEY", ""}}).config.backends.empty());
}

TEST(Overlay, ApiKey) {
    CliOptions options;
    options.host = "0.0.0.0";
    options.api_key = "env:K";
    const auto result = overlay({}, options, {});
    EXPECT_EQ(result.config.auth.keys, (std::vector<Key>{{"command-line", {"env:K"}}}));
    EXPECT_EQ(told(validate(result.config)), Told{});
}

TEST(Overlay, NothingToServe) {
    ASSERT_TRUE(nothing_to_serve({}));
    for (const char* way : {"--model FILE.gguf", "--hf ORG/REPO:QUANT", "--upstream URL", "ZAI_API_KEY"}) {
        EXPECT_NE(nothing_to_serve({})->find(way), std::string::npos) << way;
    }
    EXPECT_FALSE(nothing_to_serve(overlay({}, {}, {{"ZAI_API_KEY", "x"}}).config));
}

TEST(ModelName, OfFile) {
    const struct {
        const char* in;
        const char* want;
    } cases[] = {
        {"model.gguf", "model"},
        {"/a/b/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct.q4_1"},
        {"Model.GGUF", "model"},
        {"big-00001-of-00003.gguf", "big"},
        {"no extension", "no-extension"},
        {"\xc3\xa9t\xc3\xa9.gguf", "t--"},
        {".gguf", "gguf"},
        {"---.gguf", "model"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.in);
        EXPECT_EQ(model_name_of_file(c.in), c.want);
        Config config;
        config.models = {{.name = model_name_of_file(c.in), .path = "x"}};
        EXPECT_EQ(told(validate(config)), Told{}) << "always a valid name";
    }
}

TEST(ModelName, OfHf) {
    EXPECT_EQ(model_name_of_hf("ggml-org/Qwen3-0.6B-GGUF:Q4_0"), "qwen3-0.6b");
    EXPECT_EQ(model_name_of_hf("org/repo"), "repo");
}

TEST(Anchored, FileNames) {
    Config config;
    config.server.engine = "llama-server";
    config.server.unix_socket = "clients.sock";
    config.server.tls = {"/abs/c.pem", "~/k.pem"};
    config.auth.keys = {{"a", {"file:keys/a"}}, {"b", {"env:FILE"}}, {"c", {"plain/text"}}};
    config.models = {{.name = "m", .path = "m.gguf", .chat_template = "chatml", .engine = "./bin/engine"}};
    config.backends = {{.name = "b", .url = "http://h", .ca_file = "ca.pem"}};
    const Config got = anchored(config, "/etc/lc", "/home/u");
    EXPECT_EQ(got.server.engine, "llama-server") << "found through PATH";
    EXPECT_EQ(got.server.unix_socket, "/etc/lc/clients.sock");
    EXPECT_EQ(got.server.tls, (Tls{"/abs/c.pem", "/home/u/k.pem"}));
    EXPECT_EQ(got.auth.keys[0].key.spec, "file:/etc/lc/keys/a");
    EXPECT_EQ(got.auth.keys[1].key.spec, "env:FILE");
    EXPECT_EQ(got.auth.keys[2].key.spec, "plain/text");
    EXPECT_EQ(got.models[0].path, "/etc/lc/m.gguf");
    EXPECT_EQ(got.models[0].chat_template, "chatml");
    EXPECT_EQ(got.models[0].engine, "/etc/lc/./bin/engine");
    EXPECT_EQ(got.backends[0].ca_file, "/etc/lc/ca.pem");
    EXPECT_EQ(got.backends[0].url, "http://h");
}

}  // namespace lc::config
