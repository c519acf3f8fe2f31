#include "core/hub/record.hpp"

#include <gtest/gtest.h>

namespace lc::hub {
namespace {

TEST(Record, RoundTrip) {
    const Choice split{
        "Q4_0", {{"a/m-1.gguf", 5'000'000'000, std::string(64, 'a')}, {"a/m-2.gguf", 2, ""}}, {{"mmproj.gguf", 3, ""}}};
    EXPECT_EQ(parse_record(to_json(split)), split);
    const Choice odd{"", {{"\"quoted\" \xc3\xa9.gguf", 0, ""}}, {}};
    EXPECT_EQ(parse_record(to_json(odd)), odd);
    const PartNote note{std::string(64, 'b'), "\"e\"", 77};
    EXPECT_EQ(parse_part_note(to_json(note)), note);
}

TEST(Record, Doubt) {
    const struct {
        const char* name;
        const char* text;
    } cases[] = {
        {"empty", ""},
        {"torn", R"({"version":1,"quant":"Q4)"},
        {"newer", R"({"version":2,"quant":"","files":[{"path":"m.gguf","size":1,"sha256":""}],"projector":[]})"},
        {"no files", R"({"version":1,"quant":"","files":[],"projector":[]})"},
        {"outside", R"({"version":1,"quant":"","files":[{"path":"../m.gguf","size":1,"sha256":""}],"projector":[]})"},
        {"projector outside",
         R"({"version":1,"quant":"","files":[{"path":"m.gguf","size":1,"sha256":""}],"projector":[{"path":"/m.gguf","size":1,"sha256":""}]})"},
        {"negative size",
         R"({"version":1,"quant":"","files":[{"path":"m.gguf","size":-1,"sha256":""}],"projector":[]})"},
        {"other types", R"({"version":1,"quant":"","files":{},"projector":[]})"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_FALSE(parse_record(c.text));
        EXPECT_FALSE(parse_part_note(c.text));
    }
    EXPECT_TRUE(
        parse_record(R"({"version":1,"quant":"","files":[{"path":"m.gguf","size":1,"sha256":""}],"projector":[]})"));
}

}  // namespace
}  // namespace lc::hub
