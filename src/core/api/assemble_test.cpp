#include "core/api/assemble.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "core/api/recorded.hpp"

namespace lc::api {
namespace {

namespace json = boost::json;

std::vector<sse::Frame> frames_of(std::string_view text) {
    sse::State state;
    std::vector<sse::Frame> out;
    EXPECT_TRUE(sse::step(state, text, out));
    EXPECT_TRUE(sse::at_frame_end(state));
    return out;
}

Result<std::string> assembled(Dialect dialect, std::string_view stream, bool return_tokens = false) {
    Assembly assembly(dialect);
    assembly.return_tokens = return_tokens;
    for (const auto& frame : frames_of(stream)) add(assembly, frame);
    return finish(assembly);
}

/// What differs between two runs of one request is blanked: names, clocks, what the second run finds in the cache.
json::value comparable(std::string_view text) {
    json::error_code fault;
    json::value value = json::parse(text, fault);
    EXPECT_FALSE(fault) << text;
    if (!value.is_object()) return value;
    auto& object = value.as_object();
    for (const char* key : {"id", "created", "id_slot"}) {
        if (object.contains(key)) object[key] = "any";
    }
    if (object.contains("timings")) {
        for (auto& [key, number] : object["timings"].as_object()) {
            if (key != "predicted_n") number = "any";
        }
    }
    if (object.contains("usage")) object["usage"].as_object()["prompt_tokens_details"] = "any";
    if (!object.contains("choices")) return value;
    for (auto& choice : object["choices"].as_array()) {
        auto& message = choice.as_object()["message"];
        if (!message.is_object() || !message.as_object().contains("tool_calls")) continue;
        for (auto& call : message.as_object()["tool_calls"].as_array()) call.as_object()["id"] = "any";
    }
    return value;
}

TEST(Assemble, LikeTheEnginesOwnAnswer) {
    const struct {
        const recorded::Pair& pair;
        Dialect dialect;
    } cases[] = {
        {recorded::chat, Dialect::chat},
        {recorded::without_usage, Dialect::chat},
        {recorded::logprobs, Dialect::chat},
        {recorded::two_choices, Dialect::chat},
        {recorded::stop_word, Dialect::chat},
        {recorded::tool_call, Dialect::chat},
        {recorded::completions, Dialect::completions},
        {recorded::completions_logprobs, Dialect::completions},
        {recorded::native, Dialect::completions},
        {recorded::native_probs, Dialect::completions},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(std::string(c.pair.name));
        const auto got = assembled(c.dialect, c.pair.stream, c.pair.name == "native");
        ASSERT_TRUE(got) << got.error().detail;
        EXPECT_EQ(comparable(*got), comparable(c.pair.whole)) << *got;
    }
}

TEST(Assemble, NumbersComeOutAsTheyWentIn) {
    const auto got =
        assembled(Dialect::chat,
                  "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\u00e9\\ud83d\"}}],\"id\":\"x\"}\n\n"
                  "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ude00\"},\"finish_reason\":\"stop\"}],"
                  "\"timings\":{\"prompt_ms\":11.096026822451442},\"big\":123456789012345678901234567890}\n\n");
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(*got,
              "{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
              "\"a\\u00e9\\ud83d\\ude00\"}}],\"id\":\"x\",\"timings\":{\"prompt_ms\":11.096026822451442},"
              "\"big\":123456789012345678901234567890,\"usage\":{\"completion_tokens\":0,\"prompt_tokens\":0,"
              "\"total_tokens\":0,\"prompt_tokens_details\":{\"cached_tokens\":0}}}");
}

std::string chunk(std::string_view delta, std::string_view finish = "null", std::string_view index = "0") {
    std::string out = "data: {\"choices\":[{\"index\":";
    out.append(index).append(",\"delta\":").append(delta).append(",\"finish_reason\":").append(finish);
    return out + "}],\"object\":\"chat.completion.chunk\"}\n\n";
}

TEST(Assemble, Chat) {
    const struct {
        const char* name;
        std::string stream;
        const char* want;  ///< the first choice's message
    } cases[] = {
        {"reasoning",
         chunk(R"({"role":"assistant","content":null})") + chunk(R"({"reasoning_content":"h"})") +
             chunk(R"({"reasoning_content":"m"})") + chunk(R"({"content":"x"})") + chunk("{}", "\"stop\""),
         R"({"role":"assistant","content":"x","reasoning_content":"hm"})"},
        {"two calls",
         chunk(
             R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"read","arguments":"{"}}]})") +
             chunk(R"({"tool_calls":[{"index":0,"function":{"arguments":"}"}}]})") +
             chunk(
                 R"({"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"grep","arguments":"{\"q\":1}"}}]})") +
             chunk("{}", "\"tool_calls\""),
         R"({"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"read","arguments":"{}"},"id":"a"},{"type":"function","function":{"name":"grep","arguments":"{\"q\":1}"},"id":"b"}]})"},
        {"calls without index",
         chunk(R"({"tool_calls":[{"id":"a","function":{"name":"read","arguments":"{"}}]})") +
             chunk(R"({"tool_calls":[{"function":{"arguments":"}"}}]})") +
             chunk(R"({"tool_calls":[{"id":"b","function":{"name":"grep","arguments":"{}"}}]})") +
             chunk("{}", "\"tool_calls\""),
         R"({"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"read","arguments":"{}"},"id":"a"},{"type":"function","function":{"name":"grep","arguments":"{}"},"id":"b"}]})"},
        {"both under the number 0",
         chunk(
             R"({"tool_calls":[{"index":0,"id":"a","function":{"name":"read","arguments":"{}"}},{"index":0,"id":"b","function":{"name":"grep","arguments":"{}"}}]})") +
             chunk("{}", "\"tool_calls\""),
         R"({"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"read","arguments":"{}"},"id":"a"},{"type":"function","function":{"name":"grep","arguments":"{}"},"id":"b"}]})"},
        {"unknown members stay",
         chunk(R"({"content":"x","audio":{"id":1}})") + chunk(R"({"audio":{"id":2}})", "\"stop\""),
         R"({"role":"assistant","content":"x","audio":{"id":2}})"},
        {"empty", chunk("{}", "\"stop\""), R"({"role":"assistant","content":""})"},
        {"comments and progress", ": ping\n\n" + chunk(R"({"content":"x"})", "\"stop\"") + "data: [DONE]\n\n",
         R"({"role":"assistant","content":"x"})"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto got = assembled(Dialect::chat, c.stream);
        ASSERT_TRUE(got) << got.error().detail;
        const auto value = json::parse(*got);
        EXPECT_EQ(value.at("object").as_string(), "chat.completion");
        EXPECT_EQ(value.at("choices").at(0).at("message"), json::parse(c.want)) << *got;
    }
}

TEST(Assemble, UsageOfTheFirstChoice) {
    const auto got =
        assembled(Dialect::chat,
                  chunk(R"({"content":"b"})", "\"stop\"", "1") + "data: {\"choices\":[],\"usage\":{\"n\":1}}\n\n" +
                      chunk(R"({"content":"a"})", "\"stop\"", "0") + "data: {\"choices\":[],\"usage\":{\"n\":0}}\n\n" +
                      chunk(R"({"content":"c"})", "\"stop\"", "2") + "data: {\"choices\":[],\"usage\":{\"n\":2}}\n\n");
    ASSERT_TRUE(got);
    const auto value = json::parse(*got);
    EXPECT_EQ(value.at("usage").at("n").as_int64(), 0);
    EXPECT_EQ(value.at("choices").as_array().size(), 3u);
    EXPECT_EQ(value.at("choices").at(2).at("message").at("content").as_string(), "c");
    const auto one = assembled(Dialect::chat, chunk("{}", "\"stop\"", "0") + chunk("{}", "\"stop\"", "1") +
                                                  "data: {\"choices\":[],\"usage\":{\"n\":7}}\n\n");
    ASSERT_TRUE(one);
    EXPECT_EQ(json::parse(*one).at("usage").at("n").as_int64(), 7);
}

TEST(Assemble, ResponseFields) {
    const auto got = assembled(Dialect::completions,
                               "data: {\"index\":0,\"content\":\"a\",\"stop\":false}\n\ndata: {\"content\":\"\"}\n\n");
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(*got, R"({"content":"a"})");
    const auto nothing =
        assembled(Dialect::completions, "data: {\"index\":0,\"content\":\"a\",\"stop\":false}\n\ndata: {}\n\n");
    ASSERT_TRUE(nothing);
    EXPECT_EQ(*nothing, "{}");
}

TEST(Assemble, Failures) {
    const struct {
        const char* name;
        Dialect dialect;
        std::string stream;
        Errc want;
    } cases[] = {
        {"nothing", Dialect::chat, "", Errc::upstream_error},
        {"only pings", Dialect::chat, ": a\n\n", Errc::upstream_error},
        {"cut", Dialect::chat, chunk(R"({"content":"x"})"), Errc::upstream_error},
        {"one of two choices cut", Dialect::chat, chunk("{}", "\"stop\"", "0") + chunk("{}", "null", "1"),
         Errc::upstream_error},
        {"cut, though the end is there", Dialect::chat, chunk(R"({"content":"x"})") + "data: [DONE]\n\n",
         Errc::upstream_error},
        {"not JSON", Dialect::chat, chunk("{}", "\"stop\"") + "data: {oops\n\n", Errc::upstream_error},
        {"error object", Dialect::chat,
         chunk(R"({"content":"x"})") +
             "data: {\"error\":{\"code\":503,\"message\":\"no slot\",\"type\":\"unavailable_error\"}}\n\n",
         Errc::overloaded},
        {"overflow in mid-stream", Dialect::chat,
         chunk(R"({"content":"x"})") + "data: {\"error\":{\"code\":500,\"message\":\"Context size has been "
                                       "exceeded.\",\"type\":\"server_error\"}}\n\n",
         Errc::context_length_exceeded},
        {"error field", Dialect::chat,
         "error: {\"code\":400,\"message\":\"bad\",\"type\":\"invalid_request_error\"}\n\n", Errc::bad_request},
        {"native, cut", Dialect::completions, "data: {\"index\":0,\"content\":\"a\",\"stop\":false}\n\n",
         Errc::upstream_error},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto got = assembled(c.dialect, c.stream);
        ASSERT_FALSE(got) << *got;
        EXPECT_EQ(got.error().code, c.want);
        EXPECT_FALSE(got.error().detail.empty());
    }
}

TEST(Assemble, Dialects) {
    EXPECT_TRUE(can_assemble(Dialect::chat));
    EXPECT_TRUE(can_assemble(Dialect::completions));
    EXPECT_TRUE(can_assemble(Dialect::fim));
    for (const Dialect d : {Dialect::infill, Dialect::messages, Dialect::responses, Dialect::embeddings, Dialect::rerank,
                            Dialect::plain}) {
        EXPECT_FALSE(can_assemble(d));
    }
}

}  // namespace
}  // namespace lc::api
