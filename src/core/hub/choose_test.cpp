#include "core/hub/choose.hpp"

#include <gtest/gtest.h>

namespace lc::hub {
namespace {

using Paths = std::vector<std::string>;

std::vector<RepoFile> files_of(const Paths& paths) {
    std::vector<RepoFile> out;
    for (const auto& path : paths) out.push_back({path, 10, {}});
    return out;
}

Paths paths_of(const std::vector<RepoFile>& files) {
    Paths out;
    for (const auto& file : files) out.push_back(file.path);
    return out;
}

Spec ask(std::string quant, std::string file = {}) {
    return {"o", "r", std::move(quant), std::move(file)};
}

TEST(Choose, Found) {
    const struct {
        const char* name;
        Paths in;
        Spec spec;
        const char* quant;
        Paths files, projector;
    } cases[] = {
        {"by quant, any case", {"m-Q4_0.gguf", "m-Q8_0.gguf"}, ask("q8_0"), "Q8_0", {"m-Q8_0.gguf"}, {}},
        {"default: Q4_K_M", {"m-Q8_0.gguf", "m-Q4_0.gguf", "m-q4_k_m.gguf"}, ask(""), "Q4_K_M", {"m-q4_k_m.gguf"}, {}},
        {"default: Q4_0 next", {"m-Q8_0.gguf", "m-Q4_0.gguf"}, ask(""), "Q4_0", {"m-Q4_0.gguf"}, {}},
        {"default: then Q8_0", {"m-Q8_0.gguf", "m-F16.gguf"}, ask(""), "Q8_0", {"m-Q8_0.gguf"}, {}},
        {"the only one, whatever it is", {"m-IQ1_S.gguf"}, ask(""), "IQ1_S", {"m-IQ1_S.gguf"}, {}},
        {"the only one, without a quant in its name", {"model.gguf"}, ask(""), "", {"model.gguf"}, {}},
        {"split, in any order",
         {"m-Q4_0-00002-of-00002.gguf", "m-Q4_0-00001-of-00002.gguf"},
         ask("Q4_0"),
         "Q4_0",
         {"m-Q4_0-00001-of-00002.gguf", "m-Q4_0-00002-of-00002.gguf"},
         {}},
        {"whole before split",
         {"m-Q4_0-00001-of-00002.gguf", "m-Q4_0-00002-of-00002.gguf", "m-Q4_0.gguf"},
         ask("Q4_0"),
         "Q4_0",
         {"m-Q4_0.gguf"},
         {}},
        {"folder per quant",
         {"Q8_0/m-00001-of-00001.gguf", "Q4_0/m.gguf"},
         ask("Q8_0"),
         "Q8_0",
         {"Q8_0/m-00001-of-00001.gguf"},
         {}},
        {"variant where it is the only one",
         {"m-UD-Q4_K_XL.gguf", "m-Q8_0.gguf"},
         ask("Q4_K_XL"),
         "UD-Q4_K_XL",
         {"m-UD-Q4_K_XL.gguf"},
         {}},
        {"plain before variant", {"m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"}, ask("Q4_K_M"), "Q4_K_M", {"m-Q4_K_M.gguf"}, {}},
        {"projector: f16 preferred",
         {"m-Q4_0.gguf", "mmproj-m-Q8_0.gguf", "mmproj-m-f16.gguf", "mmproj-m-BF16.gguf"},
         ask(""),
         "Q4_0",
         {"m-Q4_0.gguf"},
         {"mmproj-m-f16.gguf"}},
        {"projector: any rather than none",
         {"m-Q4_0.gguf", "mmproj.gguf"},
         ask(""),
         "Q4_0",
         {"m-Q4_0.gguf"},
         {"mmproj.gguf"}},
        {"projector's quant is not the model's",
         {"m-Q4_0.gguf", "mmproj-Q8_0.gguf"},
         ask("Q4_0"),
         "Q4_0",
         {"m-Q4_0.gguf"},
         {"mmproj-Q8_0.gguf"}},
        {"statistics are no model", {"m-Q6_K.gguf", "imatrix.gguf"}, ask(""), "Q6_K", {"m-Q6_K.gguf"}, {}},
        {"by file", {"a-Q4_0.gguf", "b-Q4_0.gguf"}, ask("", "b-Q4_0.gguf"), "Q4_0", {"b-Q4_0.gguf"}, {}},
        {"by one part of a split file",
         {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "n.gguf"},
         ask("", "m-00001-of-00002.gguf"),
         "",
         {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"},
         {}},
        {"listed twice", {"m-Q4_0.gguf", "m-Q4_0.gguf"}, ask("Q4_0"), "Q4_0", {"m-Q4_0.gguf"}, {}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto choice = choose(files_of(c.in), c.spec);
        ASSERT_TRUE(choice) << choice.error().detail;
        EXPECT_EQ(choice->quant, c.quant);
        EXPECT_EQ(paths_of(choice->files), c.files);
        EXPECT_EQ(paths_of(choice->projector), c.projector);
    }
}

TEST(Choose, NotFound) {
    const struct {
        const char* name;
        Paths in;
        Spec spec;
        Errc code;
        const char* says;
    } cases[] = {
        {"empty repository", {}, ask(""), Errc::not_found, "holds no GGUF model"},
        {"only a projector", {"mmproj-f16.gguf"}, ask(""), Errc::not_found, "holds no GGUF model"},
        {"nearest quants, nearest first",
         {"m-Q8_0.gguf", "m-Q5_K_S.gguf", "m-Q5_K_M.gguf"},
         ask("q5_k_x"),
         Errc::not_found,
         "has no q5_k_x; nearest: Q5_K_M, Q5_K_S, Q8_0"},
        {"the projector's quant is no model's",
         {"m-Q4_0.gguf", "mmproj-Q8_0.gguf"},
         ask("Q8_0"),
         Errc::not_found,
         "nearest: Q4_0"},
        {"no such file", {"a.gguf", "abc.gguf"}, ask("", "abd.gguf"), Errc::not_found, "nearest: abc.gguf"},
        {"a part is missing in the middle",
         {"m-Q4_0-00001-of-00003.gguf", "m-Q4_0-00003-of-00003.gguf"},
         ask("Q4_0"),
         Errc::not_found,
         "lacks part 2 of 3"},
        {"the last part is missing", {"m-Q4_0-00001-of-00002.gguf"}, ask("Q4_0"), Errc::not_found, "lacks part 2 of 2"},
        {"two models of one quant", {"a-Q4_0.gguf", "b-Q4_0.gguf"}, ask("Q4_0"), Errc::bad_request, "o/r:a-Q4_0.gguf"},
        {"two models of the default quant",
         {"a-Q4_0.gguf", "b-Q4_0.gguf"},
         ask(""),
         Errc::bad_request,
         "several models in Q4_0"},
        {"nothing to prefer", {"a.gguf", "b.gguf"}, ask(""), Errc::bad_request, "a.gguf, b.gguf"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto choice = choose(files_of(c.in), c.spec);
        ASSERT_FALSE(choice);
        EXPECT_EQ(choice.error().code, c.code);
        EXPECT_NE(choice.error().detail.find(c.says), std::string::npos) << choice.error().detail;
    }
}

}  // namespace
}  // namespace lc::hub
