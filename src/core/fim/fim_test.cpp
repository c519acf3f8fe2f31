#include <gtest/gtest.h>

#include "core/api/assemble.hpp"
#include "core/fim/editor.hpp"
#include "core/fim/infill.hpp"

namespace lc::fim {
namespace {

api::RequestView view_of(api::Dialect dialect, const std::string& body) { return api::parse_request(dialect, body).value(); }

TEST(Infill, RequestsWithASuffix) {
    const struct {
        const char* name;
        api::Dialect dialect;
        std::string body, want;  // want empty: refused
    } cases[] = {
        {"completions", api::Dialect::completions, R"({"model":"m","prompt":"a\n","suffix":"b","max_tokens":5,"x":1.0})",
         R"({"model":"m","max_tokens":5,"x":1.0,"input_prefix":"a\n","input_suffix":"b"})"},
        {"fim", api::Dialect::fim, R"({"prompt":"a","suffix":"b","random_seed":7})",
         R"({"input_prefix":"a","input_suffix":"b","seed":7})"},
        {"fim without a suffix", api::Dialect::fim, R"({"prompt":"a","suffix":null})", R"({"input_prefix":"a","input_suffix":""})"},
        {"tokens", api::Dialect::completions, R"({"prompt":[1],"suffix":"b"})", ""},
        {"no text as suffix", api::Dialect::completions, R"({"prompt":"a","suffix":["b"]})", ""},
        {"echo", api::Dialect::completions, R"({"prompt":"a","suffix":"b","echo":true})", ""},
        {"several", api::Dialect::completions, R"({"prompt":"a","suffix":"b","n":2})", ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto view = view_of(c.dialect, c.body);
        EXPECT_TRUE(asks_infill(view, c.body));
        const auto made = to_infill(view, c.body);
        ASSERT_EQ(made.has_value(), !c.want.empty());
        if (made) {
            EXPECT_EQ(*made, c.want);
        }
    }
    for (const std::string plain : {R"({"prompt":"a"})", R"({"prompt":"a","suffix":null})", R"({"prompt":"a","suffix":""})"}) {
        EXPECT_FALSE(asks_infill(view_of(api::Dialect::completions, plain), plain)) << plain;
    }
}

std::vector<sse::Frame> frames_of(const std::string& bytes) {
    sse::State state;
    std::vector<sse::Frame> out;
    EXPECT_TRUE(sse::step(state, bytes, out));
    return out;
}

constexpr auto native =
    "data: {\"index\":0,\"content\":\"\",\"stop\":false,\"prompt_progress\":{\"total\":4,\"cache\":0,\"processed\":4,\"time_ms\":1}}\n\n"
    "data: {\"index\":0,\"content\":\"re\",\"stop\":false}\n\n"
    "data: {\"index\":0,\"content\":\"turn\",\"stop\":false}\n\n"
    "data: {\"index\":0,\"content\":\"\",\"stop\":true,\"stop_type\":\"limit\",\"tokens_evaluated\":4,\"tokens_predicted\":2,"
    "\"timings\":{\"cache_n\":1,\"prompt_n\":3,\"predicted_n\":2}}\n\n";

TEST(Infill, AnswersInOtherDialects) {
    for (const auto dialect : {api::Dialect::completions, api::Dialect::fim}) {
        Stream stream;
        stream.dialect = dialect;
        stream.id = "id";
        stream.model = "m";
        stream.include_usage = true;
        api::StreamReader reader;
        reader.dialect = dialect;
        api::Assembly assembly(dialect);
        std::string text, finish;
        int frames = 0;
        api::Usage usage;
        for (const auto& frame : frames_of(native)) {
            for (const auto& made : translate(stream, frame)) {
                ++frames;
                if (api::is_progress_only(made)) continue;
                api::add(assembly, made);
                for (const auto& event : api::read(reader, made)) {
                    if (const auto* delta = std::get_if<api::TextDelta>(&event)) text += delta->text;
                    if (const auto* end = std::get_if<api::Finish>(&event)) finish = end->reason;
                    if (const auto* counted = std::get_if<api::Usage>(&event)) usage = *counted;
                }
            }
        }
        EXPECT_EQ(text, "return");
        EXPECT_EQ(finish, "length");
        EXPECT_TRUE(reader.done);
        EXPECT_EQ(usage.total, 6);
        EXPECT_GE(frames, 5);
        const auto whole = api::finish(assembly);
        ASSERT_TRUE(whole) << whole.error().detail;
        EXPECT_NE(whole->find(dialect == api::Dialect::fim ? R"("message":{"role":"assistant","content":"return"})" : R"("text":"return")"),
                  std::string::npos)
            << *whole;
        EXPECT_NE(whole->find(R"("prompt_tokens":4)"), std::string::npos);
    }
}

TEST(Infill, ErrorsStay) {
    Stream stream;
    const auto frames = frames_of("data: {\"error\":{\"code\":500,\"message\":\"no\"}}\n\n");
    EXPECT_EQ(translate(stream, frames[0]), frames);
}

TEST(Editor, WhatANewerRequestEnds) {
    const auto ask = [](const char* prefix, const char* suffix, bool named = false, bool warm = false, const char* who = "w") {
        return Ask{who, named, warm, prefix, suffix};
    };
    constexpr auto rest = "the rest of the file, which stays";
    const struct {
        const char* name;
        Ask newer, older;
        bool want;
    } cases[] = {
        {"typed on", ask("int ma", rest), ask("int m", rest), true},
        {"deleted", ask("int", ""), ask("int m", ""), true},
        {"the window moved on", ask("line 2\nint m", rest), ask("line 1\nline 2\nint", rest), true},
        {"another text", ask("a", "x"), ask("b", "y"), false},
        {"short suffixes are equal by chance", ask("a", "}"), ask("b", "}"), false},
        {"the same once more", ask("a", rest), ask("a", rest), false},
        {"another editor", ask("int ma", rest), ask("int m", rest, false, false, "v"), false},
        {"one session", ask("a", "x", true), ask("b", "y", true), true},
        {"a warm-up ends no request", ask("", "", true, true), ask("b", "y", true), false},
        {"a request ends a warm-up", ask("b", "y", true), ask("", "", true, true), true},
        {"a warm-up of another text", ask("int ma", rest), ask("", "", false, true), false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(supersedes(c.newer, c.older), c.want);
    }
}

TEST(Editor, ExtraContextKeepsItsOrder) {
    using Order = std::vector<std::size_t>;
    EXPECT_EQ(stable_order({}, {1, 2}), (Order{0, 1}));
    EXPECT_EQ(stable_order({1, 2, 3}, {3, 2, 1}), (Order{2, 1, 0}));
    EXPECT_EQ(stable_order({1, 2, 3}, {4, 3, 1}), (Order{2, 1, 0})) << "what was dropped is gone, what is new comes last";
    EXPECT_EQ(stable_order({1, 1}, {1, 2, 1}), (Order{0, 2, 1}));
    const std::string body = R"({"input_prefix":"a\n","prompt":"b","input_suffix":"c","n_predict":0})";
    const auto ask = ask_of(view_of(api::Dialect::infill, body), body);
    EXPECT_EQ(ask.prefix, R"(a\nb)");
    EXPECT_EQ(ask.suffix, "c");
    EXPECT_TRUE(ask.warm_up);
}

}  // namespace
}  // namespace lc::fim
