#include "core/hub/listing.hpp"

#include <gtest/gtest.h>

namespace lc::hub {
namespace {

const std::string sum(64, 'a');

TEST(Listing, Parse) {
    const auto files = parse_listing(R"([
        {"type":"directory","path":"Q8_0","size":0,"oid":"1"},
        {"type":"directory","path":"odd.gguf","size":0,"oid":"1"},
        {"type":"file","path":"../README.md","size":12,"oid":"2"},
        {"type":"file","path":"small.gguf","size":77,"oid":"3"},
        {"type":"file","path":"Q8_0/big.gguf","size":134,"oid":"4","xetHash":"x",
         "lfs":{"oid":")" + std::string(64, 'A') +
                                     R"(","size":5000000000,"pointerSize":134},"unknown":[{}]}])");
    ASSERT_TRUE(files) << files.error().detail;
    ASSERT_EQ(files->size(), 2U);
    EXPECT_EQ((*files)[0], (RepoFile{"small.gguf", 77, ""}));
    EXPECT_EQ((*files)[1], (RepoFile{"Q8_0/big.gguf", 5'000'000'000, sum}));
    EXPECT_EQ(parse_listing("[]")->size(), 0U);
}

TEST(Listing, Refuses) {
    const auto entry = [](const std::string& path, const std::string& rest) {
        return R"([{"type":"file","path":")" + path + "\"" + rest + "}]";
    };
    const struct {
        const char* name;
        std::string json;
        const char* says;
    } cases[] = {
        {"nothing", "", "not JSON"},
        {"page of a proxy", "<html>", "not JSON"},
        {"object", R"({"error":"x"})", "not a list"},
        {"number in it", "[1]", "not an object"},
        {"cut", R"([{"type":"file")", "not JSON"},
        {"deep", std::string(1000, '['), "not JSON"},
        {"traversal", entry("../../x.gguf", R"(,"size":1)"), "may be written here"},
        {"absolute", entry("/x.gguf", R"(,"size":1)"), "may be written here"},
        {"backslash", entry("..\\\\x.gguf", R"(,"size":1)"), "may be written here"},
        {"no size", entry("x.gguf", ""), "no size"},
        {"negative size", entry("x.gguf", R"(,"size":-1)"), "no size"},
        {"size as text", entry("x.gguf", R"(,"size":"1")"), "no size"},
        {"size beyond all disks", entry("x.gguf", R"(,"size":9223372036854775807)"), "no size"},
        {"short checksum", entry("x.gguf", R"(,"size":1,"lfs":{"oid":"abc","size":1})"), "SHA-256"},
        {"no checksum", entry("x.gguf", R"(,"size":1,"lfs":{"size":1})"), "SHA-256"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto files = parse_listing(c.json);
        ASSERT_FALSE(files);
        EXPECT_EQ(files.error().code, Errc::upstream_error);
        EXPECT_NE(files.error().detail.find(c.says), std::string::npos) << files.error().detail;
    }
}

TEST(Listing, NextLink) {
    const struct {
        const char* name;
        const char* header;
        const char* want;
    } cases[] = {
        {"next", R"(<https://h/api?cursor=a,b>; rel="next")", "https://h/api?cursor=a,b"},
        {"relative", R"(</api?cursor=x>; rel="next")", "/api?cursor=x"},
        {"token form", "<u>; rel=next", "u"},
        {"any case", R"(<u>; Rel="NEXT")", "u"},
        {"second of two", R"(<a>; rel="prev", <b>; title="x"; rel="next")", "b"},
        {"only another", R"(<a>; rel="prev")", ""},
        {"none", "", ""},
        {"garbled", "<a", ""},
        {"garbled too", "a>; rel=next", ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(next_link(c.header), c.want);
    }
}

}  // namespace
}  // namespace lc::hub
