// The extension points of engine/patches/0001-hooks.patch that no route uses yet, on a real model
// (LOCALCODE_TEST_MODEL_SMOLLM2): calls on the main loop, slot views, the hooks around a slot's start and end.
#include "common.h"
#include "llama.h"
#include "server-context.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {
struct Finished { int id_slot; int n_tokens; bool has_task; };

/// What the hooks do next and what they saw.
struct Script {
    std::mutex mutex;
    llama_tokens replacement;      // not empty: replaces the prompt
    std::string refusal;           // not empty: thrown
    std::vector<Finished> finished;
    std::vector<std::uint64_t> keys;
    std::thread::id loop_thread;
};

/// A loaded server with its main loop on a thread; one for all tests.
struct Server {
    Script script;
    common_params params;
    server_context context;
    std::thread loop;

    explicit Server(const char* model) {
        params.model.path = model;
        params.n_ctx = 2048;
        params.n_parallel = 2;
        params.n_batch = 256;
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1;
        params.cache_ram_mib = 0;
        params.cache_idle_slots = false;
        params.fit_params = false;
        server_hooks hooks;
        hooks.poll_ms = 20;
        hooks.before_start = [this](const server_slot_view& view, server_task& task) {
            const std::lock_guard lock(script.mutex);
            script.loop_thread = std::this_thread::get_id();
            if (view.phase != SERVER_SLOT_IDLE || view.ctx_tgt == nullptr || view.prompt == nullptr) {
                throw std::logic_error("the slot is not idle");
            }
            if (!script.refusal.empty()) {
                throw std::runtime_error(script.refusal);
            }
            if (!script.replacement.empty()) {
                task.tokens = server_tokens(script.replacement, false);
            }
        };
        hooks.on_finish = [this](const server_slot_view& view) {
            const std::lock_guard lock(script.mutex);
            script.finished.push_back({view.id, view.prompt->n_tokens(), view.task != nullptr});
        };
        hooks.on_batch = [this](std::uint64_t key) {
            const std::lock_guard lock(script.mutex);
            script.keys.push_back(key);
        };
        context.set_hooks(std::move(hooks));
        if (!context.load_model(params)) {
            throw std::runtime_error(std::string("cannot load ") + model);
        }
        loop = std::thread([this] { context.start_loop(); });
    }

    json complete(const llama_tokens& prompt, std::uint64_t key = 0) {
        auto reader = context.get_response_reader();
        server_task task(SERVER_TASK_TYPE_COMPLETION);
        task.id = reader.get_new_id();
        task.tokens = server_tokens(prompt, false);
        task.params.n_predict = 6;
        task.params.sampling.temp = 0;
        task.params.return_tokens = true;
        task.params.batch_key = key;
        task.params.cache_prompt = false;
        reader.post_task(std::move(task));
        const auto result = reader.next([] { return false; });
        return result->to_json();
    }
};

Server& server() {
    static Server* const one = [] {
        const char* model = std::getenv("LOCALCODE_TEST_MODEL_SMOLLM2");
        if (model == nullptr) {
            throw std::runtime_error("LOCALCODE_TEST_MODEL_SMOLLM2 is not set");
        }
        common_init();
        llama_backend_init();
        return new Server(model);
    }();
    return *one;
}

const llama_tokens prompt_a = {504, 2365, 338, 260, 2591, 30, 504};
const llama_tokens prompt_b = {28, 216, 33, 28, 216, 34, 28, 216, 35, 28, 216};

llama_tokens generated(const json& answer) { return answer.at("tokens").get<llama_tokens>(); }
}  // namespace

TEST(HooksPatch, CallsRunOnTheMainLoop) {
    auto& s = server();
    std::thread::id where;
    std::size_t n_slots = 0;
    s.context.run_on_loop([&](server_loop_view& view) {
        where = std::this_thread::get_id();
        n_slots = view.slots.size();
        for (const auto& slot : view.slots) {
            EXPECT_EQ(slot.ctx_tgt, view.ctx_tgt);
            EXPECT_EQ(slot.n_ctx, 1024);
            EXPECT_EQ(slot.task, nullptr);
        }
    }).get();
    EXPECT_EQ(where, s.loop.get_id());
    EXPECT_EQ(n_slots, 2U);
    auto failing = s.context.run_on_loop([](server_loop_view&) { throw std::out_of_range("seven"); });
    EXPECT_THROW(failing.get(), std::out_of_range);
}

TEST(HooksPatch, PromptIsReplacedBeforeTheSlotStarts) {
    auto& s = server();
    const auto of_a = generated(s.complete(prompt_a));
    const auto of_b = generated(s.complete(prompt_b));
    ASSERT_NE(of_a, of_b);
    { const std::lock_guard lock(s.script.mutex); s.script.replacement = prompt_b; }
    const auto answer = s.complete(prompt_a);
    { const std::lock_guard lock(s.script.mutex); s.script.replacement.clear(); }
    EXPECT_EQ(generated(answer), of_b);
    EXPECT_EQ(answer.at("tokens_evaluated").get<std::size_t>(), prompt_b.size());
    EXPECT_EQ(s.script.loop_thread, s.loop.get_id());
}

TEST(HooksPatch, AThrowBeforeTheStartEndsTheTaskAndFreesTheSlot) {
    auto& s = server();
    { const std::lock_guard lock(s.script.mutex); s.script.refusal = "no such state"; }
    for (int i = 0; i < 4; ++i) {  // more than there are slots
        EXPECT_EQ(s.complete(prompt_a).at("message").get<std::string>(), "no such state");
    }
    { const std::lock_guard lock(s.script.mutex); s.script.refusal.clear(); }
    EXPECT_EQ(generated(s.complete(prompt_a)).size(), 6U);
}

TEST(HooksPatch, AViewShowsWhatTheSlotHolds) {
    auto& s = server();
    const auto tokens = generated(s.complete(prompt_a));
    const Finished last = [&] { const std::lock_guard lock(s.script.mutex); return s.script.finished.back(); }();
    EXPECT_TRUE(last.has_task);
    // The last sampled token is not decoded.
    EXPECT_EQ(last.n_tokens, static_cast<int>(prompt_a.size() + tokens.size()) - 1);
    s.context.run_on_loop([&](server_loop_view& view) {
        const auto& slot = view.slots.at(static_cast<std::size_t>(last.id_slot));
        auto held = prompt_a;
        held.insert(held.end(), tokens.begin(), tokens.end() - 1);
        EXPECT_EQ(slot.prompt->tokens.get_tokens(), held);
        EXPECT_EQ(llama_memory_seq_pos_max(llama_get_memory(slot.ctx_tgt), slot.id) + 1, static_cast<int>(held.size()));
    }).get();
}

TEST(HooksPatch, TheKeyOfABatchIsAnnounced) {
    auto& s = server();
    { const std::lock_guard lock(s.script.mutex); s.script.keys.clear(); }
    s.complete(prompt_a, 42);
    const std::lock_guard lock(s.script.mutex);
    EXPECT_FALSE(s.script.keys.empty());
    for (const auto key : s.script.keys) {
        EXPECT_EQ(key, 42U);
    }
}

// Last: the loop does not run afterwards.
TEST(HooksPatch, ShutDownEndsEverything) {
    auto& s = server();
    s.context.shut_down("enough");
    s.loop.join();
    auto late = s.context.run_on_loop([](server_loop_view&) {});
    EXPECT_THROW(late.get(), std::runtime_error);
    EXPECT_EQ(s.complete(prompt_a).at("message").get<std::string>(), "enough");
}
