#include "core/engine/argv.hpp"

#include <gtest/gtest.h>

#include <csignal>

namespace lc::engine {
namespace {

constexpr std::int64_t GB = 1'000'000'000;

gguf::Info smollm() {
    gguf::Info info;
    info.architecture = "llama";
    info.context_train = 8192;
    info.layers = 30;
    info.embedding = 576;
    info.heads = 9;
    info.key_length = info.value_length = 64;
    info.vocabulary = 49152;
    info.layer_heads_kv.assign(30, 3);
    info.layer_window.assign(30, false);
    return info;
}

gguf::Info gemma() {
    gguf::Info info;
    info.architecture = "gemma3";
    info.context_train = 32768;
    info.layers = 18;
    info.embedding = 640;
    info.key_length = info.value_length = 256;
    info.vocabulary = 262144;
    info.sliding_window = 512;
    info.layer_heads_kv.assign(18, 1);
    for (int i = 0; i < 18; ++i) info.layer_window.push_back(i % 6 < 5);
    return info;
}

gguf::Info with(gguf::Info info, void (*change)(gguf::Info&)) {
    change(info);
    return info;
}

config::Model model(void (*change)(config::Model&) = nullptr) {
    config::Model m;
    m.name = "m";
    m.path = "/models/m.gguf";
    if (change != nullptr) change(m);
    return m;
}

std::string joined(const std::vector<std::string>& parts) {
    std::string out = " ";
    for (const auto& p : parts) out += p + " ";
    return out;
}

TEST(Plan, ContextTable) {
    const Machine roomy{.cores = 8, .memory_available = 20 * GB};
    const struct {
        const char* name;
        config::Model model;
        gguf::Info info;
        std::int64_t file;
        Machine machine;
        std::int64_t context;
        double yarn;
        std::string has, lacks, note;
    } cases[] = {
        {"small training context: stretched to 16,384", model(), smollm(), GB / 10, roomy, 16384, 2,
         " -c 32768 -np 2 --no-kv-unified --rope-scaling yarn --rope-scale 2 --yarn-orig-ctx 8192 ", "",
         "YaRN, factor 2"},
        {"trained for more: as trained", model(), gemma(), GB / 4, roomy, 32768, 1, " -c 65536 -np 2 ", "yarn", ""},
        {"configured below training", model([](config::Model& m) { m.context = 4096; }), smollm(), GB, roomy, 4096, 1,
         " -c 8192 ", "yarn", ""},
        {"configured odd number: rounded up", model([](config::Model& m) {
             m.context = 5000;
             m.slots = 1;
         }),
         smollm(), GB, roomy, 5120, 1, " -c 5120 -np 1 ", "yarn", ""},
        {"configured above training", model([](config::Model& m) {
             m.context = 20480;
             m.slots = 1;
         }),
         smollm(), GB, roomy, 20480, 2.5,
         " -c 20480 -np 1 --no-kv-unified --rope-scaling yarn --rope-scale 2.5 --yarn-orig-ctx 8192 ", "",
         "factor 2.5"},
        {"uneven factor: scale rounded up, so that the cap is not below", model([](config::Model& m) {
             m.context = 10240;
             m.slots = 1;
         }),
         with(smollm(), [](gguf::Info& i) { i.context_train = 6000; }), GB, roomy, 10240, 10240.0 / 6000,
         " --rope-scale 1.71 --yarn-orig-ctx 6000 ", "", "YaRN"},
        {"stretched by its makers: left alone", model(),
         with(smollm(),
              [](gguf::Info& i) {
                  i.rope_scaling = "yarn";
                  i.context_original = 2048;
              }),
         GB, roomy, 8192, 1, " -c 16384 ", "--rope-scal", ""},
        {"stretched by its makers, more is asked for", model([](config::Model& m) { m.context = 16384; }),
         with(smollm(),
              [](gguf::Info& i) {
                  i.rope_scaling = "yarn";
                  i.context_original = 2048;
              }),
         GB, roomy, 16384, 2, " --rope-scale 8 --yarn-orig-ctx 2048 ", "", "YaRN"},
        {"the user's own rope arguments win", model([](config::Model& m) {
             m.args = {"--rope-scale=4", "-v"};
         }),
         smollm(), GB, roomy, 8192, 1, " --slots --rope-scale=4 -v ", "yarn", ""},
        {"no rotary positions: as trained", model(),
         with(smollm(),
              [](gguf::Info& i) {
                  i.rope = false;
                  i.context_train = 2048;
              }),
         GB, roomy, 2048, 1, " -c 4096 ", "yarn", ""},
        {"too little memory for all: cut", model(), gemma(), GB / 4,
         Machine{.cores = 2, .memory_available = GB + GB / 100}, 0, 1, "", "yarn", "to fit into memory"},
        {"cut below the training context: not stretched", model(), smollm(), GB / 10,
         Machine{.cores = 2, .memory_available = GB / 2}, 0, 1, "", "yarn", "to fit into memory"},
        {"memory shared with engines to come", model(), smollm(), GB / 10,
         Machine{.cores = 2, .memory_available = GB, .engines = 2, .to_come = 1}, 0, 1, "", "", "yet to start"},
        {"GPU memory counts", model(), smollm(), 30 * GB,
         Machine{.cores = 2, .memory_available = 8 * GB, .device_memory = 25 * GB}, 16384, 2, "", "", "YaRN"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto p = plan(c.model, c.info, c.file, c.machine, "/run/1-e0.sock", "", true);
        ASSERT_TRUE(p) << p.error().detail;
        if (c.context > 0) {
            EXPECT_EQ(p->context_per_slot, c.context);
        }
        EXPECT_EQ(p->context_per_slot % 256, 0);
        EXPECT_DOUBLE_EQ(p->yarn_factor, c.yarn);
        const std::string args = joined(p->args);
        EXPECT_NE(args.find(c.has), std::string::npos) << args;
        EXPECT_TRUE(c.lacks.empty() || args.find(c.lacks) == std::string::npos) << args;
        const std::string notes = joined(p->notes);
        EXPECT_EQ(c.note.empty(), p->notes.empty()) << notes;
        EXPECT_NE(notes.find(c.note), std::string::npos) << notes;
        EXPECT_LE(p->memory_needed, c.machine.memory_available + c.machine.device_memory);
    }
}

TEST(Plan, RefusesTable) {
    const Machine small{.cores = 2, .memory_available = GB};
    const struct {
        const char* name;
        config::Model model;
        gguf::Info info;
        std::int64_t file;
        std::string socket;
        Errc code;
        const char* says;
    } cases[] = {
        {"configured context does not fit", model([](config::Model& m) { m.context = 32768; }), smollm(), GB / 10,
         "/r/e.sock", Errc::model_load_failed, "lower its context or slots"},
        {"weights do not fit", model(), smollm(), 2 * GB, "/r/e.sock", Errc::model_load_failed, "smaller model"},
        {"socket path too long", model(), smollm(), GB / 10, "/" + std::string(110, 'a') + ".sock",
         Errc::model_load_failed, "XDG_RUNTIME_DIR"},
        {"no slots", model([](config::Model& m) { m.slots = 0; }), smollm(), GB / 10, "/r/e.sock", Errc::bad_request,
         "slots"},
        {"cannot be stretched", model([](config::Model& m) {
             m.context = 9000;
             m.slots = 1;
         }),
         with(smollm(), [](gguf::Info& i) { i.rope = false; }), GB / 10, "/r/e.sock", Errc::bad_request, "8192"},
        {"socket name that the server would not take for one", model(), smollm(), GB / 10, "/r/e", Errc::internal,
         ".sock"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto p = plan(c.model, c.info, c.file, small, c.socket, "", true);
        ASSERT_FALSE(p);
        EXPECT_EQ(p.error().code, c.code);
        EXPECT_NE(p.error().detail.find(c.says), std::string::npos) << p.error().detail;
    }
    EXPECT_TRUE(plan(model(), smollm(), GB / 10, small, "/" + std::string(101, 'a') + ".sock", "", true))
        << "107 bytes are possible";
}

TEST(Plan, ArgumentsTable) {
    const Machine machine{.cores = 7, .memory_available = 20 * GB, .engines = 2};
    const struct {
        const char* name;
        config::Model model;
        gguf::Info info;
        std::string template_file;
        std::string has, lacks;
    } cases[] = {
        {"as the design fixes them", model(), gemma(), "",
         " -b 512 -ub 512 -fa on --cont-batching --no-cache-idle-slots --cache-ram 0 -t 3 -tb 3 --jinja --metrics "
         "--slots ",
         "--chat-template-file"},
        {"socket, model, alias", model(), gemma(), "",
         " --host /r/e.sock --model /models/m.gguf --no-webui --offline --alias m ", "-ngl"},
        {"name with a comma is no alias", model([](config::Model& m) { m.name = "a,b"; }), gemma(), "",
         " --offline -c ", "--alias"},
        {"template", model(), gemma(), "/s/m.jinja", " --jinja --chat-template-file /s/m.jinja ", "nothing"},
        {"threads, layers, cache types, flash attention", model([](config::Model& m) {
             m.threads = 5;
             m.gpu_layers = 0;
             m.cache_type_k = "q8_0";
             m.cache_type_v = "q4_0";
             m.flash_attention = "auto";
         }),
         gemma(), "",
         " -fa auto --cont-batching --no-cache-idle-slots --cache-ram 0 -t 5 -tb 5 -ngl 0 -ctk q8_0 -ctv q4_0 ",
         "nothing"},
        {"GPUs, experts, sampling and thinking of all requests", model([](config::Model& m) {
             m.n_cpu_moe = 12;
             m.tensor_split = "3,1";
             m.sampling.all = {{"repeat_penalty", 1.1}, {"seed", 4294967295}, {"temperature", 0.7}, {"typical_p", 1}};
             m.sampling.by_kind["title"] = {{"top_k", 1}};
             m.thinking.all = false;
         }),
         gemma(), "",
         " --n-cpu-moe 12 --tensor-split 3,1 --repeat-penalty 1.1 --seed 4294967295 --temp 0.7 --typical 1 --reasoning off ",
         "--top-k"},
        {"the user's arguments are last", model([](config::Model& m) {
             m.args = {"-b", "64"};
         }),
         gemma(), "", " --metrics --slots -b 64 ", "nothing"},
        {"embedding model", model(),
         with(smollm(),
              [](gguf::Info& i) {
                  i.pooling = "mean";
                  i.causal = false;
                  i.context_train = 512;
              }),
         "", " -b 512 -ub 512 ", "yarn"},
        {"embedding model with long inputs", model(),
         with(smollm(),
              [](gguf::Info& i) {
                  i.pooling = "mean";
                  i.causal = false;
              }),
         "", " -b 8192 -ub 8192 ", "yarn"},
        {"embedding model that reads in pieces", model(), with(smollm(), [](gguf::Info& i) { i.pooling = "last"; }), "",
         " -b 512 -ub 512 ", "--pooling"},
        {"role embed: a text model", model([](config::Model& m) { m.roles = {"embed"}; }), smollm(), "",
         " --embeddings --pooling last ", "yarn"},
        {"role embed: pooling in the arguments",
         model([](config::Model& m) {
             m.roles = {"embed"};
             m.args = {"--pooling", "mean"};
         }),
         smollm(), "", " -b 8192 -ub 8192 ", "--pooling last"},
        {"role rerank", model([](config::Model& m) { m.roles = {"rerank"}; }), smollm(), "", " --reranking ",
         "--embeddings"},
        {"role fim: more text around the cursor", model([](config::Model& m) { m.roles = {"fim"}; }), smollm(), "",
         " -b 1024 -ub 512 ", "--embeddings"},
        {"reranker", model(), with(smollm(), [](gguf::Info& i) { i.pooling = "rank"; }), "", " --reranking ",
         "--embeddings"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto p = plan(c.model, c.info, GB, machine, "/r/e.sock", c.template_file, true);
        ASSERT_TRUE(p) << p.error().detail;
        const std::string args = joined(p->args);
        EXPECT_NE(args.find(c.has), std::string::npos) << args;
        EXPECT_EQ(args.find(c.lacks), std::string::npos) << args;
    }
    const auto one_core = plan(model(), gemma(), GB, Machine{.cores = 1, .memory_available = 9 * GB, .engines = 3},
                               "/r/e.sock", "", false);
    ASSERT_TRUE(one_core);
    EXPECT_NE(joined(one_core->args).find(" -t 1 "), std::string::npos);
    EXPECT_NE(joined(one_core->notes).find("stock llama-server"), std::string::npos);
}

TEST(Plan, MemoryFollowsTheCache) {
    const auto m = model();
    const auto one = memory_needed(m, smollm(), 0, 1024, 1), two = memory_needed(m, smollm(), 0, 2048, 1);
    EXPECT_EQ(two - one, 1024 * 30 * 3 * 128 * 2);
    EXPECT_EQ(memory_needed(m, smollm(), 0, 1024, 2), two);
    EXPECT_EQ(memory_needed(m, smollm(), GB, 1024, 1), one + GB);
    const auto q8 = model([](config::Model& x) { x.cache_type_k = x.cache_type_v = "q8_0"; });
    EXPECT_NEAR(static_cast<double>(memory_needed(q8, smollm(), 0, 2048, 1) - memory_needed(q8, smollm(), 0, 1024, 1)),
                static_cast<double>(two - one) * 34 / 64, 2.0);
    // Window layers stop growing at window + batch.
    EXPECT_EQ(memory_needed(m, gemma(), 0, 8192, 1) - memory_needed(m, gemma(), 0, 4096, 1), 4096 * 3 * 512 * 2);
}

TEST(Plan, AutomaticContextIsTheLargestThatFits) {
    const Machine machine{.cores = 2, .memory_available = GB};
    const auto p = plan(model(), smollm(), GB / 10, machine, "/r/e.sock", "", true);
    ASSERT_TRUE(p);
    EXPECT_LE(memory_needed(model(), smollm(), GB / 10, p->context_per_slot, 2), machine.memory_available);
    EXPECT_GT(memory_needed(model(), smollm(), GB / 10, p->context_per_slot + 256, 2), machine.memory_available);
}

TEST(Devices, FreeMemory) {
    const struct {
        const char* name;
        std::string_view text;
        std::int64_t mib;
    } cases[] = {
        {"none", "Available devices:\n  (none)\n", 0},
        {"one", "log line\nAvailable devices:\n  CUDA0: NVIDIA L4 (22478 MiB, 22170 MiB free)\n", 22170},
        {"two", "  CUDA0: A (10 MiB, 7 MiB free)\n  CUDA1: B (10 MiB, 5 MiB free)\n", 12},
        {"no number", " MiB free)", 0},
        {"absurd number", "(1 MiB, 99999999999999999999 MiB free)", 0},
        {"empty", "", 0},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(free_device_memory(c.text), c.mib << 20);
    }
}

TEST(LikelyCause, Table) {
    const struct {
        const char* name;
        std::string_view output;
        int status, signal;
        const char* says;
    } cases[] = {
        {"missing", "E gguf_init_from_file: failed to open GGUF file '/x' (No such file or directory)", 1, 0,
         "missing"},
        {"not a GGUF", "E gguf_init_from_reader: invalid magic characters: 'not ', expected 'GGUF'", 1, 0,
         "not a GGUF"},
        {"truncated header", "E gguf_init_from_reader: failed to read key-value pairs", 1, 0, "truncated"},
        {"truncated data", "tensor 'blk.16.ffn_down.weight' data is not within the file bounds, model is corrupted", 1,
         0, "truncated"},
        {"architecture", "error loading model: unknown model architecture: 'lxama'\n", 1, 0, "'lxama'"},
        {"memory", "E ggml_aligned_malloc: insufficient memory (attempted to allocate 175781.25 MB)", 1, 0,
         "too little memory"},
        {"GPU memory", "cudaMalloc failed: out of memory\nfailed to allocate buffer", 1, 0, "GPU"},
        {"argument", "error: invalid argument: --nonsense\n", 1, 0, "--nonsense;"},
        {"template", "E common_chat_templates_init: failed to initialize chat template", 1, 0, "chat_template"},
        {"template, refused as an argument", "error: the supplied chat template is not supported: {% if %}", 1, 0,
         "chat_template"},
        {"socket", "E srv start: couldn't bind HTTP server socket, hostname: /x", 1, 0, "socket"},
        {"library", "error while loading shared libraries: libfoo.so: cannot open shared object file", 127, 0,
         "shared library"},
        {"killed", "", 0, SIGKILL, "memory ran out"},
        {"illegal instruction", "", 0, SIGILL, "processor"},
        {"crash", "loading", 0, SIGSEGV, "crashed (signal 11)"},
        {"stopped", "", 0, SIGTERM, "SIGTERM"},
        {"output is stronger than the signal", "unknown model architecture: 'x'", 0, SIGABRT, "architecture 'x'"},
        {"ended well", "", 0, 0, "by itself"},
        {"unknown", "whatever", 3, 0, "status 3"},
        {"quotes missing", "unknown model architecture: '", 3, 0, "status 3"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto cause = likely_cause(c.output, c.status, c.signal);
        EXPECT_NE(cause.find(c.says), std::string::npos) << cause;
        EXPECT_EQ(cause.find('\n'), std::string::npos);
    }
}

}  // namespace
}  // namespace lc::engine
