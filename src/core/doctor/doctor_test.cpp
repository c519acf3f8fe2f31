#include "core/doctor/doctor.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace lc::doctor {
namespace {

constexpr std::int64_t gb = 1'000'000'000;

/// A set-up in which nothing is wrong.
Facts healthy() {
    Facts f;
    f.config_file = "/c/config.toml";
    f.config_found = true;
    f.engine = Engine{"/e/localcode-engine", "", 0, 0, "version 5", {}, true};
    f.cpu_flags = {"avx2", "f16c"};
    f.cores = 8;
    f.memory = 16 * gb;
    f.models = {{"coder", "/m/coder.gguf", "", true, "", 5 * gb, 32768}};
    f.backends = {{"zai", "https://z/v4", "", ""}};
    f.port = Port::free;
    f.port_number = 4242;
    f.folders = {{"state", "/s", "", 50 * gb}};
    f.now = 1'800'000'000;
    f.program_made = 1'790'000'000;
    f.url = "http://127.0.0.1:4242";
    f.opencode = {"/bin/opencode", "/c/opencode.json", "", true, "http://127.0.0.1:4242/v1", true, {}};
    return f;
}

TEST(Doctor, NothingIsWrong) {
    const auto all = examine(healthy());
    EXPECT_EQ(exit_status(all), 0);
    for (const auto& f : all) EXPECT_EQ(f.level, Level::ok) << f.check << ": " << f.text;
}

TEST(Doctor, EachThingThatCanBeWrong) {
    const struct {
        const char* name;
        std::function<void(Facts&)> change;
        Level level;
        const char* check;
        const char* text;
        const char* command;
    } cases[] = {
        {"config", [](Facts& f) { f.config_error = "c:1:2: what"; }, Level::broken, "config", "c:1:2",
         "localcode config example"},
        {"nothing", [](Facts& f) { f.nothing_to_serve = "nothing to serve"; }, Level::broken, "config",
         "nothing to serve", "localcode recommend --write"},
        {"secret", [](Facts& f) { f.secrets = {"auth key 'a': X is not set"}; }, Level::broken, "keys", "X is not set",
         "config show"},
        {"no engine",
         [](Facts& f) {
             f.engine = Engine{"", "none was found"};
         },
         Level::broken, "engine", "none was found", "make install"},
        {"other processor", [](Facts& f) { f.engine->signal = 4; }, Level::broken, "engine", "another processor",
         "LOCALCODE_PORTABLE=1"},
        {"engine fails",
         [](Facts& f) {
             f.engine->status = 127;
             f.engine->version = "libx.so: not found";
         },
         Level::broken, "engine", "libx.so", "make install"},
        {"stock engine", [](Facts& f) { f.engine->ours = false; }, Level::note, "engine", "stock llama-server",
         "make install"},
        {"old processor", [](Facts& f) { f.cpu_flags = {}; }, Level::warning, "cpu", "without AVX2", ""},
        {"gpu not used",
         [](Facts& f) {
             f.gpus = {{"NVIDIA X", "cuda", "", true}};
         },
         Level::warning, "gpu", "NVIDIA X is not used", "-DGGML_CUDA=ON"},
        {"gpu of AMD",
         [](Facts& f) {
             f.gpus = {{"AMD", "hip", "/dev/kfd", true}};
         },
         Level::warning, "gpu", "not used", "-DGGML_HIP=ON"},
        {"gpu closed",
         [](Facts& f) {
             f.gpus = {{"AMD", "hip", "/dev/kfd", false}};
         },
         Level::warning, "gpu", "/dev/kfd", "usermod"},
        {"model missing", [](Facts& f) { f.models[0].error = "does not exist"; }, Level::broken, "model",
         "coder: does not exist", "localcode pull"},
        {"model from the hub",
         [](Facts& f) {
             f.models[0].hf = "o/r:Q4";
             f.models[0].here = false;
         },
         Level::warning, "model", "o/r:Q4", "localcode pull o/r:Q4"},
        {"model too large", [](Facts& f) { f.memory = 4 * gb; }, Level::broken, "memory", "5.0 GB",
         "localcode recommend"},
        {"model just fits", [](Facts& f) { f.memory = 6 * gb; }, Level::warning, "memory", "little is left",
         "localcode recommend"},
        {"backend", [](Facts& f) { f.backends[0].error = "refused"; }, Level::broken, "backend", "refused",
         "curl -sS https://z/v4/models"},
        {"backend's key", [](Facts& f) { f.backends[0].key_error = "ZAI_API_KEY is not set"; }, Level::broken,
         "backend", "ZAI_API_KEY", "config show"},
        {"port taken", [](Facts& f) { f.port = Port::other; }, Level::broken, "port", "another program", "--port 4243"},
        {"port unclear",
         [](Facts& f) {
             f.port = Port::unknown;
             f.port_error = "no answer";
         },
         Level::warning, "port", "no answer", "status"},
        {"folder", [](Facts& f) { f.folders[0].error = "/s belongs to another user"; }, Level::broken, "state",
         "another user", "ls -ld /s"},
        {"disk full", [](Facts& f) { f.folders[0].free_bytes = 20'000'000; }, Level::broken, "disk", "only 20 MB",
         "du -sh /s"},
        {"disk nearly full", [](Facts& f) { f.folders[0].free_bytes = gb; }, Level::warning, "disk", "only 1.0 GB",
         "du -sh /s"},
        {"clock", [](Facts& f) { f.now = 0; }, Level::broken, "clock", "wrong", "timedatectl"},
        {"opencode's file", [](Facts& f) { f.opencode.error = "line 1"; }, Level::broken, "opencode", "line 1",
         "localcode"},
        {"opencode elsewhere", [](Facts& f) { f.opencode.base_url = "http://x/v1"; }, Level::warning, "opencode",
         "http://x/v1", "init opencode"},
        {"opencode's contexts", [](Facts& f) { f.opencode.wrong_contexts = {"coder: 1, not 2"}; }, Level::warning,
         "opencode", "coder: 1, not 2", "init opencode"},
        {"opencode's time", [](Facts& f) { f.opencode.timeouts_off = false; }, Level::warning, "opencode",
         "headerTimeout", "init opencode"},
        {"opencode not set up", [](Facts& f) { f.opencode.has_provider = false; }, Level::note, "opencode",
         "launch opencode", "init opencode"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        auto facts = healthy();
        c.change(facts);
        const auto all = examine(facts);
        int wrong = 0;
        for (const auto& f : all) {
            if (f.level == Level::ok) continue;
            ++wrong;
            EXPECT_EQ(f.level, c.level);
            EXPECT_EQ(f.check, c.check);
            EXPECT_NE(f.text.find(c.text), std::string::npos) << f.text;
            EXPECT_NE(f.command.find(c.command), std::string::npos) << f.command;
        }
        EXPECT_EQ(wrong, 1) << "one thing is wrong, so one thing is told";
        EXPECT_EQ(exit_status(all), c.level == Level::broken ? 1 : 0);
    }
}

TEST(Doctor, GpuMemoryCounts) {
    auto f = healthy();
    f.memory = 4 * gb;
    f.gpu_memory = 24 * gb;
    f.gpus = {{"NVIDIA X", "cuda", "", true}};
    f.engine->devices = {"CUDA0: NVIDIA X"};
    EXPECT_EQ(exit_status(examine(f)), 0);
}

TEST(Doctor, WithoutLocalModelsNoEngineIsNeeded) {
    auto f = healthy();
    f.engine.reset();
    f.models.clear();
    for (const auto& finding : examine(f)) EXPECT_EQ(finding.level, Level::ok) << finding.text;
}

}  // namespace
}  // namespace lc::doctor
