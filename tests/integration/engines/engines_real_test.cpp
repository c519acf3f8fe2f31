// The engine loop with real engines (stock llama-server and localcode-engine) and real models.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "app/engines/engines.hpp"
#include "core/gguf/gguf.hpp"
#include "core/gguf/testing.hpp"
#include "core/templates/templates.hpp"
#include "shell/process/child.hpp"
#include "shell/sys/fd.hpp"
#include "shell/sys/paths.hpp"

namespace lc::engines {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace std::chrono_literals;

/// The value, or a failure that says what to set.
std::string need(const char* variable) {
    const char* value = std::getenv(variable);
    if (value == nullptr || !fs::exists(value)) {
        ADD_FAILURE() << variable << " must name an existing file: `make test` sets it; see tools/test.sh";
        return {};
    }
    return value;
}

struct Bench {
    boost::asio::io_context context;
    fs::path dir;
    net::PoolPtr pool;
    EnginesPtr engines;
    std::string log;

    explicit Bench(std::vector<config::Model> models, const std::string& program) {
        std::string name = (fs::temp_directory_path() / "lc-real-XXXXXX").string();
        dir = ::mkdtemp(name.data());
        pool = net::make_pool(context.get_executor());
        Options options;
        options.state_dir = (dir / "state").string();
        options.runtime_dir = dir.string();
        options.engine_program = program;
        options.models = std::move(models);
        options.log = [this](Level, std::string_view model, std::string_view text) {
            log += std::string(model) + ": " + std::string(text) + "\n";
        };
        engines = make_engines(context.get_executor(), *pool, std::move(options));
    }
    ~Bench() {
        finish(stop_all(*engines, 5s));
        engines.reset();
        run_for(20ms);
        pool.reset();
        fs::remove_all(dir);
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    void run_for(std::chrono::milliseconds time) {
        context.restart();
        context.run_for(time);
    }
    template <class Done>
    bool run_until(Done done, std::chrono::milliseconds time = 120s) {
        const auto deadline = std::chrono::steady_clock::now() + time;
        while (!done() && std::chrono::steady_clock::now() < deadline) run_for(10ms);
        return done();
    }
    [[noreturn]] void give_up() const {
        std::fprintf(stderr, "no answer within two minutes; the log so far:\n%s", log.c_str());
        std::abort();
    }
    template <class T>
    T finish(awaitable<T> task) {
        std::optional<T> out;
        boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr, T value) { out = std::move(value); });
        if (!run_until([&] { return out.has_value(); })) give_up();
        return std::move(*out);
    }
    void finish(awaitable<void> task) {
        bool done = false;
        boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr) { done = true; });
        if (!run_until([&] { return done; })) give_up();
    }
    Result<Ready> get(const std::string& model) { return finish(acquire(*engines, model)); }
    Status state(std::size_t i = 0) const { return status(*engines).at(i); }

    json::value call(const Ready& ready, const std::string& path, const json::value& body, int want = 200) {
        net::Request request;
        request.method = "POST";
        request.target = path;
        request.fields = {{"content-type", "application/json"}};
        request.body = json::serialize(body);
        const auto answer = finish(net::fetch(*pool, ready.target, {}, std::move(request)));
        if (!answer) {
            ADD_FAILURE() << path << ": " << answer.error().detail;
            return {};
        }
        EXPECT_EQ(answer->status, want) << answer->body;
        return json::parse(answer->body);
    }
};

config::Model model(const char* name, const std::string& path) {
    config::Model m;
    m.name = name;
    m.path = path;
    return m;
}

bool alive(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto paren = text.rfind(')');
    return paren != std::string::npos && text.size() > paren + 2 && text[paren + 2] != 'Z' && text[paren + 2] != 'X';
}

const json::value tools =
    json::parse(R"([{"type":"function","function":{"name":"read_the_file","description":"Reads a file",
    "parameters":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}}}])");

const std::vector<json::value> conversations = {
    json::parse(R"([{"role":"user","content":"hi"}])"),
    json::parse(R"([{"role":"system","content":"Be short.\n"},{"role":"user","content":"  hi\n\n"}])"),
    json::parse(
        R"([{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}])"),
};

std::string prompt(Bench& b, const Ready& ready, const json::value& messages, bool with_tools) {
    json::object body{{"messages", messages}};
    if (with_tools) body["tools"] = tools;
    const auto answer = b.call(ready, "/apply-template", body);
    return answer.is_object() ? std::string(answer.at("prompt").as_string()) : std::string();
}

class RealEngine : public ::testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        program = need(GetParam());
        smollm = need("LOCALCODE_TEST_MODEL_SMOLLM2");
        gemma = need("LOCALCODE_TEST_MODEL_GEMMA");
        ASSERT_FALSE(HasFailure()) << "the environment is incomplete";  // and the test itself does not run
    }
    [[nodiscard]] bool ours() const { return std::strcmp(GetParam(), "LOCALCODE_ENGINE") == 0; }
    std::string program, smollm, gemma;
};

INSTANTIATE_TEST_SUITE_P(Programs, RealEngine, ::testing::Values("LOCALCODE_LLAMA_SERVER", "LOCALCODE_ENGINE"),
                         [](const auto& param) {
                             return std::strcmp(param.param, "LOCALCODE_ENGINE") == 0 ? "Ours" : "Stock";
                         });

TEST_P(RealEngine, SmolLM2IsReadyWithStretchedContextAndTools) {
    Bench b({model("smol", smollm)}, program);
    const auto ready = b.get("smol");
    ASSERT_TRUE(ready) << ready.error().detail;
    EXPECT_EQ(ready->context_per_slot, 16384);
    EXPECT_EQ(ready->slots, 2);
    EXPECT_EQ(ready->info->yarn_factor, 2);
    EXPECT_EQ(ready->info->context_train, 8192);
    EXPECT_EQ(ready->info->architecture, "llama");
    EXPECT_EQ(ready->info->quantisation, "Q4_1");
    EXPECT_TRUE(ready->tools_ok) << ready->tools_error;
    EXPECT_EQ(ready->ours, ours());
    EXPECT_EQ(ready->meta->features.empty(), !ours());
    EXPECT_NE(ready->info->template_note.find("Qwen-Qwen2.5-7B-Instruct.jinja"), std::string::npos)
        << ready->info->template_note;
    EXPECT_NE(b.log.find("YaRN, factor 2"), std::string::npos) << b.log;
    EXPECT_TRUE(fs::exists(b.dir / "state/engines/smol.jinja"));
    EXPECT_GT(fs::file_size(b.dir / "state/engines/smol.log"), 100U);
    const auto answer = b.call(*ready, "/v1/chat/completions",
                               json::parse(R"({"messages":[{"role":"user","content":"Say hi"}],"max_tokens":4})"));
    EXPECT_FALSE(answer.at("choices").as_array().empty());
}

TEST_P(RealEngine, ComposedTemplateRendersAsBothDid) {
    const auto header = sys::read_file(smollm, 8 << 20);
    ASSERT_TRUE(header);
    const auto info = gguf::parse(*header);
    ASSERT_TRUE(info) << info.error().detail;
    const auto own_file = fs::temp_directory_path() / ("lc-own-" + std::to_string(::getpid()) + ".jinja");
    std::ofstream(own_file) << info->chat_template;

    auto composed = model("composed", smollm), own = model("own", smollm), with_tools = model("tools", smollm);
    own.chat_template = own_file.string();
    with_tools.chat_template = "qwen-qwen2.5-7b-instruct";
    for (auto* m : {&composed, &own, &with_tools}) m->context = 2048;
    Bench b({composed, own, with_tools}, program);
    const auto c = b.get("composed"), o = b.get("own"), t = b.get("tools");
    fs::remove(own_file);
    ASSERT_TRUE(c && o && t);
    EXPECT_TRUE(c->tools_ok);
    EXPECT_FALSE(o->tools_ok);
    EXPECT_NE(o->tools_error.find("chat_template"), std::string::npos) << o->tools_error;
    EXPECT_TRUE(t->tools_ok);
    for (const auto& messages : conversations) {
        SCOPED_TRACE(json::serialize(messages));
        EXPECT_EQ(prompt(b, *c, messages, false), prompt(b, *o, messages, false));
        EXPECT_EQ(prompt(b, *c, messages, true), prompt(b, *t, messages, true));
        EXPECT_NE(prompt(b, *c, messages, true).find("read_the_file"), std::string::npos);
        EXPECT_EQ(prompt(b, *o, messages, true).find("read_the_file"), std::string::npos)
            << "dropped silently: why we compose";
    }
}

TEST_P(RealEngine, GemmaAsTrainedWithTools) {
    auto plain = model("plain", gemma);
    plain.args = {"--chat-template", "chatml"};  // llama.cpp's own fallback
    plain.context = 2048;
    Bench b({model("gemma", gemma), plain}, program);
    const auto g = b.get("gemma");
    ASSERT_TRUE(g) << g.error().detail;
    EXPECT_EQ(g->context_per_slot, 32768);
    EXPECT_EQ(g->slots, 2);
    EXPECT_EQ(g->info->yarn_factor, 1);
    EXPECT_EQ(g->info->quantisation, "Q4_K_M");
    EXPECT_TRUE(g->tools_ok) << g->tools_error;
    const auto p = b.get("plain");
    ASSERT_TRUE(p) << p.error().detail;
    EXPECT_FALSE(p->tools_ok);
    for (const auto& messages : conversations) {
        SCOPED_TRACE(json::serialize(messages));
        EXPECT_EQ(prompt(b, *g, messages, false), prompt(b, *p, messages, false));
        EXPECT_NE(prompt(b, *g, messages, true).find("read_the_file"), std::string::npos);
    }
}

TEST_P(RealEngine, BuiltinGemmaTemplateTakesToolsAndHistory) {
    const auto file = fs::temp_directory_path() / ("lc-gemma-" + std::to_string(::getpid()) + ".jinja");
    std::ofstream(file) << templates::builtin_tool_template(templates::Family::gemma);
    auto with = model("with", gemma);
    with.context = 2048;
    with.chat_template = file.string();
    Bench again({with}, program);
    const auto ready = again.get("with");
    fs::remove(file);
    ASSERT_TRUE(ready) << ready.error().detail;
    EXPECT_TRUE(ready->tools_ok) << ready->tools_error;
    const auto messages = json::parse(R"([{"role":"system","content":"Be short."},{"role":"user","content":"read a"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"read_the_file","arguments":"{\"path\":\"a\"}"}}]},
        {"role":"tool","tool_call_id":"1","content":"AAA"},{"role":"user","content":"and now?"}])");
    const std::string text = prompt(again, *ready, messages, true);
    EXPECT_NE(text.find("<start_of_turn>user\nBe short."), std::string::npos) << text;
    EXPECT_NE(
        text.find(
            "<tool_call>\n{\"name\": \"read_the_file\", \"arguments\": {\"path\": \"a\"}}\n</tool_call><end_of_turn>"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("<tool_response>\nAAA\n</tool_response>"), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("and now?<end_of_turn>\n<start_of_turn>model\n")) << text;
}

TEST_P(RealEngine, KilledEngineIsReplaced) {
    auto m = model("smol", smollm);
    m.context = 1024;
    Bench b({m}, program);
    const auto first = b.get("smol");
    ASSERT_TRUE(first) << first.error().detail;
    const int pid = b.state().pid;
    // While it generates: the stream is cut, and the next acquire gets a fresh one.
    std::optional<Result<net::Fetched>> cut;
    net::Request request;
    request.method = "POST";
    request.target = "/completion";
    request.fields = {{"content-type", "application/json"}};
    request.body = R"({"prompt":"Once upon a time","n_predict":900,"ignore_eos":true})";
    boost::asio::co_spawn(b.context, net::fetch(*b.pool, first->target, {}, std::move(request)),
                          [&](std::exception_ptr, Result<net::Fetched> r) { cut = std::move(r); });
    b.run_for(300ms);
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(b.run_until([&] { return cut.has_value(); }, 10s));
    EXPECT_FALSE(*cut);
    ASSERT_TRUE(b.run_until([&] { return b.state().phase != engine::Phase::ready; }, 5s));
    EXPECT_NE(b.state().last_error.find("SIGKILL"), std::string::npos) << b.state().last_error;
    const auto second = b.get("smol");
    ASSERT_TRUE(second) << second.error().detail;
    EXPECT_NE(b.state().pid, pid);
    EXPECT_EQ(b.state().restarts, 1U);
    b.call(*second, "/tokenize", json::parse(R"({"content":"hi"})"));
}

TEST_P(RealEngine, FailuresNameTheirCause) {
    const auto dir = fs::temp_directory_path() / ("lc-bad-" + std::to_string(::getpid()));
    fs::create_directories(dir);
    const auto put = [&](const char* name, std::string_view bytes) {
        std::ofstream(dir / name) << bytes;
        return (dir / name).string();
    };
    auto nonsense = gguf::testing::Builder();
    nonsense.text("general.architecture", "nonsense")
        .u32("nonsense.context_length", 512)
        .u32("nonsense.block_count", 1);
    const auto whole = sys::read_file(smollm, 4 << 20);
    ASSERT_TRUE(whole);
    const auto args = [&](std::vector<std::string> more) {
        auto m = model("m", smollm);
        m.context = 512;
        m.args = std::move(more);
        return m;
    };
    // An engine that may not take more memory than this: a real exhaustion would hit the whole machine.
    auto limited = args({"-c", "8000000"});
    limited.engine = put("limited-engine", "#!/bin/sh\nulimit -v 4000000\nexec '" + program + "' \"$@\"\n");
    fs::permissions(limited.engine, fs::perms::owner_all);
    auto huge = model("m", smollm);
    huge.context = 50'000'000;
    auto bad_template = model("m", smollm);
    bad_template.context = 512;
    bad_template.chat_template = put("bad.jinja", "{% if %}");
    const struct {
        const char* name;
        config::Model model;
        const char* says;
        bool output;  ///< the engine ran: its last lines are shown
    } cases[] = {
        {"missing file", model("m", "/nonexistent.gguf"), "does not exist", false},
        {"not a GGUF", model("m", put("text.gguf", "just some text")), "not a GGUF", false},
        {"truncated header", model("m", put("cut.gguf", whole->substr(0, 1'000'000))), "truncated", false},
        {"truncated data", model("m", put("data.gguf", *whole)), "truncated", false},
        {"unknown architecture", model("m", put("arch.gguf", nonsense.bytes())), "'nonsense'", true},
        {"a model without its tensors", model("m", put("small.gguf", gguf::testing::small_llama().bytes())),
         "could not be loaded", true},
        {"configured context beyond the memory", huge, "lower its context or slots", false},
        {"memory runs out in the engine", limited, "too little memory", true},
        {"unknown argument", args({"--no-such-argument"}), "--no-such-argument", true},
        {"broken template", bad_template, "chat template has a fault", true},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Bench b({c.model}, program);
        const auto r = b.get("m");
        ASSERT_FALSE(r);
        EXPECT_EQ(r.error().code, Errc::model_load_failed);
        EXPECT_NE(r.error().detail.find(c.says), std::string::npos) << r.error().detail;
        EXPECT_EQ(r.error().detail.find("last output") != std::string::npos, c.output) << r.error().detail;
        EXPECT_EQ(b.state().pid, 0);
    }
    fs::remove_all(dir);
}

TEST_P(RealEngine, StoppedWhileLoadingAndWhileGenerating) {
    auto m = model("smol", smollm);
    m.context = 1024;
    Bench b({m}, program);
    std::optional<Result<Ready>> waiting;
    boost::asio::co_spawn(b.context, acquire(*b.engines, "smol"),
                          [&](std::exception_ptr, Result<Ready> r) { waiting = std::move(r); });
    ASSERT_TRUE(b.run_until([&] { return b.state().pid != 0; }));
    ASSERT_TRUE(b.finish(stop(*b.engines, "smol")));
    EXPECT_EQ(b.state().phase, engine::Phase::stopped);
    ASSERT_TRUE(b.run_until([&] { return waiting.has_value(); }));
    EXPECT_EQ(waiting->error().code, Errc::overloaded);

    const auto ready = b.get("smol");
    ASSERT_TRUE(ready) << ready.error().detail;
    const int pid = b.state().pid;
    bool over = false;
    net::Request request;
    request.method = "POST";
    request.target = "/completion";
    request.fields = {{"content-type", "application/json"}};
    request.body = R"({"prompt":"Once upon a time","n_predict":900,"ignore_eos":true,"stream":true})";
    boost::asio::co_spawn(b.context, net::fetch(*b.pool, ready->target, {}, std::move(request)),
                          [&](std::exception_ptr, const Result<net::Fetched>&) { over = true; });
    b.run_for(300ms);
    const auto begin = std::chrono::steady_clock::now();
    b.finish(stop_all(*b.engines, 3s));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 6s);
    EXPECT_FALSE(alive(pid));
    ASSERT_TRUE(b.run_until([&] { return over; }, 10s));
}

TEST_P(RealEngine, NoEngineStaysAfterKill9OfTheGateway) {
    boost::asio::io_context context;
    process::Spec spec;
    spec.program = sys::executable_path().value();
    spec.args = {"--gateway", program, smollm};
    bool ended = false;
    auto gateway = process::spawn(context.get_executor(), spec, [&](process::Exit) { ended = true; });
    ASSERT_TRUE(gateway) << gateway.error().detail;
    const auto until = [&](auto done, std::chrono::milliseconds time) {
        const auto deadline = std::chrono::steady_clock::now() + time;
        while (!done() && std::chrono::steady_clock::now() < deadline) {
            context.restart();
            context.run_for(10ms);
        }
        return done();
    };
    ASSERT_TRUE(until([&] { return process::output(**gateway).find("engine ") != std::string::npos || ended; }, 60s));
    const std::string output = process::output(**gateway);
    ASSERT_TRUE(output.starts_with("engine ")) << output;
    const int engine = std::stoi(output.substr(7));
    ASSERT_TRUE(alive(engine));
    ::kill(process::pid(**gateway), SIGKILL);
    EXPECT_TRUE(until([&] { return ended && !alive(engine); }, 10s));
}

/// Plays the gateway: an engine started, its pid said, then nothing until somebody kills us.
int be_gateway(const std::string& program, const std::string& path) {
    auto m = model("smol", path);
    m.context = 1024;
    Bench b({m}, program);
    const auto ready = b.get("smol");
    if (!ready) {
        std::printf("failed: %s\n", ready.error().detail.c_str());
        return 1;
    }
    std::printf("engine %d\n", b.state().pid);
    std::fflush(stdout);
    b.run_for(60s);
    return 0;
}

}  // namespace
}  // namespace lc::engines

int main(int argc, char** argv) {
    if (argc == 4 && std::strcmp(argv[1], "--gateway") == 0) return lc::engines::be_gateway(argv[2], argv[3]);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
