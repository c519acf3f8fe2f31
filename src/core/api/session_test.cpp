#include "core/api/session.hpp"

#include <gtest/gtest.h>

namespace lc::api {
namespace {

using Headers = std::vector<HeaderField>;

RequestView view_of(Dialect dialect, std::string_view body) {
    auto view = parse_request(dialect, body);
    EXPECT_TRUE(view) << (view ? "" : view.error().detail);
    return view.value_or(RequestView{});
}

constexpr const char* plain_chat = R"({"messages":[{"role":"user","content":"hi"}]})";

TEST(Session, Header) {
    const Headers headers{{"X-A", "1"}, {"x-a", "2"}};
    EXPECT_EQ(header(headers, "x-A"), "1");
    EXPECT_EQ(header(headers, "x-b"), "");
}

TEST(Session, WhoIsAsking) {
    const char* with_all =
        R"({"messages":[],"session_id":"body","prompt_cache_key":"key","localcode":{"session":"ours"}})";
    const char* with_body = R"({"messages":[],"session_id":"body","prompt_cache_key":"key"})";
    const char* with_key = R"({"messages":[],"prompt_cache_key":"key"})";
    const struct {
        const char* name;
        const char* body;
        Headers headers;
        const char *id, *parent, *client;
    } cases[] = {
        {"nothing", plain_chat, {}, "", "", "other"},
        {"extension first", with_all, {{"x-opencode-session", "h"}}, "ours", "", "opencode"},
        {"body before headers", with_body, {{"x-session-id", "h"}}, "body", "", "other"},
        {"prompt_cache_key", with_key, {{"x-session-id", "h"}}, "key", "", "other"},
        {"opencode",
         plain_chat,
         {{"x-session-affinity", "s1"},
          {"x-session-id", "s1"},
          {"User-Agent", "opencode/1.18.33 ai-sdk/provider-utils/4 runtime/bun"}},
         "s1",
         "",
         "opencode"},
        {"opencode subagent",
         plain_chat,
         {{"x-session-id", "s2"}, {"x-parent-session-id", "s1"}, {"user-agent", "opencode/1"}},
         "s2",
         "s1",
         "opencode"},
        {"opencode's own provider", plain_chat, {{"X-OpenCode-Session", "s3"}}, "s3", "", "opencode"},
        {"affinity before session id",
         plain_chat,
         {{"x-session-id", "b"}, {"x-session-affinity", "a"}},
         "a",
         "",
         "other"},
        {"claude",
         plain_chat,
         {{"X-Claude-Code-Session-Id", "c"}, {"User-Agent", "claude-cli/2.1.330"}},
         "c",
         "",
         "claude"},
        {"claude's agent",
         plain_chat,
         {{"X-Claude-Code-Session-Id", "c"}, {"x-claude-code-agent-id", "a7"}, {"User-Agent", "claude-cli/2"}},
         "c/a7",
         "c",
         "claude"},
        {"codex main",
         plain_chat,
         {{"session-id", "c"}, {"thread-id", "c"}, {"User-Agent", "codex_exec/0.169"}},
         "c",
         "",
         "codex"},
        {"codex subagent",
         plain_chat,
         {{"session-id", "c"},
          {"thread-id", "t"},
          {"x-codex-parent-thread-id", "c"},
          {"User-Agent", "codex_exec/0.169"}},
         "c/t",
         "c",
         "codex"},
        {"thread alone", plain_chat, {{"thread-id", "t"}}, "t", "", "other"},
        {"underscore", plain_chat, {{"session_id", "u"}}, "u", "", "other"},
        {"conversation", plain_chat, {{"X-Conversation-Id", "v"}}, "v", "", "other"},
        {"empty header is none", plain_chat, {{"x-session-id", " "}, {"session-id", "x"}}, "x", "", "other"},
        {"parent of itself", plain_chat, {{"x-session-id", "x"}, {"x-parent-session-id", "x"}}, "x", "", "other"},
        {"control characters", plain_chat, {{"x-session-id", "a\x1b[2Jb\nc"}}, "a[2Jbc", "", "other"},
        {"qwen", plain_chat, {{"User-Agent", "QwenCode/0.24.4 (linux)"}}, "", "", "qwen"},
        {"cline", plain_chat, {{"User-Agent", "ai-sdk/openai-compatible/1.0"}}, "", "", "cline"},
        {"continue", plain_chat, {{"User-Agent", "ls/JS 5.1"}}, "", "", "continue"},
        {"zed", plain_chat, {{"User-Agent", "Zed/0.190"}}, "", "", "zed"},
        {"python", plain_chat, {{"User-Agent", "OpenAI/Python 1.99"}}, "", "", "other"},
        {"aider",
         R"({"messages":[{"role":"system","content":"Act as an expert software developer.\nAlways"}]})",
         {{"User-Agent", "OpenAI/Python 1.99"}},
         "",
         "",
         "aider"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const Session got = session_of(view_of(Dialect::chat, c.body), c.headers);
        EXPECT_EQ(got.id, c.id);
        EXPECT_EQ(got.parent, c.parent);
        EXPECT_EQ(got.client, c.client);
    }
}

TEST(Session, LongIdIsCutAtACharacter) {
    std::string id(127, 'a');
    id += "\xc3\xa9";
    const Session got = session_of(view_of(Dialect::chat, plain_chat), Headers{{"x-session-id", id}});
    EXPECT_EQ(got.id, std::string(127, 'a'));
}

TEST(Session, LlamaVim) {
    const auto view = view_of(Dialect::infill, R"({"input_prefix":"a","input_suffix":"b"})");
    EXPECT_EQ(session_of(view, Headers{{"User-Agent", "curl/7.88"}}).client, "llama.vim");
}

TEST(Session, Kind) {
    const struct {
        const char* name;
        Dialect dialect;
        const char* body;
        const char* parent;
        const char* want;
    } cases[] = {
        {"chat", Dialect::chat, plain_chat, "", "main"},
        {"main", Dialect::chat,
         R"({"messages":[{"role":"system","content":"You are opencode, make titles"}],"tools":[{"type":"function","function":{"name":"read"}}]})",
         "", "main"},
        {"subagent", Dialect::chat, R"({"messages":[],"tools":[{"type":"function","function":{"name":"read"}}]})", "p",
         "subagent"},
        {"title that speaks of summaries", Dialect::chat,
         R"({"messages":[{"role":"system","content":"You are a title generator. Never summarize."},{"role":"user","content":"hi"}]})",
         "", "title"},
        {"title", Dialect::chat,
         R"({"messages":[{"role":"system","content":"You are a title generator. You output"},{"role":"user","content":"hi"}]})",
         "", "title"},
        {"compaction", Dialect::chat,
         R"({"messages":[{"role":"system","content":"You are a context summarization agent"},{"role":"user","content":"long"}]})",
         "", "compaction"},
        {"embedding", Dialect::embeddings, R"({"input":"x"})", "", "embedding"},
        {"rerank", Dialect::rerank, R"({"query":"x","documents":["a"]})", "", "rerank"},
        {"infill", Dialect::infill, R"({"input_prefix":"x"})", "", "fim"},
        {"fim", Dialect::fim, R"({"prompt":"x"})", "", "fim"},
        {"completion", Dialect::completions, R"({"prompt":"x"})", "", "other"},
        {"completion with suffix", Dialect::completions, R"({"prompt":"x","suffix":"y"})", "", "fim"},
        {"said so", Dialect::chat, R"({"messages":[],"localcode":{"kind":"plan"}})", "", "plan"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto view = view_of(c.dialect, c.body);
        EXPECT_EQ(kind_of(view, Session{"s", c.parent, ""}), c.want);
    }
}

}  // namespace
}  // namespace lc::api
