#include "shell/store/learned_db.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace lc::store {

namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "lc-learned-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string db() const { return (path / "prefix.db").string(); }
};

}  // namespace

TEST(Learned, IsThereAfterOpeningAgain) {
    const Folder folder;
    {
        auto db = open_learned(folder.db(), {});
        ASSERT_TRUE(db);
        EXPECT_TRUE(save_learned(db->get(), {"tools", "a", "1"}, 10));
        EXPECT_TRUE(save_learned(db->get(), {"tools", "b", "2"}, 20));
        EXPECT_TRUE(save_learned(db->get(), {"tools", "a", "3"}, 30));
        EXPECT_TRUE(save_learned(db->get(), {"session", "a", "4"}, 5));
        EXPECT_TRUE(save_learned(db->get(), {"session", "x", "5"}, 6));
        EXPECT_TRUE(remove_learned(db->get(), "session", "x"));
    }
    struct stat info {};
    ASSERT_EQ(::stat(folder.db().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    auto db = open_learned(folder.db(), {});
    ASSERT_TRUE(db);
    auto rows = load_learned(db->get(), 10);
    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->size(), 3u);
    EXPECT_EQ((*rows)[0].kind, "session");
    EXPECT_EQ((*rows)[2].value, "3");
    rows = load_learned(db->get(), 1);
    ASSERT_TRUE(rows);
    EXPECT_EQ(rows->size(), 2u) << "one of each kind, the one used last";
    EXPECT_EQ(rows->back().key, "a");
}

TEST(Learned, DamageAndNewerVersionsAreSetAside) {
    const Folder folder;
    std::ofstream(folder.db()) << "this is no database at all, and it is long enough to be looked at as one";
    std::string said;
    auto db = open_learned(folder.db(), [&](std::string text) { said = std::move(text); });
    ASSERT_TRUE(db);
    EXPECT_NE(said.find("damaged"), std::string::npos);
    EXPECT_TRUE(execute(db->get(), "PRAGMA user_version = 99"));
    db = tl::unexpected(SqlError{});
    auto again = open_learned(folder.db(), [&](std::string text) { said = std::move(text); });
    ASSERT_TRUE(again);
    EXPECT_NE(said.find("v99"), std::string::npos);
    const auto rows = load_learned(again->get(), 10);
    ASSERT_TRUE(rows);
    EXPECT_TRUE(rows->empty());
}

}  // namespace lc::store
