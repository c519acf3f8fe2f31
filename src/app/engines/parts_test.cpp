// The parts of a start that need no process: program and template lookup, model headers, what an engine says of itself.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "app/engines/prepare.hpp"
#include "app/engines/probe.hpp"
#include "app/engines/program.hpp"
#include "core/gguf/testing.hpp"

namespace lc::engines {
namespace {

namespace fs = std::filesystem;
using gguf::testing::small_llama;

struct TempDir {
    fs::path path;
    TempDir() {
        std::string name = (fs::temp_directory_path() / "lc-engines-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~TempDir() { fs::remove_all(path); }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    std::string put(const std::string& name, std::string_view text, bool executable = false) const {
        fs::create_directories((path / name).parent_path());
        std::ofstream(path / name) << text;
        if (executable) fs::permissions(path / name, fs::perms::owner_all);
        return (path / name).string();
    }
};

sys::Env env_of(std::map<std::string, std::string> values) {
    return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
        const auto it = values.find(std::string(name));
        return it == values.end() ? std::nullopt : std::optional(it->second);
    };
}

config::Model model(const std::string& path) {
    config::Model m;
    m.name = "m";
    m.path = path;
    return m;
}

TEST(FindEngine, Order) {
    TempDir dir;
    const auto exe = dir.put("prefix/bin/localcode", "", true);
    const auto on_path = dir.put("path/llama-server", "", true);
    const auto env = env_of({{"PATH", (dir.path / "path").string()}});
    EXPECT_EQ(find_engine(env, exe, "")->path, on_path);
    EXPECT_FALSE(find_engine(env, exe, "")->ours);
    const auto in_build = dir.put("prefix/engine/localcode-engine", "", true);
    EXPECT_EQ(find_engine(env, exe, "")->path, in_build);
    const auto installed = dir.put("prefix/libexec/localcode/localcode-engine", "", true);
    EXPECT_EQ(find_engine(env, exe, "")->path, installed);
    EXPECT_TRUE(find_engine(env, exe, "")->ours);
    const auto other = dir.put("other/localcode-engine-cuda", "", true);
    const auto with_variable = env_of({{"LOCALCODE_ENGINE", other}, {"PATH", ""}});
    EXPECT_EQ(find_engine(with_variable, exe, "")->path, other);
    EXPECT_TRUE(find_engine(with_variable, exe, "")->ours);
    EXPECT_EQ(find_engine(with_variable, exe, on_path)->path, on_path);
    EXPECT_EQ(find_engine(env, exe, "llama-server")->path, on_path) << "a configured name is looked up in PATH";
}

TEST(FindEngine, ErrorsTable) {
    TempDir dir;
    const auto exe = dir.put("bin/localcode", "", true);
    const auto plain = dir.put("plain", "");
    const struct {
        const char* name;
        std::map<std::string, std::string> env;
        std::string configured;
        const char* says;
    } cases[] = {
        {"configured, missing", {}, "/nonexistent/engine", "/nonexistent/engine"},
        {"configured, not executable", {}, plain, "not an executable"},
        {"variable, missing", {{"LOCALCODE_ENGINE", "/nonexistent"}}, "", "LOCALCODE_ENGINE"},
        {"nothing anywhere", {{"PATH", dir.path.string()}}, "", "libexec/localcode/localcode-engine"},
        {"nothing anywhere: what to do", {{"PATH", dir.path.string()}}, "", "set `engine`"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto found = find_engine(env_of(c.env), exe, c.configured);
        ASSERT_FALSE(found);
        EXPECT_EQ(found.error().code, Errc::model_load_failed);
        EXPECT_NE(found.error().detail.find(c.says), std::string::npos) << found.error().detail;
    }
}

TEST(FileNames, Table) {
    EXPECT_EQ(file_name_of("smollm2"), "smollm2");
    EXPECT_EQ(file_name_of("Qwen2.5-7B_Q4"), "Qwen2.5-7B_Q4");
    EXPECT_TRUE(file_name_of("org/model").starts_with("org_model-"));
    EXPECT_NE(file_name_of("org/model"), file_name_of("org_model"));
    EXPECT_NE(file_name_of("org/model"), file_name_of("org:model"));
    EXPECT_EQ(file_name_of("../../etc/passwd").find('/'), std::string::npos);
    EXPECT_TRUE(file_name_of(".hidden").starts_with("_hidden-"));
    EXPECT_FALSE(file_name_of("").empty());
    EXPECT_LT(file_name_of(std::string(5000, 'x')).size(), 120U);
}

TEST(Environment, KeysStayHere) {
    for (const auto* name :
         {"ZAI_API_KEY", "HF_TOKEN", "AWS_SECRET", "LLAMA_ARG_HOST", "LLAMA_API_KEY", "DB_PASSWORD"}) {
        EXPECT_FALSE(engine_inherits(name)) << name;
    }
    for (const auto* name :
         {"PATH", "HOME", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "GGML_VK_VISIBLE_DEVICES", "OMP_NUM_THREADS"}) {
        EXPECT_TRUE(engine_inherits(name)) << name;
    }
}

TEST(Header, ReadOnceAndAgainWhenChanged) {
    TempDir dir;
    const auto path = dir.put("m.gguf", small_llama().bytes());
    const auto first = read_header(model(path), nullptr);
    ASSERT_TRUE(first) << first.error().detail;
    EXPECT_EQ((*first)->info.context_train, 8192);
    EXPECT_EQ((*first)->file_bytes, static_cast<std::int64_t>(fs::file_size(path)));
    EXPECT_EQ(read_header(model(path), *first)->get(), first->get());
    dir.put("m.gguf", small_llama().u32("x.y", 1).bytes());
    const auto second = read_header(model(path), *first);
    ASSERT_TRUE(second);
    EXPECT_NE(second->get(), first->get());
}

TEST(Header, LargerThanTheFirstRead) {
    TempDir dir;
    auto builder = small_llama();
    builder.texts("tokenizer.ggml.merges", std::vector<std::string>(200'000, "abcdefgh"));
    const auto path = dir.put("m.gguf", builder.bytes());
    ASSERT_GT(fs::file_size(path), 2U << 20);
    EXPECT_TRUE(read_header(model(path), nullptr));
}

TEST(Header, PartsAreCounted) {
    TempDir dir;
    const auto first = dir.put("m-00001-of-00002.gguf", small_llama().u32("split.count", 2).bytes());
    EXPECT_NE(read_header(model(first), nullptr).error().detail.find("m-00002-of-00002.gguf does not exist"),
              std::string::npos);
    dir.put("m-00002-of-00002.gguf", std::string(1000, 'x'));
    EXPECT_EQ((*read_header(model(first), nullptr))->file_bytes,
              static_cast<std::int64_t>(fs::file_size(first)) + 1000);
    const auto alone = dir.put("alone.gguf", small_llama().u32("split.count", 2).bytes());
    EXPECT_NE(read_header(model(alone), nullptr).error().detail.find("first part"), std::string::npos);
}

TEST(Header, ErrorsTable) {
    TempDir dir;
    const auto whole = small_llama().bytes();
    config::Model hub;
    hub.name = "h";
    hub.hf = "org/repo:Q4";
    const struct {
        const char* name;
        config::Model model;
        const char* says;
    } cases[] = {
        {"missing", model((dir.path / "none.gguf").string()), "does not exist"},
        {"a folder", model(dir.path.string()), "not a file"},
        {"text", model(dir.put("text.gguf", "hello world")), "not a GGUF"},
        {"empty", model(dir.put("empty.gguf", "")), "truncated"},
        {"cut in the header", model(dir.put("cut.gguf", whole.substr(0, 200))),
         "ends inside its header after 200 bytes"},
        {"cut in the data", model(dir.put("data.gguf", whole.substr(0, whole.size() - 100))), "truncated: it has"},
        {"not downloaded", hub, "org/repo:Q4"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto header = read_header(c.model, nullptr);
        ASSERT_FALSE(header);
        EXPECT_EQ(header.error().code, Errc::model_load_failed);
        EXPECT_NE(header.error().detail.find(c.says), std::string::npos) << header.error().detail;
    }
}

TEST(Template, ChoiceTable) {
    TempDir dir;
    const auto folder = (dir.path / "templates").string();
    dir.put("templates/Qwen-Qwen2.5-7B-Instruct.jinja", "{{ tools }}QWEN");
    dir.put("templates/plain.jinja", "no such thing");
    const auto own_file = dir.put("own.jinja", "{{ tools }}");
    const auto with_template = [](std::string text) {
        gguf::Info info;
        info.chat_template = std::move(text);
        return info;
    };
    auto named = with_template("<|im_start|>");
    named.chat_template_tools = "{{ tools }}";
    auto embedding = with_template("");
    embedding.pooling = "mean";
    const struct {
        const char* name;
        std::string configured, folder;
        gguf::Info info;
        std::string file, content, note, problem;
    } cases[] = {
        {"renders tools itself", "", folder, with_template("{% for t in tools %}{% endfor %}"), "", "", "", ""},
        {"has a second one for tools", "", folder, named, "", "", "", ""},
        {"embedding model", "", folder, embedding, "", "", "", ""},
        {"ChatML without tools", "", folder, with_template("OWN<|im_start|>"), "/state/m.jinja",
         "{{ tools }}QWEN{{ \"\" }}{% else %}{{ \"\" }}OWN", "Qwen-Qwen2.5", ""},
        {"no template at all", "", folder, with_template(""), "/state/m.jinja", "add_generation_prompt",
         "brings no chat template", ""},
        {"Gemma: our own", "", "", with_template("<start_of_turn>"), "/state/m.jinja", "<tool_call>",
         "Gemma template with tools", ""},
        {"a family without one", "", folder, with_template("<|user|><|assistant|><|end|>"), "", "",
         "requests with tools are refused", "(Phi)"},
        {"unknown family", "", folder, with_template("### Instruction:"), "", "", "are refused", "set chat_template"},
        {"folder not found", "", "", with_template("<|im_start|>"), "", "", "are refused", "LOCALCODE_TEMPLATES"},
        {"file of the family missing", "", folder, with_template("<|start_header_id|>"), "", "", "are refused",
         "Llama-3.1"},
        {"configured file", own_file, folder, with_template("x"), own_file, "", "(configured)", ""},
        {"configured name", "qwen-qwen2.5-7b-instruct", folder, with_template("x"),
         folder + "/Qwen-Qwen2.5-7B-Instruct.jinja", "", "(configured)", ""},
        {"configured name with ending", "plain.jinja", folder, with_template("x"), folder + "/plain.jinja", "",
         "(configured)", "does not render tools"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        auto m = model("/m.gguf");
        m.chat_template = c.configured;
        const auto got = choose_template(m, c.info, c.folder, "/state/m.jinja");
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(got->file, c.file);
        EXPECT_EQ(got->content.empty(), c.content.empty());
        EXPECT_NE(got->content.find(c.content), std::string::npos) << got->content;
        EXPECT_EQ(got->note.empty(), c.note.empty()) << got->note;
        EXPECT_NE(got->note.find(c.note), std::string::npos) << got->note;
        EXPECT_EQ(got->problem.empty(), c.problem.empty()) << got->problem;
        EXPECT_NE(got->problem.find(c.problem), std::string::npos) << got->problem;
    }
    for (const auto* wrong : {"qwen-qwen2.5-7b-instrukt", "/nonexistent.jinja", "zzz"}) {
        auto m = model("/m.gguf");
        m.chat_template = wrong;
        const auto got = choose_template(m, with_template("x"), folder, "/x");
        ASSERT_FALSE(got);
        EXPECT_NE(got.error().detail.find("chat_template"), std::string::npos);
    }
    auto typo = model("/m.gguf");
    typo.chat_template = "qwen-qwen2.5-7b-instrukt";
    EXPECT_NE(choose_template(typo, with_template("x"), folder, "/x")
                  .error()
                  .detail.find("did you mean 'Qwen-Qwen2.5-7B-Instruct'"),
              std::string::npos);
}

TEST(Props, Table) {
    const std::string props =
        R"({"default_generation_settings":{"n_ctx":16384},"total_slots":2,"build_info":"b1","chat_template":"T",)"
        R"("modalities":{"vision":true,"audio":false},"chat_template_caps":{"supports_tools":true}})";
    const auto stock = read_props(props, "");
    ASSERT_TRUE(stock);
    EXPECT_EQ(stock->context_per_slot, 16384);
    EXPECT_EQ(stock->slots, 2);
    EXPECT_TRUE(stock->tools_ok);
    EXPECT_TRUE(stock->meta.vision);
    EXPECT_FALSE(stock->meta.audio);
    EXPECT_EQ(stock->meta.build, "b1");
    EXPECT_EQ(stock->meta.engine, "llama-server");
    EXPECT_FALSE(stock->ours);
    EXPECT_TRUE(stock->meta.features.empty());
    EXPECT_EQ(stock->meta.props, props);

    const auto ours = read_props("{}", R"({"engine":"localcode-engine","features":["fast_cancel",7,"x"]})");
    ASSERT_TRUE(ours);
    EXPECT_TRUE(ours->ours);
    EXPECT_EQ(ours->meta.features, (std::vector<std::string>{"fast_cancel", "x"}));
    EXPECT_FALSE(ours->tools_ok);
    EXPECT_TRUE(read_props(R"({"chat_template":"{{ tools }}"})", "")->tools_ok)
        << "judged by the text when nothing is said";
    EXPECT_FALSE(
        read_props(R"({"chat_template":"{{ tools }}","chat_template_caps":{"supports_tools":false}})", "")->tools_ok);
    EXPECT_FALSE(read_props("{}", "not json")->ours);
    EXPECT_FALSE(read_props("[]", ""));
    EXPECT_FALSE(read_props("", ""));
}

std::string projector(std::uint32_t width) {
    gguf::testing::Builder b;
    b.text("general.architecture", "clip").u32("clip.vision.projection_dim", width);
    return b.bytes();
}

TEST(Projectors, WhichGoesWithAModel) {
    const auto info = *gguf::parse(small_llama().header());  // 576 wide
    TempDir dir;
    auto m = model(dir.put("m.gguf", small_llama().bytes()));
    EXPECT_EQ(find_projector(m, info)->file, "") << "none there";
    dir.put("mmproj-text.gguf", "no GGUF");
    dir.put("mmproj-model.gguf", small_llama().bytes());
    dir.put("a-mmproj-of-another.gguf", projector(1024));
    dir.put("projector.gguf", projector(576));
    EXPECT_EQ(find_projector(m, info)->file, "") << "none that fits, or by another name";
    const auto q8 = dir.put("mmproj-m-Q8_0.gguf", projector(576));
    EXPECT_EQ(find_projector(m, info)->file, q8);
    EXPECT_NE(find_projector(m, info)->note.find("mmproj-m-Q8_0.gguf"), std::string::npos);
    const auto f16 = dir.put("mmproj-m-f16.gguf", projector(576));
    const auto found = find_projector(m, info);
    EXPECT_EQ(found->file, f16);
    EXPECT_EQ(found->bytes, static_cast<std::int64_t>(fs::file_size(f16)));

    m.mmproj = "none";
    EXPECT_EQ(find_projector(m, info)->file, "");
    m.mmproj = dir.put("other/named.gguf", projector(1024));
    EXPECT_EQ(find_projector(m, info)->file, m.mmproj) << "who names it knows why";
    for (const auto& wrong :
         {dir.path.string() + "/absent.gguf", dir.path.string() + "/m.gguf", dir.path.string() + "/mmproj-text.gguf"}) {
        m.mmproj = wrong;
        ASSERT_FALSE(find_projector(m, info)) << wrong;
        EXPECT_EQ(find_projector(m, info).error().code, Errc::model_load_failed);
    }
}

TEST(Projectors, OfARepositoryBelongToItsModel) {
    const auto info = *gguf::parse(small_llama().header());
    TempDir dir;
    auto m = model(dir.put("m.gguf", small_llama().bytes()));
    const auto file = dir.put("mmproj-m-f16.gguf", projector(768));
    EXPECT_EQ(find_projector(m, info)->file, "");
    m.hf = "org/repo:Q4_0";
    EXPECT_EQ(find_projector(m, info)->file, file);
}

}  // namespace
}  // namespace lc::engines
