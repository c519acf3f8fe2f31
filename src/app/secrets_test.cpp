#include "app/secrets.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace lc {

namespace {

class SecretsTest : public ::testing::Test {
  protected:
    void SetUp() override {
        path = std::filesystem::temp_directory_path() / ("localcode-secret-" + std::to_string(::getpid()));
    }
    void TearDown() override { std::filesystem::remove(path); }
    void write(const std::string& text, mode_t mode) {
        std::ofstream(path, std::ios::binary) << text;
        ASSERT_EQ(chmod(path.c_str(), mode), 0);
    }
    Result<std::string> resolve(const std::string& spec) {
        return resolve_secret({spec}, [this](std::string_view line) { warnings.emplace_back(line); });
    }

    std::filesystem::path path;
    std::vector<std::string> warnings;
};

}  // namespace

TEST_F(SecretsTest, Environment) {
    ASSERT_EQ(setenv("LC_TEST_SECRET", "from-env", 1), 0);
    EXPECT_EQ(resolve("env:LC_TEST_SECRET").value(), "from-env");
    ASSERT_EQ(setenv("LC_TEST_SECRET", "", 1), 0);
    EXPECT_EQ(resolve("env:LC_TEST_SECRET").error().detail, "the environment variable LC_TEST_SECRET is empty");
    ASSERT_EQ(setenv("LC_TEST_SECRET", "s3cret\r\nX: y", 1), 0);
    const auto bad = resolve("env:LC_TEST_SECRET");
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().detail.find("s3cret"), std::string::npos);
    ASSERT_EQ(unsetenv("LC_TEST_SECRET"), 0);
    EXPECT_EQ(resolve("env:LC_TEST_SECRET").error().detail, "the environment variable LC_TEST_SECRET is not set");
    EXPECT_FALSE(resolve("env:"));
}

TEST_F(SecretsTest, File) {
    write("from-file\nsecond line\n", 0600);
    EXPECT_EQ(resolve("file:" + path.string()).value(), "from-file");
    EXPECT_TRUE(warnings.empty());
    write("from-file\r\n", 0644);
    EXPECT_EQ(resolve("file:" + path.string()).value(), "from-file");
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].find("chmod 600"), std::string::npos);
    write("\n", 0600);
    EXPECT_FALSE(resolve("file:" + path.string()));
    EXPECT_NE(resolve("file:/no/such/file").error().detail.find("/no/such/file"), std::string::npos);
}

TEST_F(SecretsTest, Text) {
    EXPECT_EQ(resolve("plain").value(), "plain");
    EXPECT_FALSE(resolve(""));
}

}  // namespace lc
