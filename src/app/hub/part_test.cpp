#include "app/hub/part.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "app/hub/fetch.hpp"

namespace lc::hub {
namespace {

namespace fs = std::filesystem;

struct TempDir {
    fs::path path;
    TempDir() {
        std::string name = (fs::temp_directory_path() / "lc-hub-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~TempDir() { fs::remove_all(path); }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
};

std::string read(const fs::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

Part open_it(const std::string& path) {
    auto part = open_part(path);
    if (!part || !*part) throw std::runtime_error("the part should open");
    return std::move(**part);
}

TEST(Part, GrowsAndGetsItsName) {
    const TempDir dir;
    const std::string path = dir.path / "m.gguf";
    Part part = open_it(path);
    EXPECT_FALSE(read_note(part));
    ASSERT_TRUE(write_note(part, {"", "\"e\"", 6}));
    ASSERT_TRUE(append(part, "abc"));
    ASSERT_TRUE(append(part, "def"));
    EXPECT_EQ(read(path + ".part"), "abcdef");
    EXPECT_EQ(hex(part.hash.finish()), hex(sha256("abcdef")));
    EXPECT_FALSE(file_size(path));
    ASSERT_TRUE(finish(part));
    EXPECT_EQ(read(path), "abcdef");
    EXPECT_EQ(file_size(path), 6);
    EXPECT_FALSE(fs::exists(path + ".part") || fs::exists(path + ".part.json"));
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(Part, IsTakenUp) {
    const TempDir dir;
    const std::string path = dir.path / "m.gguf";
    {
        Part part = open_it(path);
        ASSERT_TRUE(append(part, "abcdef"));
        ASSERT_TRUE(write_note(part, {"s", "", 9}));
    }
    Part part = open_it(path);
    EXPECT_EQ(part.size, 6);
    EXPECT_EQ(part.hashed, 0);
    EXPECT_EQ(read_note(part), (PartNote{"s", "", 9}));
    EXPECT_EQ(hash_some(part, 4), 4);
    EXPECT_EQ(hash_some(part, 4), 2);
    EXPECT_EQ(hash_some(part, 4), 0);
    ASSERT_TRUE(append(part, "ghi"));
    EXPECT_EQ(read(path + ".part"), "abcdefghi");
    EXPECT_EQ(hex(part.hash.finish()), hex(sha256("abcdefghi")));
}

TEST(Part, IsEmptied) {
    const TempDir dir;
    const std::string path = dir.path / "m.gguf";
    Part part = open_it(path);
    ASSERT_TRUE(append(part, "abc"));
    ASSERT_TRUE(write_note(part, {"s", "", 9}));
    ASSERT_TRUE(clear(part));
    EXPECT_FALSE(read_note(part));
    ASSERT_TRUE(append(part, "x"));
    EXPECT_EQ(read(path + ".part"), "x");
    EXPECT_EQ(hex(part.hash.finish()), hex(sha256("x")));
}

TEST(Part, BelongsToOneAtATime) {
    const TempDir dir;
    const std::string path = dir.path / "m.gguf";
    {
        const Part first = open_it(path);
        const auto second = open_part(path);
        ASSERT_TRUE(second);
        EXPECT_FALSE(*second) << "also within one process";
    }
    Part part = open_it(path);
    ASSERT_TRUE(append(part, "abc"));
    ASSERT_TRUE(finish(part));
    const Part next = open_it(path);
    EXPECT_EQ(next.size, 0) << "a finished file is not reopened under its old name";
    EXPECT_EQ(read(path), "abc");
}

TEST(Part, IsNoLinkAndNoFolder) {
    const TempDir dir;
    const std::string path = dir.path / "m.gguf";
    std::ofstream(dir.path / "target") << "precious";
    fs::create_symlink(dir.path / "target", path + ".part");
    EXPECT_FALSE(open_part(path));
    fs::remove(path + ".part");
    fs::create_directory(path + ".part");
    EXPECT_FALSE(open_part(path));
    EXPECT_EQ(read(dir.path / "target"), "precious");
    EXPECT_FALSE(file_size(path + ".part")) << "a folder has no size";
    EXPECT_FALSE(open_part(dir.path / "missing" / "m.gguf"));
}

TEST(Hashing, InPieces) {
    const TempDir dir;
    const std::string path = dir.path / "m.gguf";
    std::ofstream(path) << "abcdefghi";
    auto hashing = start_hashing(path);
    ASSERT_TRUE(hashing);
    EXPECT_EQ(hashing->size, 9);
    while (hash_some(*hashing, 4).value() > 0) {
    }
    EXPECT_EQ(hashing->hashed, 9);
    EXPECT_EQ(hex(hashing->hash.finish()), hex(sha256("abcdefghi")));
    EXPECT_FALSE(start_hashing(dir.path / "missing"));
}

TEST(Disk, Free) {
    const TempDir dir;
    EXPECT_GT(disk_free(dir.path).value(), 0);
    EXPECT_FALSE(disk_free(dir.path / "missing"));
}

TEST(Env, FromTheEnvironment) {
    using Values = std::map<std::string, std::string, std::less<>>;
    const auto from = [](Values values) {
        return env_from(
            [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
                const auto it = values.find(name);
                return it == values.end() ? std::nullopt : std::optional(it->second);
            },
            "/c");
    };
    EXPECT_EQ(from({})->endpoint, "https://huggingface.co");
    EXPECT_EQ(from({})->token, "");
    EXPECT_EQ(from({})->cache_dir, "/c");
    EXPECT_EQ(from({{"HF_ENDPOINT", "http://mirror"}})->endpoint, "http://mirror");
    EXPECT_EQ(from({{"HF_TOKEN", " hf_abc\r\n"}})->token, "hf_abc");
    EXPECT_EQ(from({{"HF_TOKEN", "\n"}})->token, "");
    for (const char* bad : {"hf\nX-Other: 1", "hf abc", "hf_\xc3\xa9"}) {
        const auto env = from({{"HF_TOKEN", bad}});
        ASSERT_FALSE(env);
        EXPECT_EQ(env.error().code, Errc::bad_request);
        EXPECT_EQ(env.error().detail.find("abc"), std::string::npos) << "the token is a secret, a broken one too";
    }
}

TEST(Find, OnlyWhatIsComplete) {
    const TempDir dir;
    EXPECT_EQ(find_model("nonsense", dir.path).error().code, Errc::bad_request);
    EXPECT_EQ(find_model("o/r", dir.path).error().code, Errc::not_found);
    const fs::path repo = dir.path / "models/hf/o/r";
    fs::create_directories(repo);
    std::ofstream(repo / ".localcode.json")
        << R"({"version":1,"quant":"Q4_0","files":[{"path":"m.gguf","size":3,"sha256":""}],"projector":[]})";
    EXPECT_EQ(find_model("o/r", dir.path).error().code, Errc::not_found);
    std::ofstream(repo / "m.gguf") << "abc";
    const auto model = find_model("o/r", dir.path);
    ASSERT_TRUE(model) << model.error().detail;
    EXPECT_EQ(model->path, (repo / "m.gguf").string());
    EXPECT_EQ(model->quant, "Q4_0");
    EXPECT_EQ(model->projector, "");
    EXPECT_EQ(find_model("o/r:Q8_0", dir.path).error().code, Errc::not_found);
}

}  // namespace
}  // namespace lc::hub
