#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "core/log/describe.hpp"
#include "core/log/format.hpp"
#include "core/log/json.hpp"
#include "core/log/redact.hpp"
#include "core/log/tally.hpp"

namespace lc::log {
namespace {

TEST(Redact, Table) {
    const struct {
        const char* name;
        const char* in;
        const char* want;
    } cases[] = {
        {"nothing", "a normal line: key=value, skilful", "a normal line: key=value, skilful"},
        {"bearer", "Authorization: Bearer abc.def-123\r\nHost: x", "Authorization: Bearer [redacted]\r\nHost: x"},
        {"lower case", "authorization: bearer abcdefghij", "authorization: bearer [redacted]"},
        {"basic", "Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted]"},
        {"no scheme", "authorization: hunter2", "authorization: [redacted]"},
        {"x-api-key", "x-api-key: hunter2\nnext", "x-api-key: [redacted]\nnext"},
        {"JSON member", R"({"api_key":"hunter2","model":"m"})", R"({"api_key":"[redacted]","model":"m"})"},
        {"JSON in JSON", R"({"a":"{\"apiKey\":\"hunter2\"}"})", R"({"a":"{\"apiKey\":\"[redacted]\"}"})"},
        {"environment", "ZAI_API_KEY=hunter2 other", "ZAI_API_KEY=[redacted]"},
        {"query", "GET /x?api_key=hunter2", "GET /x?api_key=[redacted]"},
        {"cookies", "Cookie: a=b; c=d\nx", "Cookie: [redacted]\nx"},
        {"openai", "key sk-proj-abcdefghijklmnop123 end", "key [redacted] end"},
        {"hugging face", "hf_abcdefghijklmnopqrst", "[redacted]"},
        {"github", "token ghp_abcdefghijklmnopqrstuvwxyz0123456789", "token [redacted]"},
        {"aws", "AKIAIOSFODNN7EXAMPLE", "[redacted]"},
        {"jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123 x", "[redacted] x"},
        {"glm", "key 0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp!", "key [redacted]!"},
        {"inside a word", "task-abcdefghijklmnopqrst", "task-abcdefghijklmnopqrst"},
        {"short", "sk-learn hf_hub", "sk-learn hf_hub"},
        {"url", "https://user:hunter2@host/path?x=1", "https://user:[redacted]@host/path?x=1"},
        {"url without password", "https://user@host/a:b@c", "https://user@host/a:b@c"},
        {"url with port", "http://127.0.0.1:4242/v1", "http://127.0.0.1:4242/v1"},
        {"pem", "x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y", "x [redacted] y"},
        {"pem, cut", "-----BEGIN PRIVATE KEY-----\nMIIE", "[redacted]"},
        {"certificate", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
         "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----"},
        {"a word about it", "the password is wrong", "the password is wrong"},
        {"empty", "", ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(redact(c.in), c.want);
        EXPECT_EQ(redact(redact(c.in)), c.want) << "twice is once";
    }
}

TEST(Printable, Table) {
    const struct {
        const char* name;
        std::string in;
        const char* want;
    } cases[] = {
        {"text", "a\xc3\xa9\xf0\x9f\x98\x80", "a\xc3\xa9\xf0\x9f\x98\x80"},
        {"escape sequences", "\x1b[31mred\x1b]0;title\x07", " [31mred ]0;title "},
        {"lines", "a\r\nb\tc", "a  b c"},
        {"C1",
         "a\xc2\x9b"
         "31m\xc2\x85",
         "a 31m "},
        {"DEL and NUL", std::string("a\x7f\0b", 4), "a  b"},
        {"right to left override",
         "a\xe2\x80\xae"
         "b\xe2\x81\xa6",
         "a b "},
        {"line separator",
         "a\xe2\x80\xa8"
         "b",
         "a b"},
        {"not UTF-8", "a\x9b\xff\xc3", "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"overlong", "\xc0\x9b\xe0\x80\x9b", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(printable(c.in, 100), c.want);
    }
    EXPECT_EQ(printable("\xc3\xa9\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xc3\xa9...");
    EXPECT_EQ(printable("\xc3\xa9\xc3\xa9", 2), "\xc3\xa9\xc3\xa9");
}

api::RequestView view_of(std::string_view body) {
    auto view = api::parse_request(api::Dialect::chat, body);
    EXPECT_TRUE(view) << (view ? "" : view.error().detail);
    return view.value_or(api::RequestView{});
}

RequestRecord example() {
    RequestRecord r;
    describe(view_of(R"({"model":"coder","stream":true,"messages":[
        {"role":"system","content":"You are opencode.\nBe brief."},
        {"role":"user","content":"my key is sk-abcdefghijklmnopqrstuvwx and \u001b[31mred"},
        {"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"read","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"file text"}],
        "tools":[{"type":"function","function":{"name":"read"}},{"type":"function","function":{"name":"grep"}}]})"),
             r);
    r.id = "0197-id";
    r.client = "opencode";
    r.kind = "main";
    r.endpoint = "/v1/chat/completions";
    r.session = "ses_1";
    r.model_used = "smollm2";
    r.backend = "engine";
    return r;
}

TEST(Describe, Record) {
    const RequestRecord r = example();
    EXPECT_EQ(r.dialect, "chat");
    EXPECT_EQ(r.model_asked, "coder");
    EXPECT_TRUE(r.stream);
    EXPECT_EQ(r.n_messages, 4);
    EXPECT_EQ(r.n_tools, 2);
    EXPECT_EQ(r.messages[1].preview, "my key is [redacted] and  [31mred");
    EXPECT_EQ(r.messages[2].calls, std::vector<std::string>{"read"});
    EXPECT_EQ(r.messages[3].tool_call_id, "c1");
    EXPECT_EQ(r.tools, (std::vector<std::string>{"read", "grep"}));
}

TEST(Describe, Bounds) {
    std::string body = R"({"messages":[)";
    for (int i = 0; i < 500; ++i)
        body += (i > 0 ? "," : "") + std::string(R"({"role":"user","content":"m)") + std::to_string(i) + "\"}";
    body += "]}";
    RequestRecord r;
    describe(view_of(body), r);
    EXPECT_EQ(r.n_messages, 500);
    ASSERT_EQ(r.messages.size(), max_logged_messages);
    EXPECT_EQ(r.messages.back().preview, "m499");
    RequestRecord long_one;
    describe(view_of(R"({"messages":[{"role":"user","content":")" + std::string(5000, 'x') + "\"}]}"), long_one);
    EXPECT_EQ(long_one.messages[0].preview, std::string(147, 'x') + "...");
}

TEST(Format, Request) {
    EXPECT_EQ(format_request(example(), {}),
              "Request 0197-id main of opencode, /v1/chat/completions\n"
              "  model smollm2 (asked for coder) on engine, stream yes, 4 messages, session ses_1\n"
              "    system    \"You are opencode. Be brief.\"\n"
              "    user      \"my key is [redacted] and  [31mred\"\n"
              "    assistant -> read\n"
              "    tool      [c1] \"file text\"\n"
              "  [Tool Request] 2 tools: read, grep");
    RequestRecord bare;
    bare.n_messages = 1;
    EXPECT_EQ(format_request(bare, {}),
              "Request   of unknown, \n  model , stream no, 1 message\n    (1 earlier message)");
}

TEST(Format, LongHistory) {
    RequestRecord r;
    r.n_messages = 300;
    for (int i = 100; i < 300; ++i) r.messages.push_back({"user", "m" + std::to_string(i), "", {}});
    const std::string text = format_request(r, {.max_messages = 5});
    EXPECT_NE(text.find("m100"), std::string::npos);
    EXPECT_NE(text.find("m101"), std::string::npos);
    EXPECT_NE(text.find("(295 messages not shown)"), std::string::npos);
    EXPECT_EQ(text.find("m296"), std::string::npos);
    EXPECT_NE(text.find("m297"), std::string::npos);
    EXPECT_NE(text.find("m299"), std::string::npos);
}

ResponseTally fed(const std::vector<api::StreamEvent>& events) {
    ResponseTally tally;
    for (const auto& event : events) feed(tally, event);
    return tally;
}

TEST(Format, Response) {
    RequestRecord r = example();
    r.status = 200;
    r.ms = {.wait = 1500, .first_token = 1800.4, .total = 2300};
    conclude(fed({api::ReasoningDelta{"think", 0}, api::TextDelta{"Hello ", 0}, api::TextDelta{"you", 0},
                  api::TextDelta{"no", 1}, api::ToolBegin{0, "c1", "read", 0}, api::ToolArguments{0, "{\"p\":"},
                  api::ToolArguments{0, "1}"}, api::ToolEnd{0}, api::ToolBegin{1, "c2", "grep", 0},
                  api::Finish{"tool_calls", 0}, api::Usage{100, 21, 121, 90, 5}}),
             r);
    EXPECT_EQ(format_response(r, {}),
              "Response 0197-id 200, finish tool_calls\n"
              "  reasoning \"think\"\n"
              "  \"Hello you\"\n"
              "  call read (c1) {\"p\":1}\n"
              "  call grep (c2)  (incomplete)\n"
              "  tokens: 100 prompt (90 cached), 21 completion (5 reasoning), 121 total\n"
              "  waited 1.50 s, first token 1.80 s, total 2.30 s, 40.0 tokens/s");
    RequestRecord bad;
    bad.id = "x";
    bad.status = 503;
    bad.error_code = "overloaded";
    bad.error_detail = "queue \x1b[2J full, key sk-abcdefghijklmnopqrstuvwx";
    EXPECT_EQ(format_response(bad, {}), "Response x 503\n  overloaded: queue  [2J full, key [redacted]");
}

TEST(Format, Events) {
    const RequestRecord r = example();
    const ResponseTally tally =
        fed({api::ToolBegin{0, "c1", "read", 0}, api::ToolArguments{0, "{\"k\":\"\x1b[1m\"}"}, api::ToolEnd{0}});
    const struct {
        const char* name;
        api::StreamEvent event;
        const char* want;
        bool debug;
    } cases[] = {
        {"begin", api::ToolBegin{0, "c1", "read", 0}, "[Tool Call] read (c1)", false},
        {"begin without id", api::ToolBegin{0, "", "read\x1b[1m", 0}, "[Tool Call] read [1m", false},
        {"end", api::ToolEnd{0}, "[Tool Call Complete] read (c1) {\"k\":\" [1m\"}", false},
        {"end of an unknown call", api::ToolEnd{7}, "", false},
        {"text", api::TextDelta{"a\x1b[1m\n", 0}, "[Chunk] text \"a [1m \"", true},
        {"arguments", api::ToolArguments{0, "{"}, "[Chunk] arguments \"{\"", true},
        {"progress", api::Progress{10, 2, 5, 1.0}, "[Chunk] progress \"5 of 10 tokens, 2 cached\"", true},
        {"done", api::Done{}, "", false},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const Line got = format_event(r, tally, c.event, {});
        EXPECT_EQ(got.text, c.want);
        EXPECT_EQ(got.debug, c.debug);
    }
}

bool harmless(std::string_view text, bool lines) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte < 0x20 && !(lines && byte == '\n')) || byte == 0x7f) return false;
        if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
    }
    return true;
}

// Whatever a client, a model or a backend says, no control character of theirs reaches the terminal.
TEST(Format, NoEscapes) {
    const std::string evil = "x\x1b[2J\x07\xc2\x9b\n\r\x7f\xe2\x80\xae" + std::string(1, '\0');
    RequestRecord r;
    for (std::string* text : {&r.id, &r.client, &r.session, &r.parent, &r.kind, &r.dialect, &r.endpoint, &r.model_asked,
                              &r.model_used, &r.backend, &r.response_preview, &r.reasoning_preview, &r.finish_reason,
                              &r.error_code, &r.error_detail, &r.route_reason, &r.cache_outcome}) {
        *text = evil;
    }
    r.model_asked += "2";
    r.messages = {{evil, evil, evil, {evil}}};
    r.n_messages = 1;
    r.tools = {evil};
    r.n_tools = 1;
    r.calls = {{evil, evil, evil, true, true}};
    const ResponseTally tally = fed({api::ToolBegin{0, evil, evil, 0}, api::ToolArguments{0, evil}, api::ToolEnd{0}});
    for (const bool json : {false, true}) {
        const Style style{.json_lines = json};
        EXPECT_TRUE(harmless(format_request(r, style), !json)) << format_request(r, style);
        EXPECT_TRUE(harmless(format_response(r, style), !json)) << format_response(r, style);
        for (const api::StreamEvent& event : std::vector<api::StreamEvent>{
                 api::TextDelta{evil, 0}, api::ToolBegin{0, evil, evil, 0}, api::ToolEnd{0}, api::Finish{evil, 0},
                 api::ToolArguments{0, evil}, api::StreamFailure{{Errc::internal, evil, 0}, evil}}) {
            EXPECT_TRUE(harmless(format_event(r, tally, event, style).text, false));
        }
    }
}

TEST(Format, Colour) {
    const std::string text = format_request(example(), {.color = true});
    EXPECT_NE(text.find("\x1b[35m[Tool Request]\x1b[0m"), std::string::npos);
    EXPECT_EQ(format_request(example(), {}).find('\x1b'), std::string::npos);
}

TEST(Format, JsonLines) {
    const Style style{.json_lines = true};
    RequestRecord r = example();
    const auto request = boost::json::parse(format_request(r, style)).as_object();
    EXPECT_EQ(request.at("event").as_string(), "request");
    EXPECT_EQ(request.at("model").as_string(), "smollm2");
    EXPECT_EQ(request.at("messages").as_array().size(), 4u);
    EXPECT_EQ(request.at("tools").as_array().size(), 2u);
    const ResponseTally tally =
        fed({api::TextDelta{"hi", 0}, api::ToolBegin{0, "c", "f", 0}, api::ToolArguments{0, "{\"a\":1}"},
             api::ToolEnd{0}, api::Usage{1, 2, 3, 1, std::nullopt}});
    conclude(tally, r);
    r.status = 200;
    const auto response = boost::json::parse(format_response(r, style)).as_object();
    EXPECT_EQ(response.at("preview").as_string(), "hi");
    EXPECT_EQ(response.at("usage").at("cached").as_int64(), 1);
    EXPECT_EQ(response.at("calls").at(0).at("arguments").as_string(), "{\"a\":1}");
    const auto call = boost::json::parse(format_event(r, tally, api::ToolEnd{0}, style).text).as_object();
    EXPECT_EQ(call.at("event").as_string(), "tool_call_complete");
    EXPECT_EQ(call.at("arguments").as_string(), "{\"a\":1}");
}

TEST(Tally, StaysSmall) {
    ResponseTally tally;
    const std::string piece(1000, 'x');
    for (int i = 0; i < 10'000; ++i) {
        feed(tally, api::TextDelta{piece, 0});
        feed(tally, api::ReasoningDelta{piece, 0});
        feed(tally, api::ToolBegin{i, "id", "name", 0});
        feed(tally, api::ToolArguments{i, piece});
        feed(tally, api::ToolArguments{0, piece});
    }
    EXPECT_EQ(tally.text_bytes, 10'000'000u);
    EXPECT_LE(tally.text.size(), 8 * preview_chars);
    EXPECT_EQ(tally.calls.size(), max_logged_calls);
    EXPECT_EQ(tally.calls_seen, 10'000u);
    EXPECT_EQ(tally.calls[0].arguments.size(), max_arguments_bytes);
    EXPECT_TRUE(tally.calls[0].truncated);
    EXPECT_FALSE(tally.calls[1].truncated);
    EXPECT_FALSE(tally.calls[1].complete);
}

TEST(Tally, Conclude) {
    RequestRecord from_timings;
    conclude(fed({api::Timings{90, 10, 20, 5.0, 400.0}, api::Finish{"stop", 0}}), from_timings);
    EXPECT_EQ(from_timings.usage, (UsageSummary{100, 20, 120, 90, std::nullopt}));
    EXPECT_EQ(from_timings.tokens_per_second, 50.0);
    EXPECT_EQ(from_timings.finish_reason, "stop");

    RequestRecord failed;
    conclude(fed({api::StreamFailure{{Errc::upstream_error, "key sk-abcdefghijklmnopqrstuvwx", 0}, ""}}), failed);
    EXPECT_EQ(failed.error_code, "upstream_error");
    EXPECT_EQ(failed.error_detail, "key [redacted]");

    RequestRecord ours;
    ours.error_code = "cancelled";
    conclude(fed({api::StreamFailure{{Errc::upstream_error, "x", 0}, ""}}), ours);
    EXPECT_EQ(ours.error_code, "cancelled");

    RequestRecord secret;
    conclude(
        fed({api::TextDelta{"sk-abcdefgh", 0}, api::TextDelta{"ijklmnopqrstuvwx", 0}, api::ToolBegin{0, "c", "f", 0},
             api::ToolArguments{0, "{\"api_key\":\"hun"}, api::ToolArguments{0, "ter2\"}"}}),
        secret);
    EXPECT_EQ(secret.response_preview, "[redacted]");
    EXPECT_EQ(secret.calls.at(0).arguments, "{\"api_key\":\"[redacted]\"}");
}

}  // namespace
}  // namespace lc::log
