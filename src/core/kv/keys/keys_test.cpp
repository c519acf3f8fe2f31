#include "core/kv/keys/keys.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "core/api/json_dom.hpp"
#include "core/kv/keys/canonical.hpp"
#include "core/kv/keys/media.hpp"

namespace lc::kv {
namespace {

using api::Dialect;

MessageKeys keys_of(std::string_view body, Dialect dialect = Dialect::chat) {
    const auto view = api::parse_request(dialect, body);
    EXPECT_TRUE(view) << body << ": " << (view ? "" : view.error().detail);
    return view ? message_keys(*view, body) : MessageKeys{};
}

std::string canonical_of(std::string_view raw) {
    std::string out;
    append_canonical(out, raw);
    return out;
}

TEST(Canonical, OneTextForEqualValues) {
    const struct {
        const char *raw, *want;
    } cases[] = {
        {R"({"b":1,"a":[ 1.0, 1, 1e0 ,true,null]})", R"({"a":[1.0,1,1e0,true,null],"b":1})"},
        {R"({"a":1,"a":2})", R"({"a":2})"},
        {R"({"\u0061":1,"b":2,"a":3})", R"({"a":3,"b":2})"},
        {R"("\u0041\/\u000a\n\u001f\u00e9")", "\"A/\\n\\n\\u001f\u00e9\""},
        {R"("\ud83d\ude00")", "\"\U0001f600\""},
        {R"("\ud83d x \ude00")", "\"\uFFFD x \uFFFD\""},
        {R"("\ud83d\ud83d\ude00")", "\"\uFFFD\U0001f600\""},
        {R"("\u0022\u005c")", R"("\"\\")"},
        {R"({ "a" : { } , "b" : [ ] })", R"({"a":{},"b":[]})"},
        {R"(123456789012345678901234567890)", R"(123456789012345678901234567890)"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(canonical_of(c.raw), c.want);
        EXPECT_EQ(canonical_of(c.want), c.want) << "canonical text stays as it is";
    }
    EXPECT_EQ(string_value(R"("a\n\u00e9\ud83d\ude00\"\\\/")"), "a\n\u00e9\U0001f600\"\\/");
    const std::string deep = std::string(2000, '[') + std::string(2000, ']');
    EXPECT_LT(canonical_of(deep).size(), 2000u);
    for (const char* broken : {"\"", "{", "[", "{\"", "{\"a\"", "{\"a\":", "[1", "\"\\", "\"\\u", "\"\\u12"}) {
        (void)canonical_of(broken);  // must stay in bounds
        (void)string_value(broken);
    }
}

TEST(Keys, SameRenderingSameKeys) {
    const struct {
        const char *name, *a, *b;
    } cases[] = {
        {"white space and order", R"({"messages":[{"role":"user","content":"hi"}]})",
         R"({ "model":"x", "messages" : [ {"content" : "hi", "role":"user" } ] , "temperature":0.3})"},
        {"string is a text part", R"({"messages":[{"role":"user","content":"hi"}]})",
         R"({"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]})"},
        {"escapes", R"({"messages":[{"role":"user","content":"h\u0069"}]})",
         R"({"messages":[{"role":"user","content":"hi"}]})"},
        {"no content", R"({"messages":[{"role":"assistant","content":null,"tool_calls":[]}]})",
         R"({"messages":[{"role":"assistant","content":""}]})"},
        {"empty list", R"({"messages":[{"role":"assistant","content":[]}]})", R"({"messages":[{"role":"assistant"}]})"},
        {"arguments",
         R"({"messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"b\": 1, \"a\":2}"}}]}]})",
         R"({"messages":[{"role":"assistant","tool_calls":[{"id":"2","type":"function","index":0,"function":{"name":"f","arguments":{"a":2,"b":1}}}]}]})"},
        {"tools",
         R"({"tools":[{"type":"function","function":{"name":"f","description":"","parameters":{"b":1,"a":2}}}],"messages":[]})",
         R"({"messages":[],"tools":[{"function":{"parameters":{"a":2,"b":1},"name":"f","strict":false},"type":"function","cache_control":{}}]})"},
        {"no tools", R"({"tools":[],"messages":[]})", R"({"messages":[]})"},
        {"image detail",
         R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk=","detail":"low"}}]}]})",
         R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,aGk"}}]}]})"},
        {"empty options", R"({"chat_template_kwargs":{},"reasoning_effort":null,"messages":[]})", R"({"messages":[]})"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(keys_of(c.a), keys_of(c.b));
    }
}

TEST(Keys, DifferentRenderingDifferentKeys) {
    const char* bodies[] = {
        R"({"messages":[{"role":"user","content":"hi"}]})",
        R"({"messages":[{"role":"assistant","content":"hi"}]})",
        R"({"messages":[{"role":"system","content":"hi"}]})",
        R"({"messages":[{"role":"developer","content":"hi"}]})",
        R"({"messages":[{"role":"user","content":"hi "}]})",
        R"({"messages":[{"role":"user","content":"hi","name":"n"}]})",
        R"({"messages":[{"role":"user","content":[{"type":"text","text":"h"},{"type":"text","text":"i"}]}]})",
        R"({"messages":[{"role":"user","content":"hi"}],"reasoning_effort":"low"})",
        R"({"messages":[{"role":"user","content":"hi"}],"chat_template_kwargs":{"enable_thinking":false}})",
        R"({"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f"}}]})",
        R"({"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","description":"d"}}]})",
        R"({"messages":[{"role":"assistant","content":"hi","reasoning_content":"r"}]})",
        R"({"messages":[{"role":"assistant","content":"hi","tool_calls":[{"function":{"name":"f","arguments":"{"}}]}]})",
        R"({"messages":[{"role":"assistant","content":"hi","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]})",
        R"({"messages":[{"role":"assistant","content":"hi","tool_calls":[{"function":{"name":"g","arguments":"{}"}}]}]})",
        R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]}]})",
        R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/aGk="}}]}]})",
        R"({"messages":[{"role":"user","content":"hi"},{"role":"user","content":""}]})",
        R"({"messages":[{"role":"user","content":"hi"},{"role":"user","content":"hi"}]})",
        R"({"messages":[{"role":"user","content":"{\"text\":\"hi\"}"}]})",
    };
    std::set<Digest> seen;
    for (const char* body : bodies) EXPECT_TRUE(seen.insert(keys_of(body).last()).second) << body;
}

TEST(Keys, ChainFollowsTheMessages) {
    const auto a = keys_of(
        R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"1"},{"role":"assistant","content":"2"}]})");
    const auto b = keys_of(
        R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"1"},{"role":"assistant","content":"x"},{"role":"user","content":"3"}]})");
    EXPECT_EQ(a.n_system, 1u);
    ASSERT_EQ(a.messages.size(), 2u);
    ASSERT_EQ(b.messages.size(), 3u);
    EXPECT_EQ(a.head, b.head);
    EXPECT_EQ(a.messages[0], b.messages[0]);
    EXPECT_NE(a.messages[1], b.messages[1]);
}

TEST(Keys, OtherDialects) {
    const auto chat = keys_of(
        R"({"tools":[{"type":"function","function":{"name":"f","parameters":{"a":1}}}],"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":2}"}}]}]})");
    EXPECT_EQ(
        keys_of(
            R"({"tools":[{"name":"f","input_schema":{"a":1},"cache_control":{"type":"ephemeral"}}],"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{"a":2}}]}]})",
            Dialect::messages),
        chat);
    EXPECT_EQ(
        keys_of(
            R"({"tools":[{"type":"function","name":"f","parameters":{"a":1}}],"instructions":"s","input":[{"id":"m1","type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"function_call","call_id":"c","id":"fc","name":"f","arguments":"{\"a\":2}"}]})",
            Dialect::responses),
        chat);
    EXPECT_EQ(
        keys_of(
            R"({"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}]}]})",
            Dialect::messages),
        keys_of(
            R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]}]})"));
    EXPECT_NE(
        keys_of(R"({"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"}]}]})",
                Dialect::messages),
        keys_of(R"({"messages":[{"role":"user","content":"r"}]})", Dialect::messages));
    EXPECT_EQ(keys_of(R"({"prompt":"p"})", Dialect::completions).messages.size(), 1u);
    EXPECT_NE(keys_of(R"({"prompt":"p"})", Dialect::completions), keys_of(R"({"prompt":"q"})", Dialect::completions));
}

TEST(Keys, MediaByBytes) {
    EXPECT_EQ(media_bytes_digest("data:image/png;base64,aGk=", false), sha256("hi"));
    EXPECT_EQ(media_bytes_digest("aGk=", true), sha256("hi"));
    EXPECT_EQ(media_bytes_digest("https://a/b", false), sha256("https://a/b"));
    EXPECT_EQ(media_bytes_digest("data:image/png,hi", false), sha256("data:image/png,hi"));
    EXPECT_EQ(media_bytes_digest("data:image/png;base64,!!", false), sha256("data:image/png;base64,!!"));
}

std::string read_all(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

/// The document's vectors. With LOCALCODE_WRITE_GOLDEN set, prints what the keys are.
TEST(Keys, VectorsOfTheDocument) {
    const auto path = std::filesystem::path(__FILE__).parent_path() / "../../../../docs/formats/keys.json";
    const std::string text = read_all(path);
    const auto root = api::parse_json(text);
    ASSERT_TRUE(root) << path;
    struct Vector {
        std::string name, dialect, body;
        std::vector<std::string> texts, keys;
    };
    std::vector<Vector> vectors;  // copied: the parsed document is gone with the next one
    for (const api::Json entry : root->root.get_array()) {
        Vector& v = vectors.emplace_back();
        v.name = api::text_at(entry, "name");
        v.dialect = api::text_at(entry, "dialect");
        v.body = api::text_at(entry, "body");
        for (const api::Json item : entry["texts"].get_array()) v.texts.emplace_back(api::text_of(item));
        for (const api::Json item : entry["keys"].get_array()) v.keys.emplace_back(api::text_of(item));
    }
    EXPECT_GE(vectors.size(), 5u);
    for (const Vector& v : vectors) {
        SCOPED_TRACE(v.name);
        const Dialect dialect = v.dialect == "messages"    ? Dialect::messages
                                : v.dialect == "responses" ? Dialect::responses
                                                           : Dialect::chat;
        const auto view = api::parse_request(dialect, v.body);
        ASSERT_TRUE(view);
        EXPECT_EQ(canonical_texts(*view, v.body), v.texts);
        const auto keys = message_keys(*view, v.body);
        std::vector<std::string> got{hex(keys.head)};
        for (const Digest& key : keys.messages) got.push_back(hex(key));
        EXPECT_EQ(got, v.keys);
        if (std::getenv("LOCALCODE_WRITE_GOLDEN") != nullptr) {
            for (const auto& t : canonical_texts(*view, v.body)) std::cout << t << '\n';
            for (const auto& k : got) std::cout << k << '\n';
        }
    }
}

/// The size and shape of a coding agent's first request: 9.6 kB of system text, ten tools of 2 kB each.
std::string large_body() {
    std::string out = R"({"model":"m","stream":true,"messages":[{"role":"system","content":")";
    for (int i = 0; i < 120; ++i)
        out +=
            R"(- Use \"tools\" for line )" + std::to_string(i) + R"( and say why in a few words that fill the line.\n)";
    out += R"("},{"role":"user","content":"fix the bug"}],"tools":[)";
    for (int t = 0; t < 10; ++t) {
        out += (t ? "," : "") + std::string(R"({"type":"function","function":{"name":"tool)") + std::to_string(t) +
               R"(","description":")";
        for (int i = 0; i < 14; ++i)
            out += R"(Does what a tool does, with a \"quoted\" word and text that goes on for a line or so.\n)";
        out += R"(","parameters":{"type":"object","required":["path"],"properties":{)";
        for (int i = 0; i < 6; ++i) {
            out += (i ? ",\"p" : "\"p") + std::to_string(i) +
                   R"(":{"type":"string","description":"a parameter that is described at some length"})";
        }
        out += R"(},"additionalProperties":false}}})";
    }
    return out + "]}";
}

TEST(Keys, FastEnough) {
    const std::string body = large_body();
    const auto view = api::parse_request(Dialect::chat, body);
    ASSERT_TRUE(view);
    constexpr int rounds = 200;
    const auto begin = std::clock();  // of the processor: other programs do not count
    Digest last{};
    for (int i = 0; i < rounds; ++i) last = message_keys(*view, body).last();
    const double took = 1e6 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    std::cout << "message_keys: " << body.size() << " bytes: " << took / rounds << " us (" << hex(last).substr(0, 8)
              << ")\n";
    EXPECT_LT(took / rounds, 20'000) << "300 us is the aim of a release build";
}

}  // namespace
}  // namespace lc::kv
