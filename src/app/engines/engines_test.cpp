// The whole loop with real processes: this test program plays the engine, too, and misbehaves as told.
#include "app/engines/engines.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "core/gguf/testing.hpp"
#include "shell/net/http_server.hpp"
#include "shell/sys/paths.hpp"

namespace lc::engines {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// ---- the engine that this program plays --------------------------------------------------------------------------

struct Play {
    std::string mode;
    std::chrono::steady_clock::time_point born = std::chrono::steady_clock::now();
};
Play play;

awaitable<void> answer(net::Exchange& exchange) {
    const std::string target = net::request(exchange).target;
    const auto age = std::chrono::steady_clock::now() - play.born;
    net::Response response;
    if (target == "/health") {
        const bool loading = play.mode == "never" || (play.mode == "slow" && age < 600ms);
        response.status = loading ? 503 : 200;
    } else if (target == "/props") {
        response.body =
            R"({"total_slots":2,"default_generation_settings":{"n_ctx":4096},"chat_template_caps":{"supports_tools":true}})";
    } else {
        response.status = 404;
    }
    co_await net::respond(exchange, std::move(response));
    if (target == "/localcode/engine" && play.mode == "dies_when_ready") ::raise(SIGSEGV);
}

int be_engine(const std::vector<std::string>& args) {
    if (args.at(0) == "--list-devices") return 0;
    std::string socket;
    for (std::size_t i = 0; i + 1 < args.size(); ++i) {
        if (args[i] == "--host") socket = args[i + 1];
        if (args[i] == "--play") play.mode = args[i + 1];
    }
    if (play.mode == "fails") {
        std::fputs("line one\nerror loading model: unknown model architecture: 'nonsense'\nlast line\n", stderr);
        return 1;
    }
    if (play.mode == "killed") ::raise(SIGKILL);
    if (play.mode == "stubborn") ::signal(SIGTERM, SIG_IGN);
    boost::asio::io_context context;
    net::ServerOptions options;
    options.handler = answer;
    options.error_page = [](const Error&, int status) { return net::Response{status, {}, {}}; };
    net::Listen listen;
    listen.unix_path = socket;
    auto server = net::serve(context.get_executor(), {listen}, std::move(options));
    if (!server) {
        std::fputs(server.error().detail.c_str(), stderr);
        return 3;
    }
    context.run();
    return 0;
}

// ---- the tests ---------------------------------------------------------------------------------------------------

/// A model's name and what its engine plays.
struct Played {
    std::string name, mode;
};
using Models = std::vector<Played>;

struct Bench {
    boost::asio::io_context context;
    fs::path dir;
    net::PoolPtr pool;
    EnginesPtr engines;
    std::vector<std::string> lines;

    explicit Bench(Models models, void (*change)(Options&) = nullptr) {
        std::string name = (fs::temp_directory_path() / "lc-loop-XXXXXX").string();
        dir = ::mkdtemp(name.data());
        std::ofstream(dir / "m.gguf") << gguf::testing::small_llama().bytes();
        pool = net::make_pool(context.get_executor());
        Options options;
        options.state_dir = (dir / "state").string();
        options.runtime_dir = dir.string();
        options.engine_program = sys::executable_path().value();
        options.policy.backoff_first = 100ms;
        options.policy.stop_grace = 300ms;
        options.log = [this](Level, std::string_view model, std::string_view text) {
            lines.push_back(std::string(model) + ": " + std::string(text));
        };
        for (auto& [model, mode] : models) {
            config::Model m;
            m.name = model;
            m.path = (dir / "m.gguf").string();
            m.context = 2048;
            m.args = {"--play", mode};
            options.models.push_back(std::move(m));
        }
        if (change != nullptr) change(options);
        engines = make_engines(context.get_executor(), *pool, std::move(options));
    }
    ~Bench() {
        engines.reset();
        run_for(50ms);
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
    bool run_until(Done done, std::chrono::milliseconds time = 20s) {
        const auto deadline = std::chrono::steady_clock::now() + time;
        while (!done() && std::chrono::steady_clock::now() < deadline) run_for(5ms);
        return done();
    }

    struct Pending {
        std::optional<Result<Ready>> result;
        int waits = 0;
        Leave leave;
        boost::asio::cancellation_signal signal;
        std::chrono::steady_clock::time_point ended;
    };
    std::shared_ptr<Pending> ask(std::string model) {
        auto pending = std::make_shared<Pending>();
        boost::asio::co_spawn(
            context,
            acquire(
                *engines, std::move(model), [pending](const Waiting&) { ++pending->waits; }, &pending->leave),
            boost::asio::bind_cancellation_slot(pending->signal.slot(),
                                                [pending](std::exception_ptr error, Result<Ready> r) {
                                                    if (error) {
                                                        ADD_FAILURE() << "acquire threw";
                                                    }
                                                    pending->result = std::move(r);
                                                    pending->ended = std::chrono::steady_clock::now();
                                                }));
        return pending;
    }
    Result<Ready> get(const std::string& model) {
        const auto pending = ask(model);
        if (!run_until([&] { return pending->result.has_value(); })) return fail(Errc::internal, "test: no answer");
        return std::move(*pending->result);
    }
    Status state(std::size_t i = 0) const { return status(*engines).at(i); }
};

bool alive(int pid) {
    return ::kill(pid, 0) == 0;
}

TEST(Engines, StartsOnDemandAndIsShared) {
    Bench b(Models{{"a", "slow"}});
    EXPECT_EQ(b.state().phase, engine::Phase::stopped);
    EXPECT_EQ(try_acquire(*b.engines, "a"), nullptr);
    const auto one = b.ask("a"), two = b.ask("a"), three = b.ask("a");
    ASSERT_TRUE(b.run_until([&] { return one->result && two->result && three->result; }));
    ASSERT_TRUE(*one->result) << (*one->result).error().detail;
    EXPECT_TRUE(*two->result && *three->result);
    EXPECT_GE(one->waits, 1);
    const Ready& ready = **one->result;
    EXPECT_EQ(ready.context_per_slot, 4096) << "as the engine says";
    EXPECT_EQ(ready.slots, 2);
    EXPECT_TRUE(ready.tools_ok);
    EXPECT_FALSE(ready.ours);
    EXPECT_EQ(ready.target.unix_path, ready.socket);
    EXPECT_EQ(ready.info->architecture, "llama");
    const auto s = b.state();
    EXPECT_EQ(s.phase, engine::Phase::ready);
    EXPECT_EQ(s.restarts, 0U);
    EXPECT_EQ(s.in_use, 3);
    EXPECT_GT(s.rss_bytes, 0);
    EXPECT_TRUE(alive(s.pid));
    EXPECT_TRUE(fs::exists(s.log_file));
    auto more = try_acquire(*b.engines, "a");
    ASSERT_NE(more, nullptr);
    EXPECT_EQ(b.state().in_use, 4);
    auto copy = more->lease;
    more.reset();
    EXPECT_EQ(b.state().in_use, 4) << "a copy of the lease holds";
    copy.reset();
    EXPECT_EQ(b.state().in_use, 3);
    const auto again = b.ask("a");
    ASSERT_TRUE(b.run_until([&] { return again->result.has_value(); }));
    EXPECT_EQ(again->waits, 0);
}

TEST(Engines, UnknownModel) {
    Bench b(Models{{"coder", "good"}});
    const auto r = b.get("codr");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Errc::not_found);
    EXPECT_NE(r.error().detail.find("'coder'"), std::string::npos);
    EXPECT_EQ(b.get("").error().code, Errc::not_found);
}

TEST(Engines, FailedStartSaysWhyAndBacksOff) {
    Bench b(Models{{"a", "fails"}});
    const auto r = b.get("a");
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code, Errc::model_load_failed);
    EXPECT_NE(r.error().detail.find("does not know the model architecture 'nonsense'"), std::string::npos)
        << r.error().detail;
    EXPECT_NE(r.error().detail.find("last line"), std::string::npos) << r.error().detail;
    EXPECT_EQ(r.error().retry_after_s, 1);
    EXPECT_EQ(b.state().phase, engine::Phase::backing_off);
    EXPECT_NE(b.state().last_error.find("nonsense"), std::string::npos);
    EXPECT_NE(recent_output(*b.engines, "a").find("line one"), std::string::npos);
    for (int i = 0; i < 4; ++i) {
        EXPECT_FALSE(b.get("a"));
    }
    EXPECT_EQ(b.state().restarts, 4U) << "short back-offs are waited for: each asked again";
    // 100, 200, 400, 800, 1600 ms: the next one is too long to wait for.
    const auto begin = std::chrono::steady_clock::now();
    const auto refused = b.get("a");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 500ms);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().retry_after_s, 2);
    EXPECT_EQ(b.state().restarts, 4U);
}

TEST(Engines, CausesTable) {
    const struct {
        const char* name;
        std::string mode;
        void (*change)(Options&);
        std::string says;
    } cases[] = {
        {"killed while loading", "killed", nullptr, "memory ran out"},
        {"file missing", "good", [](Options& o) { o.models[0].path = "/nonexistent.gguf"; }, "does not exist"},
        {"no such program", "good", [](Options& o) { o.engine_program = "/nonexistent"; }, "/nonexistent"},
        {"not a program", "good", [](Options& o) { o.engine_program = "/etc/passwd"; }, "not an executable"},
        {"program of the model wins", "good", [](Options& o) { o.models[0].engine = "/nonexistent2"; },
         "/nonexistent2"},
        {"socket path too long", "good", [](Options& o) { o.runtime_dir += "/" + std::string(120, 'x'); },
         "XDG_RUNTIME_DIR"},
        {"context that does not fit", "good", [](Options& o) { o.models[0].context = 1'000'000'000; }, "does not fit"},
        {"template that does not exist", "good", [](Options& o) { o.models[0].chat_template = "/nonexistent.jinja"; },
         "chat_template"},
        {"never ready", "never", [](Options& o) { o.models[0].load_timeout_s = 1; }, "not ready within 1 s"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Bench b(Models{{"a", c.mode}}, c.change);
        const auto r = b.get("a");
        ASSERT_FALSE(r);
        EXPECT_EQ(r.error().code, Errc::model_load_failed);
        EXPECT_NE(r.error().detail.find(c.says), std::string::npos) << r.error().detail;
        EXPECT_NE(r.error().detail.find("model 'a' could not be loaded"), std::string::npos) << r.error().detail;
        EXPECT_TRUE(b.run_until([&] { return b.state().pid == 0; })) << "no process stays";
    }
}

TEST(Engines, DeathGivesTheNextRequestAFreshOne) {
    Bench b(Models{{"a", "good"}});
    const auto first = b.get("a");
    ASSERT_TRUE(first) << first.error().detail;
    const int pid = b.state().pid;
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(b.run_until([&] { return b.state().phase == engine::Phase::stopped; }));
    EXPECT_EQ(try_acquire(*b.engines, "a"), nullptr);
    EXPECT_NE(b.state().last_error.find("died while it was serving"), std::string::npos);
    const auto second = b.get("a");
    ASSERT_TRUE(second) << second.error().detail;
    EXPECT_NE(second->incarnation, first->incarnation);
    EXPECT_NE(b.state().pid, pid);
    EXPECT_EQ(b.state().restarts, 1U);
    // Again, soon after: that is waited for a little.
    ::kill(b.state().pid, SIGKILL);
    ASSERT_TRUE(b.run_until([&] { return b.state().phase == engine::Phase::backing_off; }));
    EXPECT_TRUE(b.get("a"));
}

TEST(Engines, DiesAsItGetsReady) {
    Bench b(Models{{"a", "dies_when_ready"}});
    for (int i = 0; i < 3; ++i) {
        const auto r = b.get("a");
        if (!r) {
            EXPECT_EQ(r.error().code, Errc::model_load_failed);
        }
        b.run_until([&] { return b.state().pid == 0; });
    }
    EXPECT_EQ(b.state().phase, engine::Phase::backing_off);
}

TEST(Engines, AWaiterLeavesAtOnce) {
    Bench b(Models{{"a", "never"}});
    const auto leaves = b.ask("a"), cancelled = b.ask("a"), stays = b.ask("a");
    ASSERT_TRUE(b.run_until([&] { return b.state().pid != 0 && stays->waits > 0; }));
    auto begin = std::chrono::steady_clock::now();
    leaves->leave.leave();
    ASSERT_TRUE(b.run_until([&] { return leaves->result.has_value(); }));
    EXPECT_LT(leaves->ended - begin, 100ms);
    EXPECT_EQ((*leaves->result).error().code, Errc::cancelled);
    begin = std::chrono::steady_clock::now();
    cancelled->signal.emit(boost::asio::cancellation_type::terminal);
    ASSERT_TRUE(b.run_until([&] { return cancelled->result.has_value(); }));
    EXPECT_LT(cancelled->ended - begin, 100ms);
    EXPECT_EQ((*cancelled->result).error().code, Errc::cancelled);
    EXPECT_FALSE(stays->result.has_value());
    EXPECT_EQ(b.state().phase, engine::Phase::starting) << "the others still wait for it";
    Leave before;
    before.leave();
    const auto left = std::make_shared<std::optional<Result<Ready>>>();
    boost::asio::co_spawn(b.context, acquire(*b.engines, "a", {}, &before),
                          [left](std::exception_ptr, Result<Ready> r) { *left = std::move(r); });
    ASSERT_TRUE(b.run_until([&] { return left->has_value(); }));
    EXPECT_EQ((**left).error().code, Errc::cancelled);
}

TEST(Engines, StopOneAndStartAgain) {
    Bench b(Models{{"a", "good"}, {"b", "good"}});
    ASSERT_TRUE(b.get("a"));
    ASSERT_TRUE(b.get("b"));
    const int pid = b.state(0).pid;
    std::optional<Result<void>> stopped;
    boost::asio::co_spawn(b.context, stop(*b.engines, "a"), [&](std::exception_ptr, Result<void> r) { stopped = r; });
    ASSERT_TRUE(b.run_until([&] { return stopped.has_value(); }));
    EXPECT_TRUE(*stopped);
    EXPECT_EQ(b.state(0).phase, engine::Phase::stopped);
    EXPECT_FALSE(alive(pid));
    EXPECT_EQ(b.state(1).phase, engine::Phase::ready);
    EXPECT_TRUE(b.get("a"));
}

TEST(Engines, StopAllIsBoundedAndFinal) {
    Bench b(Models{{"polite", "good"}, {"stubborn", "stubborn"}, {"loading", "never"}, {"idle", "good"}});
    ASSERT_TRUE(b.get("polite"));
    ASSERT_TRUE(b.get("stubborn"));
    const auto waiter = b.ask("loading");
    ASSERT_TRUE(b.run_until([&] { return b.state(2).pid != 0; }));
    std::vector<int> pids;
    for (int i = 0; i < 3; ++i) pids.push_back(b.state(static_cast<std::size_t>(i)).pid);
    bool done = false;
    const auto begin = std::chrono::steady_clock::now();
    boost::asio::co_spawn(b.context, stop_all(*b.engines, 300ms), [&](std::exception_ptr) { done = true; });
    ASSERT_TRUE(b.run_until([&] { return done; }));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 300ms) << "the stubborn one had its grace";
    for (const int pid : pids) EXPECT_FALSE(alive(pid));
    ASSERT_TRUE(b.run_until([&] { return waiter->result.has_value(); }));
    EXPECT_EQ((*waiter->result).error().code, Errc::overloaded);
    EXPECT_EQ(b.get("polite").error().code, Errc::overloaded);
    EXPECT_EQ(b.get("idle").error().code, Errc::overloaded);
}

TEST(Engines, DestroyedWithWaiters) {
    Bench b(Models{{"a", "never"}});
    const auto waiter = b.ask("a");
    ASSERT_TRUE(b.run_until([&] { return b.state().pid != 0; }));
    const int pid = b.state().pid;
    b.engines.reset();
    EXPECT_FALSE(alive(pid));
    ASSERT_TRUE(b.run_until([&] { return waiter->result.has_value(); }));
    EXPECT_FALSE(*waiter->result);
}

TEST(Engines, DescribeReadsTheHeaderOnly) {
    Bench b(Models{{"a", "good"}});
    std::optional<Result<std::shared_ptr<const ModelInfo>>> info;
    boost::asio::co_spawn(b.context, describe(*b.engines, "a"),
                          [&](std::exception_ptr, auto r) { info = std::move(r); });
    ASSERT_TRUE(b.run_until([&] { return info.has_value(); }));
    ASSERT_TRUE(*info);
    EXPECT_EQ((**info)->context_train, 8192);
    EXPECT_EQ((**info)->quantisation, "Q4_1");
    EXPECT_EQ(b.state().phase, engine::Phase::stopped);
    ASSERT_TRUE(b.get("a"));
    info.reset();
    boost::asio::co_spawn(b.context, describe(*b.engines, "a"),
                          [&](std::exception_ptr, auto r) { info = std::move(r); });
    ASSERT_TRUE(b.run_until([&] { return info.has_value(); }));
    EXPECT_EQ((**info)->context_per_slot, 2048) << "what the start decided is kept";
}

}  // namespace
}  // namespace lc::engines

int main(int argc, char** argv) {
    if (argc > 1 && (std::strcmp(argv[1], "--host") == 0 || std::strcmp(argv[1], "--list-devices") == 0)) {
        return lc::engines::be_engine({argv + 1, argv + argc});
    }
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
