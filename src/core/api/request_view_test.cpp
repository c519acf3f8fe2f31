#include "core/api/request_view.hpp"

#include <gtest/gtest.h>

#include "core/api/json_check.hpp"
#include "core/api/json_scan.hpp"

namespace lc::api {
namespace {

RequestView view_of(Dialect dialect, std::string_view body) {
    auto view = parse_request(dialect, body);
    EXPECT_TRUE(view) << body << "\n" << (view ? "" : view.error().detail);
    return view.value_or(RequestView{});
}

TEST(ParseRequest, Chat) {
    const std::string body = R"( {
      "model" : "coder", "stream": true, "stream_options": {"include_usage": true}, "return_progress": true,
      "temperature": 0.2, "top_p": 1, "max_tokens": 4096, "tool_choice": "auto", "seed": 123456789012345678901234567890,
      "messages": [
        {"role": "system", "content": "You are."},
        {"role": "user", "content": [{"type":"text","text":"look"}, {"type":"image_url","image_url":{"url":"data:"}}, {"type":"text","text":"\u00e9"}]},
        {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [
           {"id":"c1","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}},
           {"id":"c2","type":"function","function":{"name":"grep","arguments":{"q":1}}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "text of a"},
        {"role": "weird", "content": ""}
      ],
      "tools": [ {"type":"function","function":{"name":"read","description":"Reads","parameters":{}}}, {"type":"web_search"} ],
      "unknown": {"kept": 1e400}, "session_id": "s-1"
    } )";
    const RequestView v = view_of(Dialect::chat, body);
    EXPECT_EQ(v.model, "coder");
    EXPECT_TRUE(v.stream && v.include_usage && v.return_progress);
    EXPECT_FALSE(v.logprobs);
    EXPECT_EQ(v.temperature, 0.2);
    EXPECT_EQ(v.top_p, 1.0);
    EXPECT_EQ(v.max_tokens, 4096);
    EXPECT_EQ(v.tool_choice, "auto");
    EXPECT_EQ(v.session_field, "s-1");
    ASSERT_EQ(v.messages.size(), 5u);
    EXPECT_EQ(v.messages[0].role, Role::system);
    EXPECT_EQ(v.messages[0].text_preview, "You are.");
    EXPECT_EQ(v.messages[1].text_preview, "look\n\xc3\xa9");
    EXPECT_EQ(v.messages[1].text_bytes, 6u);
    EXPECT_EQ(v.messages[1].media, 1u);
    EXPECT_EQ(v.media, 1u);
    EXPECT_EQ(v.messages[2].role, Role::assistant);
    EXPECT_EQ(v.messages[2].calls, (std::vector<std::string>{"read", "grep"}));
    EXPECT_EQ(v.messages[2].call_ids, (std::vector<std::string>{"c1", "c2"}));
    EXPECT_EQ(v.messages[3].role, Role::tool);
    EXPECT_EQ(v.messages[3].tool_call_id, "c1");
    EXPECT_EQ(v.messages[3].result_ids, std::vector<std::string>{"c1"});
    EXPECT_EQ(v.messages[4].role, Role::other);
    ASSERT_EQ(v.tools.size(), 2u);
    EXPECT_EQ(v.tools[0].name, "read");
    EXPECT_EQ(v.tools[0].description_preview, "Reads");
    EXPECT_EQ(v.tools[1].name, "web_search");
    EXPECT_EQ(slice(body, v.tools[1].raw), R"({"type":"web_search"})");
    EXPECT_EQ(slice(body, v.messages[3].raw), R"({"role": "tool", "tool_call_id": "c1", "content": "text of a"})");
    // text 8+6+9, reasoning 2, calls: names, ids and arguments 4+2+12 and 4+2+7, tools as they are
    EXPECT_EQ(v.prompt_bytes, 23u + 2 + 18 + 13 + (v.tools[0].raw.end - v.tools[0].raw.begin) + 21);
    ASSERT_EQ(v.members.size(), 13u);
    EXPECT_EQ(v.members[0].key, "model");
    EXPECT_EQ(slice(body, v.members[0].whole), R"("model" : "coder")");
    EXPECT_EQ(slice(body, v.members[0].value), R"("coder")");
    EXPECT_EQ(slice(body, find(v, "seed")->value), "123456789012345678901234567890");
    EXPECT_EQ(slice(body, find(v, "unknown")->value), R"({"kept": 1e400})");
    EXPECT_EQ(find(v, "nothing"), nullptr);
}

TEST(ParseRequest, Messages) {
    const RequestView v = view_of(Dialect::messages, R"({"model":"m","max_tokens":100,"stream":true,
      "system":[{"type":"text","text":"one"},{"type":"text","text":"two","cache_control":{"type":"ephemeral"}}],
      "messages":[{"role":"user","content":"hi"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"abc","signature":""},{"type":"text","text":"ok"},
          {"type":"tool_use","id":"t1","name":"Bash","input":{"cmd":"ls"}},{"type":"tool_use","id":"t2","name":"Read","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"out"},{"type":"image","source":{}}]},
          {"type":"tool_result","tool_use_id":"t2","content":"file"},{"type":"text","text":"go on"}]}],
      "tools":[{"name":"Bash","description":"Runs","input_schema":{}}],"tool_choice":{"type":"any"},"thinking":{"type":"adaptive"}})");
    ASSERT_EQ(v.messages.size(), 4u);
    EXPECT_EQ(v.messages[0].role, Role::system);
    EXPECT_EQ(v.messages[0].text_preview, "one\ntwo");
    EXPECT_EQ(v.messages[2].text_preview, "ok");
    EXPECT_EQ(v.messages[2].calls, (std::vector<std::string>{"Bash", "Read"}));
    EXPECT_EQ(v.messages[3].role, Role::tool);
    EXPECT_EQ(v.messages[3].tool_call_id, "t1");
    EXPECT_EQ(v.messages[3].result_ids, (std::vector<std::string>{"t1", "t2"}));
    EXPECT_EQ(v.messages[3].text_preview, "out\nfile\ngo on");
    EXPECT_EQ(v.media, 1u);
    EXPECT_EQ(v.tools.at(0).name, "Bash");
    EXPECT_EQ(v.tool_choice, "required");
    EXPECT_EQ(v.max_tokens, 100);
}

TEST(ParseRequest, Responses) {
    const RequestView v =
        view_of(Dialect::responses, R"({"model":"m","instructions":"be","max_output_tokens":5,"prompt_cache_key":"k",
      "input":[{"type":"message","role":"developer","content":[{"type":"input_text","text":"rules"}]},
        {"role":"user","content":"hi"},{"type":"reasoning","summary":[]},
        {"type":"function_call","call_id":"c1","name":"shell","arguments":"{}"},
        {"type":"function_call_output","call_id":"c1","output":"done"},
        {"type":"custom_tool_call","call_id":"c2","name":"patch","input":"x"},
        {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"y"}]},
        {"type":"something_new"}],
      "tools":[{"type":"function","name":"shell","description":"d"},{"type":"namespace","name":"agents"},{"type":"web_search"}],
      "tool_choice":{"type":"function","name":"shell"}})");
    ASSERT_EQ(v.messages.size(), 9u);
    EXPECT_EQ(v.messages[0].role, Role::system);
    EXPECT_EQ(v.messages[1].role, Role::developer);
    EXPECT_EQ(v.messages[1].text_preview, "rules");
    EXPECT_EQ(v.messages[3].role, Role::assistant);
    EXPECT_EQ(v.messages[4].calls, std::vector<std::string>{"shell"});
    EXPECT_EQ(v.messages[5].role, Role::tool);
    EXPECT_EQ(v.messages[5].tool_call_id, "c1");
    EXPECT_EQ(v.messages[6].calls, std::vector<std::string>{"patch"});
    EXPECT_EQ(v.messages[7].text_preview, "y");
    EXPECT_EQ(v.messages[8].role, Role::other);
    EXPECT_EQ(v.tools.at(2).name, "web_search");
    EXPECT_EQ(v.tool_choice, "function:shell");
    EXPECT_EQ(v.session_field, "k");
    EXPECT_EQ(v.max_tokens, 5);
    EXPECT_EQ(view_of(Dialect::responses, R"({"input":"text"})").messages.at(0).text_preview, "text");
}

TEST(ParseRequest, Prompts) {
    EXPECT_EQ(view_of(Dialect::completions, R"({"prompt":"abc"})").prompt_bytes, 3u);
    EXPECT_EQ(view_of(Dialect::completions, R"({"prompt":["abc","de"]})").prompt_bytes, 5u);
    EXPECT_EQ(view_of(Dialect::completions, R"({"prompt":[1,2,3]})").prompt_bytes, 3u);
    EXPECT_EQ(view_of(Dialect::completions, R"({"prompt":[[1,2],"ab"]})").prompt_bytes, 4u);
    EXPECT_EQ(view_of(Dialect::completions, R"({"prompt":"a","logprobs":1})").logprobs, true);
    EXPECT_EQ(view_of(Dialect::completions, R"({"prompt":"a","logprobs":0})").logprobs, false);
    EXPECT_EQ(
        view_of(
            Dialect::infill,
            R"({"input_prefix":"ab","input_suffix":"c","prompt":"","n_predict":0,"input_extra":[{"filename":"x","text":"1234"}]})")
            .prompt_bytes,
        7u);
    EXPECT_EQ(view_of(Dialect::infill, R"({"n_predict":0})").max_tokens, 0);
    EXPECT_EQ(view_of(Dialect::embeddings, R"({"input":["a","b"]})").messages.at(0).text_preview, "a\nb");
    EXPECT_EQ(view_of(Dialect::rerank, R"({"query":"q","documents":["a",{"text":"b"}]})").prompt_bytes, 3u);
    EXPECT_EQ(view_of(Dialect::plain, R"({"model":"m","content":7,"stream":"x"})").model, "m");
}

TEST(ParseRequest, SmallThings) {
    const struct {
        const char* name;
        const char* body;
        bool (*check)(const RequestView&);
    } cases[] = {
        {"nothing but messages", R"({"messages":[]})",
         [](const RequestView& v) { return v.model.empty() && !v.stream && !v.max_tokens; }},
        {"nulls",
         R"({"messages":[{"role":"user","content":null,"tool_calls":null}],"model":null,"stream":null,"tools":null,"temperature":null,"stream_options":null,"localcode":null})",
         [](const RequestView& v) { return v.model.empty() && !v.stream && v.tools.empty(); }},
        {"the last duplicate counts",
         R"({"model":"a","messages":5,"model":"b","messages":[{"role":"user","role":"system","content":"x"}]})",
         [](const RequestView& v) {
             return v.model == "b" && v.messages.at(0).role == Role::system && v.members.size() == 4;
         }},
        {"escaped key", R"({"m\u006fdel":"x","messages":[]})", [](const RequestView& v) { return v.model == "x"; }},
        {"n_predict wins", R"({"messages":[],"n_predict":7,"max_tokens":5})",
         [](const RequestView& v) { return v.max_tokens == 7; }},
        {"max_completion_tokens", R"({"messages":[],"max_completion_tokens":7,"max_tokens":5})",
         [](const RequestView& v) { return v.max_tokens == 7; }},
        {"huge max_tokens", R"({"messages":[],"max_tokens":99999999999999999999})",
         [](const RequestView& v) { return v.max_tokens > 1000000; }},
        {"unlimited", R"({"messages":[],"max_tokens":-1})", [](const RequestView& v) { return v.max_tokens == -1; }},
        {"named tool", R"({"messages":[],"tool_choice":{"type":"function","function":{"name":"read"}}})",
         [](const RequestView& v) { return v.tool_choice == "function:read"; }},
        {"chat logprobs", R"({"messages":[],"logprobs":true})", [](const RequestView& v) { return v.logprobs; }},
        {"half a surrogate pair", R"({"messages":[{"role":"user","content":"a\ud83d"}]})",
         [](const RequestView& v) { return v.messages.at(0).text_preview == "a\xef\xbf\xbd"; }},
        {"a whole pair", R"({"messages":[{"role":"user","content":"\ud83d\ude00"}]})",
         [](const RequestView& v) { return v.messages.at(0).text_preview == "\xf0\x9f\x98\x80"; }},
        {"numeric session", R"({"messages":[],"session_id":42})",
         [](const RequestView& v) { return v.session_field == "42"; }},
        {"odd session", R"({"messages":[],"session_id":{}})",
         [](const RequestView& v) { return v.session_field.empty(); }},
        {"legacy function",
         R"({"messages":[{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"r"}]})",
         [](const RequestView& v) {
             return v.messages.at(0).calls.at(0) == "f" && v.messages.at(1).role == Role::tool;
         }},
        {"string parts", R"({"messages":[{"role":"user","content":["a","b"]}]})",
         [](const RequestView& v) { return v.messages.at(0).text_preview == "a\nb"; }},
        {"not looked at", R"({"messages":[],"response_format":7,"stop":{}})",
         [](const RequestView& v) { return v.members.size() == 3; }},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_TRUE(c.check(view_of(Dialect::chat, c.body)));
    }
}

TEST(ParseRequest, PreviewIsCutAtACharacter) {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "\xe2\x82\xac";
    const RequestView v = view_of(Dialect::chat, R"({"messages":[{"role":"user","content":"x)" + text + R"("}]})");
    EXPECT_EQ(v.messages.at(0).text_preview.size(), 598u);
    EXPECT_EQ(v.messages.at(0).text_bytes, 1201u);
}

TEST(ParseRequest, Extensions) {
    const std::string body =
        R"({"messages":[],"localcode":{"session":"s","kind":"plan","cache":"off","priority":3,"deadline_ms":5000,
        "control_vectors":[{"name":"calm","scale":0.5}],"lora": {"a":1},"speculative":null}})";
    const RequestView v = view_of(Dialect::chat, body);
    EXPECT_EQ(v.extensions.session, "s");
    EXPECT_EQ(v.extensions.kind, "plan");
    EXPECT_EQ(v.extensions.cache, "off");
    EXPECT_EQ(v.extensions.priority, 3);
    EXPECT_EQ(v.extensions.deadline_ms, 5000);
    EXPECT_EQ(slice(body, v.extensions.control_vectors), R"([{"name":"calm","scale":0.5}])");
    EXPECT_EQ(slice(body, v.extensions.lora), R"({"a":1})");
    EXPECT_TRUE(v.extensions.speculative.empty());
}

TEST(ParseRequest, Errors) {
    const struct {
        const char* name;
        Dialect dialect;
        std::string body;
        const char* detail;
    } cases[] = {
        {"empty", Dialect::chat, "", "not valid JSON at byte 0: the text ends too early"},
        {"space", Dialect::chat, "  ", "not valid JSON at byte 2: the text ends too early"},
        {"not JSON", Dialect::chat, "hello", "not valid JSON at byte 0: expected a value"},
        {"cut", Dialect::chat, R"({"model":"a)", "not valid JSON at byte 11: the text ends too early"},
        {"trailing comma", Dialect::chat, R"({"a":1,})", "not valid JSON at byte 7: expected a string"},
        {"missing comma", Dialect::chat, R"({"a":1 "b":2})", "not valid JSON at byte 7: expected ',' or '}'"},
        {"missing colon", Dialect::chat, R"({"a" 1})", "not valid JSON at byte 5: expected ':'"},
        {"two values", Dialect::chat, "{} {}", "not valid JSON at byte 3: something follows the JSON value"},
        {"single quotes", Dialect::chat, "{'a':1}", "not valid JSON at byte 1: expected a string"},
        {"NaN", Dialect::chat, R"({"a":NaN})", "not valid JSON at byte 5: expected a value"},
        {"leading zero", Dialect::chat, R"({"a":01})", "not valid JSON at byte 6: expected ',' or '}'"},
        {"bad escape", Dialect::chat, R"({"a":"\x"})", "not valid JSON at byte 7: unknown escape in a string"},
        {"control character", Dialect::chat, "{\"a\":\"\n\"}",
         "not valid JSON at byte 6: control character in a string"},
        {"not UTF-8", Dialect::chat, "{\"a\":\"x\xff\"}", "not valid JSON at byte 7: invalid UTF-8"},
        {"overlong UTF-8", Dialect::chat, "{\"a\":\"\xc0\xaf\"}", "not valid JSON at byte 6: invalid UTF-8"},
        {"byte order mark", Dialect::chat, "\xef\xbb\xbf{}", "not valid JSON at byte 0: expected a value"},
        {"array", Dialect::chat, "[]", "the body must be a JSON object, got array"},
        {"string", Dialect::chat, "\"x\"", "the body must be a JSON object, got string"},
        {"no messages", Dialect::chat, "{}", "'messages' is required"},
        {"no messages either", Dialect::messages, R"({"system":"x"})", "'messages' is required"},
        {"messages", Dialect::chat, R"({"messages":"hi"})", "'messages' must be an array, got string"},
        {"message", Dialect::chat, R"({"messages":[1]})", "'messages[0]' must be an object, got number"},
        {"no role", Dialect::chat, R"({"messages":[{"role":"user"},{"content":"x"}]})",
         "'messages[1].role' is required"},
        {"role", Dialect::chat, R"({"messages":[{"role":7}]})", "'messages[0].role' must be a string, got number"},
        {"content", Dialect::chat, R"({"messages":[{"role":"user","content":true}]})",
         "'messages[0].content' must be a string or an array, got boolean"},
        {"part", Dialect::chat, R"({"messages":[{"role":"user","content":[{"type":"text","text":""},5]}]})",
         "'messages[0].content[1]' must be an object, got number"},
        {"tool_calls", Dialect::chat, R"({"messages":[{"role":"assistant","tool_calls":{}}]})",
         "'messages[0].tool_calls' must be an array, got object"},
        {"tool call", Dialect::chat, R"({"messages":[{"role":"assistant","tool_calls":["x"]}]})",
         "'messages[0].tool_calls[0]' must be an object, got string"},
        {"tool result", Dialect::messages,
         R"({"messages":[{"role":"user","content":[{"type":"tool_result","content":5}]}]})",
         "'messages[0].content[0].content' must be a string or an array, got number"},
        {"tools", Dialect::chat, R"({"messages":[],"tools":{}})", "'tools' must be an array, got object"},
        {"tool", Dialect::chat, R"({"messages":[],"tools":[{},"x"]})", "'tools[1]' must be an object, got string"},
        {"tool_choice", Dialect::chat, R"({"messages":[],"tool_choice":true})",
         "'tool_choice' must be a string or an object, got boolean"},
        {"model", Dialect::chat, R"({"messages":[],"model":["a"]})", "'model' must be a string, got array"},
        {"stream", Dialect::chat, R"({"messages":[],"stream":"yes"})", "'stream' must be a boolean, got string"},
        {"stream_options", Dialect::chat, R"({"messages":[],"stream_options":1})",
         "'stream_options' must be an object, got number"},
        {"include_usage", Dialect::chat, R"({"messages":[],"stream_options":{"include_usage":1}})",
         "'stream_options.include_usage' must be a boolean, got number"},
        {"temperature", Dialect::chat, R"({"messages":[],"temperature":"hot"})",
         "'temperature' must be a number, got string"},
        {"max_tokens", Dialect::chat, R"({"messages":[],"max_tokens":"many"})",
         "'max_tokens' must be a number, got string"},
        {"prompt", Dialect::completions, R"({"prompt":true})", "'prompt' must be a string or an array, got boolean"},
        {"prompt element", Dialect::completions, R"({"prompt":["a",false]})",
         "'prompt[1]' must be a string or an array, got boolean"},
        {"input", Dialect::responses, R"({"input":5})", "'input' must be a string or an array, got number"},
        {"item", Dialect::responses, R"({"input":["x"]})", "'input[0]' must be an object, got string"},
        {"system", Dialect::messages, R"({"messages":[],"system":5})",
         "'system' must be a string or an array, got number"},
        {"localcode", Dialect::plain, R"({"localcode":[]})", "'localcode' must be an object, got array"},
        {"extension, a typo", Dialect::chat, R"({"messages":[],"localcode":{"sesion":"x"}})",
         "unknown key 'sesion' in 'localcode'; did you mean 'session'?"},
        {"extension, nothing near", Dialect::chat, R"({"messages":[],"localcode":{"zzzzzzzzz":1}})",
         "unknown key 'zzzzzzzzz' in 'localcode'; it may hold session, kind, cache, control_vectors, lora, "
         "speculative, priority, deadline_ms, prefix"},
        {"extension type", Dialect::chat, R"({"messages":[],"localcode":{"session":1}})",
         "'localcode.session' must be a string, got number"},
        {"extension value", Dialect::chat, R"({"messages":[],"localcode":{"cache":"no"}})",
         "'localcode.cache' must be \"use\", \"refresh\" or \"off\", got \"no\""},
        {"priority", Dialect::chat, R"({"messages":[],"localcode":{"priority":"high"}})",
         "'localcode.priority' must be a number from -1000000 to 1000000, got string"},
        {"deadline", Dialect::chat, R"({"messages":[],"localcode":{"deadline_ms":-1}})",
         "'localcode.deadline_ms' must be a number that is not negative, got number"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto got = parse_request(c.dialect, c.body);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, Errc::bad_request);
        EXPECT_EQ(got.error().detail, c.detail);
    }
}

TEST(ParseRequest, Depth) {
    const auto nested = [](std::size_t levels) {  // the body itself is one
        return R"({"a":)" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
    };
    const auto filled = [](std::size_t levels) {
        return R"({"a":)" + std::string(levels - 1, '[') + "1" + std::string(levels - 1, ']') + "}";
    };
    for (const std::size_t limit : {std::size_t{2}, std::size_t{16}, std::size_t{256}, std::size_t{1000}}) {
        SCOPED_TRACE(limit);
        EXPECT_TRUE(parse_request(Dialect::plain, nested(limit), limit));
        EXPECT_TRUE(parse_request(Dialect::plain, filled(limit), limit));
        EXPECT_FALSE(parse_request(Dialect::plain, filled(limit + 1), limit));
        const auto deeper = parse_request(Dialect::plain, nested(limit + 1), limit);
        ASSERT_FALSE(deeper);
        EXPECT_NE(deeper.error().detail.find("nested deeper than " + std::to_string(limit) + " levels"),
                  std::string::npos)
            << deeper.error().detail;
    }
    EXPECT_FALSE(parse_request(Dialect::plain, std::string(1'000'000, '[')));
    // the limit holds on the slow path too
    EXPECT_FALSE(parse_request(Dialect::plain, R"({"n":1e999,"a":[[[]]]})", 3));
}

TEST(ParseRequest, LargeBodies) {
    const std::string body =
        R"({"model":"m","messages":[{"role":"user","content":")" + std::string(3u << 20, 'x') + "\"}]}";
    const RequestView v = view_of(Dialect::chat, body);
    EXPECT_EQ(v.prompt_bytes, 3u << 20);
    EXPECT_EQ(v.model, "m");
}

TEST(CheckJson, FindsOddities) {
    std::vector<JsonOddity> odd;
    EXPECT_FALSE(check_json(R"([1,-12345678901234567890,1e5,1e999,0.1,"\ud800x","\ud83d\ude00","\udc00"])", 10, odd));
    ASSERT_EQ(odd.size(), 4u);
    EXPECT_EQ(odd[0].kind, JsonOddity::Kind::number);
    EXPECT_EQ(odd[1].kind, JsonOddity::Kind::number);
    EXPECT_EQ(odd[2].kind, JsonOddity::Kind::surrogate);
    EXPECT_EQ(odd[3].kind, JsonOddity::Kind::surrogate);
}

}  // namespace
}  // namespace lc::api
