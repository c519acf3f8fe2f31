#include "shell/process/detached.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "shell/sys/fd.hpp"
#include "shell/sys/os.hpp"

namespace lc::process {
namespace {

struct Folder {
    std::string path;
    Folder() {
        char name[] = "/tmp/lc-detached-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

TEST(Detached, HasASessionOfItsOwnAndALog) {
    const Folder folder;
    const auto log = folder.path + "/log";
    const auto pid = start_detached("/bin/sh", {"-c", "echo out; echo err >&2; cut -d' ' -f4,6 /proc/$$/stat; echo pid $$; cat"}, log);
    ASSERT_TRUE(pid) << pid.error().detail;
    ASSERT_TRUE(sys::wait_for_exit(*pid, 60'000)) << "cat ends because its input is empty";
    const auto text = sys::read_file(log, 1 << 16).value();
    EXPECT_TRUE(text.starts_with("out\nerr\n")) << text;
    EXPECT_TRUE(text.ends_with("pid " + std::to_string(*pid) + "\n")) << text;
    const auto parent = text.substr(8, text.find(' ', 8) - 8);
    EXPECT_NE(parent, std::to_string(::getpid())) << "no child of ours";
    EXPECT_EQ(text.find(std::to_string(::getsid(0)) + "\npid"), std::string::npos) << "not our session: " << text;
    struct stat info {};
    ASSERT_EQ(::stat(log.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(Detached, AProgramThatIsNotThere) {
    const Folder folder;
    const auto pid = start_detached(folder.path + "/nothing", {}, folder.path + "/log");
    ASSERT_FALSE(pid);
    EXPECT_EQ(pid.error().code, Errc::not_found);
}

TEST(Foreground, StatusAndSignal) {
    EXPECT_EQ(run_in_foreground("/bin/sh", {"-c", "exit $N"}, {"N=7"}).value(), 7);
    EXPECT_EQ(run_in_foreground("/bin/sh", {"-c", "kill -INT $$"}, {}).value(), 128 + SIGINT) << "it has the default again";
    EXPECT_EQ(run_in_foreground("/no/such", {}, {}).error().code, Errc::not_found);
    EXPECT_EQ(become("/no/such", {}, {}).code, Errc::not_found);
}

}  // namespace
}  // namespace lc::process
