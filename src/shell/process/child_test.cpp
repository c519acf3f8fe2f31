#include "shell/process/child.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "shell/process/log_file.hpp"
#include "shell/process/ring.hpp"
#include "shell/sys/fd.hpp"
#include "shell/sys/paths.hpp"

namespace lc::process {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string self() {
    return sys::executable_path().value();
}

Spec child(std::vector<std::string> args) {
    Spec spec;
    spec.program = self();
    spec.args = {"--child"};
    spec.args.insert(spec.args.end(), args.begin(), args.end());
    return spec;
}

/// What this test program does when a test starts it.
int be_child(const std::vector<std::string>& args) {
    const std::string& mode = args.at(0);
    if (mode == "say") {
        std::fputs(args.at(1).c_str(), stdout);
        std::fflush(stdout);
        std::fputs(args.at(2).c_str(), stderr);
        return std::stoi(args.at(3));
    }
    if (mode == "sleep") {
        ::sleep(60);
        return 0;
    }
    if (mode == "stubborn") {
        ::signal(SIGTERM, SIG_IGN);
        std::puts("ready");
        std::fflush(stdout);
        ::sleep(60);
        return 0;
    }
    if (mode == "descriptors") {
        for (int fd = 3; fd < 256; ++fd) {
            if (::fcntl(fd, F_GETFD) >= 0) std::printf("%d ", fd);
        }
        char c = 0;
        std::printf("stdin=%zd group=%d score=", ::read(0, &c, 1), ::getpgrp() == ::getpid() ? 1 : 0);
        std::ifstream score("/proc/self/oom_score_adj");
        std::string text;
        score >> text;
        std::puts(text.c_str());
        return 0;
    }
    if (mode == "signals") {
        sigset_t mask;
        ::sigprocmask(SIG_SETMASK, nullptr, &mask);
        struct sigaction pipe_action {};
        ::sigaction(SIGPIPE, nullptr, &pipe_action);
        std::printf("blocked=%d ignored=%d\n", sigismember(&mask, SIGUSR1), pipe_action.sa_handler == SIG_IGN ? 1 : 0);
        return 0;
    }
    if (mode == "environment") {
        std::printf("A=%s B=%s\n", std::getenv("LC_TEST_A") != nullptr ? "yes" : "no",
                    std::getenv("LC_TEST_B") != nullptr ? "yes" : "no");
        return 0;
    }
    if (mode == "flood") {
        const std::string line(99, 'x');
        for (int i = 0; i < 100000; ++i) std::printf("%s\n", line.c_str());
        std::puts("last line");
        return 0;
    }
    if (mode == "grandchild") {
        // Leaves a process behind that holds the output open.
        const pid_t left = ::fork();
        if (left == 0) {
            ::sleep(60);
            ::_exit(0);
        }
        std::printf("%d\n", left);
        return 0;
    }
    if (mode == "parent") {
        // Starts a child of its own, says who it is, and waits to be killed.
        boost::asio::io_context context;
        auto spec = child({"stubborn"});
        auto grandchild = spawn(context.get_executor(), std::move(spec), [](Exit) {});
        if (!grandchild) return 3;
        std::printf("%d\n", pid(**grandchild));
        std::fflush(stdout);
        ::sleep(60);
        return 0;
    }
    return 99;
}

/// Runs the loop until `done` or the time is up.
template <class Done>
bool run_until(boost::asio::io_context& context, std::chrono::milliseconds time, Done done) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (!done() && std::chrono::steady_clock::now() < deadline) {
        context.restart();
        context.run_for(5ms);
    }
    return done();
}

struct Ended {
    boost::asio::io_context context;
    std::optional<Exit> exit;
    ChildPtr child;
    std::string output;

    explicit Ended(Spec spec) {
        auto started = spawn(context.get_executor(), std::move(spec), [this](Exit e) { exit = e; });
        if (!started) {
            ADD_FAILURE() << started.error().detail;
            return;
        }
        child = std::move(*started);
    }
    bool wait(std::chrono::milliseconds time = 20s) {
        const bool done = run_until(context, time, [&] { return exit.has_value(); });
        if (child) output = process::output(*child);
        return done;
    }
};

bool alive(int pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    const auto paren = text.rfind(')');
    return paren != std::string::npos && text.size() > paren + 2 && text[paren + 2] != 'Z' && text[paren + 2] != 'X';
}

bool gone_within(int pid, std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    while (alive(pid) && std::chrono::steady_clock::now() < deadline) std::this_thread::sleep_for(5ms);
    return !alive(pid);
}

TEST(Child, OutputAndStatus) {
    Ended e(child({"say", "out\n", "err\n", "7"}));
    ASSERT_TRUE(e.wait());
    EXPECT_EQ(e.exit->status, 7);
    EXPECT_EQ(e.exit->signal, 0);
    EXPECT_EQ(e.output, "out\nerr\n");
    EXPECT_FALSE(running(*e.child));
}

TEST(Child, ArgumentsAreNotInterpreted) {
    Ended e(child({"say", "$(id); `id` * \"a b\"\n", "", "0"}));
    ASSERT_TRUE(e.wait());
    EXPECT_EQ(e.output, "$(id); `id` * \"a b\"\n");
}

TEST(Child, InheritsNothing) {
    const auto leaked = ::open("/dev/null", O_RDONLY);  // without CLOEXEC, as a library might
    ASSERT_GE(leaked, 3);
    Ended e(child({"descriptors"}));
    ASSERT_TRUE(e.wait());
    ::close(leaked);
    EXPECT_EQ(e.output, "stdin=0 group=1 score=500\n");
}

TEST(Child, SignalsAreAsAfterLogin) {
    sigset_t block, old;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &block, &old);
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    Ended e(child({"signals"}));
    const bool done = e.wait();
    ::signal(SIGPIPE, before);
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    ASSERT_TRUE(done);
    EXPECT_EQ(e.output, "blocked=0 ignored=0\n");
}

TEST(Child, EnvironmentIsFiltered) {
    ::setenv("LC_TEST_A", "1", 1);
    ::setenv("LC_TEST_B", "1", 1);
    auto spec = child({"environment"});
    spec.keep_env = [](std::string_view name) { return name != "LC_TEST_B"; };
    Ended e(std::move(spec));
    ASSERT_TRUE(e.wait());
    EXPECT_EQ(e.output, "A=yes B=no\n");
}

TEST(Child, FailuresToStartTable) {
    boost::asio::io_context context;
    const struct {
        const char* name;
        std::string program;
        Errc code;
        const char* says;
    } cases[] = {
        {"missing", "/nonexistent/program", Errc::not_found, "No such file"},
        {"a folder", "/tmp", Errc::internal, "Permission denied"},
        {"not executable", "/etc/passwd", Errc::internal, "Permission denied"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Spec spec;
        spec.program = c.program;
        const auto started = spawn(context.get_executor(), spec, [](Exit) { ADD_FAILURE(); });
        ASSERT_FALSE(started);
        EXPECT_EQ(started.error().code, c.code);
        EXPECT_NE(started.error().detail.find(c.says), std::string::npos) << started.error().detail;
        EXPECT_NE(started.error().detail.find(c.program), std::string::npos);
    }
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no zombie stays";
}

TEST(Child, TerminateThenKill) {
    Ended polite(child({"sleep"}));
    terminate(*polite.child);
    ASSERT_TRUE(polite.wait());
    EXPECT_EQ(polite.exit->signal, SIGTERM);

    Ended stubborn(child({"stubborn"}));
    ASSERT_TRUE(run_until(stubborn.context, 10s, [&] { return output(*stubborn.child) == "ready\n"; }));
    terminate(*stubborn.child);
    EXPECT_FALSE(stubborn.wait(200ms));
    kill(*stubborn.child);
    ASSERT_TRUE(stubborn.wait());
    EXPECT_EQ(stubborn.exit->signal, SIGKILL);
    terminate(*stubborn.child);  // after the end: nobody else gets the signal
    kill(*stubborn.child);
}

TEST(Child, DestroyingKillsAndReaps) {
    boost::asio::io_context context;
    auto started =
        spawn(context.get_executor(), child({"stubborn"}), [](Exit) { ADD_FAILURE() << "called after destruction"; });
    ASSERT_TRUE(started);
    const int p = pid(**started);
    started->reset();
    EXPECT_FALSE(alive(p));
    EXPECT_EQ(::waitpid(p, nullptr, WNOHANG), -1);
    context.run_for(20ms);
}

TEST(Child, MayBeDestroyedInItsCallback) {
    boost::asio::io_context context;
    ChildPtr held;
    bool called = false;
    auto started = spawn(context.get_executor(), child({"say", "", "", "0"}), [&](Exit) {
        held.reset();
        called = true;
    });
    ASSERT_TRUE(started);
    held = std::move(*started);
    EXPECT_TRUE(run_until(context, 20s, [&] { return called; }));
}

TEST(Child, FloodStaysBounded) {
    const auto dir = fs::temp_directory_path() / ("lc-child-" + std::to_string(::getpid()));
    fs::create_directories(dir);
    auto spec = child({"flood"});
    spec.log_file = (dir / "log").string();
    spec.log_max_bytes = 1 << 20;
    spec.ring_bytes = 4096;
    Ended e(std::move(spec));
    ASSERT_TRUE(e.wait(60s));
    EXPECT_LE(e.output.size(), 4096U);
    EXPECT_TRUE(e.output.ends_with("x\nlast line\n"));
    EXPECT_TRUE(e.output.starts_with(std::string(99, 'x') + "\n")) << "begins at a line";
    EXPECT_LE(fs::file_size(dir / "log"), 1U << 20);
    EXPECT_LE(fs::file_size(dir / "log.1"), 1U << 20);
    EXPECT_EQ(std::distance(fs::directory_iterator(dir), {}), 2);
    struct stat info {};
    ASSERT_EQ(::stat((dir / "log").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    fs::remove_all(dir);
}

TEST(Child, GrandchildrenNeitherStayNorHoldUpTheEnd) {
    Ended e(child({"grandchild"}));
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(e.wait(20s));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
    EXPECT_TRUE(gone_within(std::stoi(e.output), 5s));
}

TEST(Child, NoOrphanAfterKill9OfTheParent) {
    for (int round = 0; round < 5; ++round) {
        Ended parent(child({"parent"}));
        ASSERT_TRUE(run_until(parent.context, 20s, [&] { return output(*parent.child).ends_with("\n"); }));
        const int orphan = std::stoi(output(*parent.child));
        ASSERT_TRUE(alive(orphan));
        ::kill(pid(*parent.child), SIGKILL);  // not the group: as `kill -9` of the gateway would
        EXPECT_TRUE(gone_within(orphan, 5s));
        EXPECT_TRUE(parent.wait());
    }
}

TEST(Run, OutputAndTimeout) {
    const auto done = run(child({"say", "a\n", "b\n", "3"}), 20s);
    ASSERT_TRUE(done) << done.error().detail;
    EXPECT_EQ(done->exit.status, 3);
    EXPECT_EQ(done->output, "a\nb\n");
    const auto late = run(child({"stubborn"}), 100ms);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::upstream_timeout);
    const auto flood = run(child({"flood"}), 60s, 1000);
    ASSERT_TRUE(flood);
    EXPECT_EQ(flood->output.size(), 1000U);
    EXPECT_FALSE(run(Spec{.program = "/nonexistent", .args = {}, .keep_env = {}, .log_file = {}}, 1s));
}

TEST(RingBuffer, Table) {
    const struct {
        const char* name;
        std::vector<std::string> parts;
        std::string want;
    } cases[] = {
        {"empty", {}, ""},
        {"fits", {"abc", "def"}, "abcdef"},
        {"exactly", {"12345678"}, "12345678"},
        {"older lines go", {"aaa\n", "bbb\n", "ccc\n"}, "ccc\n"},
        {"one long line is cut", {"abcdefghijkl"}, "efghijkl"},
        {"many small", {"1\n", "2\n", "3\n", "4\n", "5\n", "6\n", "7\n", "8\n", "9\n"}, "7\n8\n9\n"},
        {"huge part", {"x\n", std::string(100, 'y') + "\nend\n"}, "end\n"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        Ring ring(8);
        for (const auto& p : c.parts) ring.append(p);
        EXPECT_EQ(ring.text(), c.want);
    }
}

TEST(LogFiles, RefusesWhatIsNotAFile) {
    const auto dir = fs::temp_directory_path() / ("lc-log-" + std::to_string(::getpid()));
    fs::create_directories(dir);
    EXPECT_FALSE(LogFile::open(dir.string(), 10));
    fs::create_symlink("/dev/null", dir / "link");
    EXPECT_FALSE(LogFile::open((dir / "link").string(), 10));
    ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
    EXPECT_FALSE(LogFile::open((dir / "fifo").string(), 10));
    auto log = LogFile::open((dir / "log").string(), 10);
    ASSERT_TRUE(log);
    log->append("0123456");
    log->append("789a");
    EXPECT_EQ(sys::read_file((dir / "log").string(), 100).value(), "789a");
    EXPECT_EQ(sys::read_file((dir / "log.1").string(), 100).value(), "0123456");
    log->append(std::string(25, 'z'));
    EXPECT_EQ(sys::read_file((dir / "log").string(), 100).value(), std::string(10, 'z'));
    EXPECT_FALSE(log->broken());
    fs::remove_all(dir);
}

}  // namespace
}  // namespace lc::process

int main(int argc, char** argv) {
    if (argc > 2 && std::strcmp(argv[1], "--child") == 0) return lc::process::be_child({argv + 2, argv + argc});
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
