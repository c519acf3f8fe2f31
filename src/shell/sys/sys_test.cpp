#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>

#include "shell/sys/fd.hpp"
#include "shell/sys/machine.hpp"
#include "shell/sys/os.hpp"
#include "shell/sys/paths.hpp"
#include "shell/sys/state_lock.hpp"

namespace lc::sys {
namespace {

namespace fs = std::filesystem;

struct TempDir {
    fs::path path;
    TempDir() {
        std::string name = (fs::temp_directory_path() / "lc-sys-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~TempDir() { fs::remove_all(path); }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
};

void put(const fs::path& path, std::string_view text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
}

Env env_of(std::map<std::string, std::string> values) {
    return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
        const auto it = values.find(std::string(name));
        if (it == values.end() || it->second.empty()) return std::nullopt;
        return it->second;
    };
}

TEST(Paths, Table) {
    const struct {
        const char* name;
        std::map<std::string, std::string> env;
        PathOptions options;
        std::string state, cache, runtime, config;
        bool given;
    } cases[] = {
        {"home only",
         {{"HOME", "/h"}},
         {},
         "/h/.local/state/localcode",
         "/h/.cache/localcode",
         "/tmp/localcode-7",
         "/h/.config/localcode/config.toml",
         false},
        {"xdg",
         {{"HOME", "/h"},
          {"XDG_STATE_HOME", "/s"},
          {"XDG_CACHE_HOME", "/c"},
          {"XDG_CONFIG_HOME", "/o"},
          {"XDG_RUNTIME_DIR", "/r"}},
         {},
         "/s/localcode",
         "/c/localcode",
         "/r/localcode",
         "/o/localcode/config.toml",
         false},
        {"relative xdg is ignored",
         {{"HOME", "/h"}, {"XDG_STATE_HOME", "s"}, {"XDG_RUNTIME_DIR", "r"}},
         {},
         "/h/.local/state/localcode",
         "/h/.cache/localcode",
         "/tmp/localcode-7",
         "/h/.config/localcode/config.toml",
         false},
        {"own variables",
         {{"HOME", "/h"},
          {"LOCALCODE_STATE_DIR", "/a"},
          {"LOCALCODE_CACHE_DIR", "/b"},
          {"LOCALCODE_CONFIG", "/c.toml"}},
         {},
         "/a",
         "/b",
         "/tmp/localcode-7",
         "/c.toml",
         true},
        {"options win",
         {{"HOME", "/h"}, {"LOCALCODE_STATE_DIR", "/a"}, {"LOCALCODE_CONFIG", "/c.toml"}},
         {"/x", "/y.toml"},
         "/x",
         "/h/.cache/localcode",
         "/tmp/localcode-7",
         "/y.toml",
         true},
        {"a service without home", {}, {"/x", ""}, "/x", "/x/cache", "/tmp/localcode-7", "", false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto paths = paths_from(env_of(c.env), 7, c.options);
        ASSERT_TRUE(paths) << paths.error().detail;
        EXPECT_EQ(paths->state_dir, c.state);
        EXPECT_EQ(paths->cache_dir, c.cache);
        EXPECT_EQ(paths->runtime_dir, c.runtime);
        EXPECT_EQ(paths->config_file, c.config);
        EXPECT_EQ(paths->config_given, c.given);
    }
    EXPECT_EQ(paths_from(env_of({}), 7).error().code, Errc::bad_request);
}

TEST(PrivateDir, MadeClosedAndRefused) {
    TempDir dir;
    const auto deep = (dir.path / "a/b/c").string();
    ASSERT_TRUE(ensure_private_dir(deep, Symlink::refuse));
    struct stat info {};
    ASSERT_EQ(::stat(deep.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U);

    const auto open = (dir.path / "open").string();
    ASSERT_EQ(::mkdir(open.c_str(), 0755), 0);
    ASSERT_TRUE(ensure_private_dir(open, Symlink::refuse));
    ASSERT_EQ(::stat(open.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700U);

    const auto link = (dir.path / "link").string();
    fs::create_directory_symlink(open, link);
    EXPECT_FALSE(ensure_private_dir(link, Symlink::refuse));
    EXPECT_TRUE(ensure_private_dir(link, Symlink::follow));

    put(dir.path / "file", "x");
    EXPECT_FALSE(ensure_private_dir((dir.path / "file").string(), Symlink::refuse));
    if (::geteuid() == 0) {
        const auto foreign = (dir.path / "foreign").string();
        ASSERT_EQ(::mkdir(foreign.c_str(), 0700), 0);
        ASSERT_EQ(::chown(foreign.c_str(), 12345, 12345), 0);
        const auto result = ensure_private_dir(foreign, Symlink::refuse);
        ASSERT_FALSE(result);
        EXPECT_NE(result.error().detail.find("12345"), std::string::npos);
    }
}

TEST(PrivateDir, RuntimeFallsBack) {
    TempDir dir;
    Paths paths;
    paths.state_dir = (dir.path / "state").string();
    paths.runtime_dir = (dir.path / "gone/localcode").string();
    paths.runtime_fallback = (dir.path / "fallback").string();
    const auto ready = prepare(paths);
    ASSERT_TRUE(ready) << ready.error().detail;
    EXPECT_EQ(ready->runtime_dir, paths.runtime_fallback);
    EXPECT_TRUE(fs::is_directory(paths.state_dir));
    EXPECT_FALSE(fs::exists(dir.path / "gone"));
}

TEST(StateLock, SecondIsToldThePid) {
    TempDir dir;
    {
        const auto first = lock_state_dir(dir.path.string());
        ASSERT_TRUE(first) << first.error().detail;
        const auto second = lock_state_dir(dir.path.string());
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Errc::overloaded);
        EXPECT_NE(second.error().detail.find("pid " + std::to_string(::getpid())), std::string::npos)
            << second.error().detail;
    }
    EXPECT_TRUE(lock_state_dir(dir.path.string()));
}

TEST(StateLock, FreeAfterKill) {
    TempDir dir;
    auto ready = pipe_cloexec();
    ASSERT_TRUE(ready);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto lock = lock_state_dir(dir.path.string());
        [[maybe_unused]] const auto sent = ::write(ready->write.get(), lock ? "y" : "n", 1);
        ::pause();
        ::_exit(0);
    }
    char answer = 0;
    ASSERT_EQ(::read(ready->read.get(), &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    EXPECT_FALSE(lock_state_dir(dir.path.string()));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(lock_state_dir(dir.path.string()));
}

TEST(Machine, MemoryTable) {
    const struct {
        const char* name;
        std::map<std::string, std::string> files;
        std::int64_t want;
    } cases[] = {
        {"no cgroup", {{"proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    2000 kB\n"}}, 2000 * 1024},
        {"v2 limit of the own group",
         {{"proc/meminfo", "MemAvailable: 2000 kB\n"},
          {"proc/self/cgroup", "0::/a/b\n"},
          {"sys/fs/cgroup/a/b/memory.max", "1000000\n"},
          {"sys/fs/cgroup/a/b/memory.current", "400000\n"},
          {"sys/fs/cgroup/a/b/memory.stat", "anon 1\ninactive_file 100000\n"}},
         700000},
        {"v2 limit of an enclosing group",
         {{"proc/meminfo", "MemAvailable: 2000 kB\n"},
          {"proc/self/cgroup", "0::/a/b\n"},
          {"sys/fs/cgroup/a/b/memory.max", "max\n"},
          {"sys/fs/cgroup/a/b/memory.current", "1\n"},
          {"sys/fs/cgroup/a/memory.max", "500000\n"},
          {"sys/fs/cgroup/a/memory.current", "100000\n"}},
         400000},
        {"v2 in a container",
         {{"proc/meminfo", "MemAvailable: 2000 kB\n"},
          {"proc/self/cgroup", "0::/\n"},
          {"sys/fs/cgroup/memory.max", "900000\n"},
          {"sys/fs/cgroup/memory.current", "0\n"}},
         900000},
        {"v1",
         {{"proc/meminfo", "MemAvailable: 2000 kB\n"},
          {"proc/self/cgroup", "4:memory:/x\n2:cpu,cpuacct:/\n"},
          {"sys/fs/cgroup/memory/x/memory.limit_in_bytes", "800000\n"},
          {"sys/fs/cgroup/memory/x/memory.usage_in_bytes", "300000\n"},
          {"sys/fs/cgroup/memory/x/memory.stat", "inactive_file 7\ntotal_inactive_file 50000\n"}},
         550000},
        {"v1 without limit",
         {{"proc/meminfo", "MemAvailable: 2000 kB\n"},
          {"proc/self/cgroup", "4:memory:/x\n"},
          {"sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n"},
          {"sys/fs/cgroup/memory/x/memory.usage_in_bytes", "300000\n"}},
         2000 * 1024},
        {"over the limit",
         {{"proc/meminfo", "MemAvailable: 2000 kB\n"},
          {"proc/self/cgroup", "0::/\n"},
          {"sys/fs/cgroup/memory.max", "10\n"},
          {"sys/fs/cgroup/memory.current", "20\n"}},
         0},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        TempDir dir;
        for (const auto& [file, text] : c.files) put(dir.path / file, text);
        const auto got = memory_available(dir.path.string());
        ASSERT_TRUE(got);
        EXPECT_EQ(*got, c.want);
    }
    TempDir empty;
    EXPECT_FALSE(memory_available(empty.path.string()));
    EXPECT_GT(memory_available().value_or(0), 1 << 20);
}

TEST(Machine, CoresTable) {
    cpu_set_t old;
    ASSERT_EQ(::sched_getaffinity(0, sizeof old, &old), 0);
    const int all = CPU_COUNT(&old);
    EXPECT_EQ(cores("/nonexistent"), all);
    const struct {
        const char* name;
        std::map<std::string, std::string> files;
        int want;
    } cases[] = {
        {"v2 quota below one", {{"proc/self/cgroup", "0::/a\n"}, {"sys/fs/cgroup/a/cpu.max", "50000 100000\n"}}, 1},
        {"v2 one and a half", {{"proc/self/cgroup", "0::/a\n"}, {"sys/fs/cgroup/a/cpu.max", "150000 100000\n"}}, 1},
        {"v2 none", {{"proc/self/cgroup", "0::/a\n"}, {"sys/fs/cgroup/a/cpu.max", "max 100000\n"}}, all},
        {"v1 one",
         {{"proc/self/cgroup", "3:cpu,cpuacct:/\n"},
          {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000\n"},
          {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}},
         1},
        {"v1 none",
         {{"proc/self/cgroup", "3:cpu,cpuacct:/\n"},
          {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
          {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
         all},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        TempDir dir;
        for (const auto& [file, text] : c.files) put(dir.path / file, text);
        EXPECT_EQ(cores(dir.path.string()), c.want);
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
        if (CPU_ISSET(i, &old)) {
            CPU_SET(i, &one);
            break;
        }
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(cores("/nonexistent"), 1);
    ::sched_setaffinity(0, sizeof old, &old);
}

TEST(Files, ReadReplaceAndErrors) {
    TempDir dir;
    const auto path = (dir.path / "f").string();
    EXPECT_EQ(read_file(path, 10).error().code, Errc::not_found);
    ASSERT_TRUE(replace_file(path, "hello world"));
    EXPECT_EQ(read_file(path, 5).value(), "hello");
    EXPECT_EQ(read_file(path, 100).value(), "hello world");
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    EXPECT_EQ(read_file(dir.path.string(), 10).error().code, Errc::bad_request);
    const auto fifo = (dir.path / "fifo").string();
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_EQ(read_file(fifo, 10).error().code, Errc::bad_request);
    EXPECT_FALSE(replace_file((dir.path / "no/such").string(), "x"));
    EXPECT_FALSE(read_file("/proc/meminfo", 1 << 20).value().empty());
}

TEST(Files, DescriptorsAreNotInherited) {
    const auto made = pipe_cloexec();
    ASSERT_TRUE(made);
    EXPECT_NE(::fcntl(made->read.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_NE(::fcntl(made->write.get(), F_GETFD) & FD_CLOEXEC, 0);
    const auto file = open_cloexec("/dev/null", O_RDONLY);
    ASSERT_TRUE(file);
    EXPECT_NE(::fcntl(file->get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Os, RandomAndClock) {
    std::array<std::uint8_t, 32> a{}, b{};
    ASSERT_TRUE(random_bytes(a));
    ASSERT_TRUE(random_bytes(b));
    EXPECT_NE(a, b);
    EXPECT_GT(unix_ms(), 1'700'000'000'000U);
}

TEST(Program, FoundInPathOnly) {
    TempDir dir;
    put(dir.path / "bin/tool", "#!/bin/sh\n");
    put(dir.path / "bin/data", "x");
    fs::permissions(dir.path / "bin/tool", fs::perms::owner_all);
    const auto env =
        env_of({{"PATH", ":relative:" + (dir.path / "none").string() + ":" + (dir.path / "bin").string()}});
    EXPECT_EQ(find_program(env, "tool"), (dir.path / "bin/tool").string());
    EXPECT_EQ(find_program(env, "data"), "");
    EXPECT_EQ(find_program(env, "absent"), "");
    EXPECT_EQ(find_program(env, (dir.path / "bin/tool").string()), (dir.path / "bin/tool").string());
    EXPECT_EQ(find_program(env, dir.path.string() + "/bin"), "");
}

TEST(Machine, ProgressOfAProcess) {
    const auto before = progress(::getpid());
    ASSERT_TRUE(before);
    // Until the clock of the kernel, which counts in hundredths of a second, has seen it.
    volatile std::uint64_t work = 0;
    for (int i = 0; i < 100'000 && progress(::getpid()) == before; ++i) {
        for (int j = 0; j < 10'000; ++j) work = work + 1;
    }
    EXPECT_GT(*progress(::getpid()), *before);
    EXPECT_EQ(progress(0x7fffffff), std::nullopt);
    EXPECT_EQ(progress(-1), std::nullopt);
}

}  // namespace
}  // namespace lc::sys
