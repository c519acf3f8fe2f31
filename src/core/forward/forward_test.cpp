#include "core/forward/forward.hpp"

#include <gtest/gtest.h>

namespace lc::forward {

namespace {

struct Case {
    api::RequestView view;
    std::string body;
    std::string target;
    std::vector<api::HeaderField> fields;
    api::EndpointMatch match;
    [[nodiscard]] Incoming incoming() const {
        return {match.endpoint, match.dialect, "POST", target, fields, body, &view};
    }
};

Case make(std::string target, std::string body, std::vector<api::HeaderField> fields = {}) {
    Case c;
    c.match = api::match_endpoint("POST", target);
    auto view = api::parse_request(c.match.dialect, body);
    EXPECT_TRUE(view) << view.error().detail;
    if (view) c.view = std::move(*view);
    c.body = std::move(body);
    c.target = std::move(target);
    c.fields = std::move(fields);
    return c;
}

std::string value(const Outgoing& out, std::string_view name) { return std::string(api::header(out.fields, name)); }

}  // namespace

TEST(Forward, BackendGetsTheBodyByteForByte) {
    const std::string body = R"({ "model":"m", "x": 1.00000000000000000001, "x":2 , "messages":[] })";
    const auto c = make("/v1/chat/completions?a=b", body);
    const auto out = to_backend(c.incoming(), "m", {});
    EXPECT_EQ(out.body, body);
    EXPECT_EQ(out.target, "/chat/completions?a=b") << "what the client says in the query is the backend's to read";
    EXPECT_FALSE(out.assemble);
}

TEST(Forward, ModelIsRewrittenAndOurOwnObjectRemoved) {
    const auto c = make("/v1/chat/completions", R"({"model":"b/m","localcode":{"session":"s"},"n":1.0,"messages":[]})");
    EXPECT_EQ(to_backend(c.incoming(), "m", {}).body, R"({"model":"m","n":1.0,"messages":[]})");
}

TEST(Forward, FieldsForABackend) {
    const std::vector<api::HeaderField> fields = {
        {"Authorization", "Bearer client"}, {"X-Api-Key", "client"}, {"Cookie", "c"},       {"X-Conversation-Id", "1"},
        {"x-session-id", "s"},              {"Accept-Encoding", "gzip"}, {"User-Agent", "ua"}, {"X-LocalCode-Kind", "k"}};
    const auto c = make("/v1/chat/completions", R"({"messages":[]})", fields);

    const auto open = to_backend(c.incoming(), "m", {});
    EXPECT_EQ(value(open, "authorization"), "Bearer client") << "a gateway without keys of its own passes the client's";
    EXPECT_EQ(value(open, "cookie"), "");
    EXPECT_EQ(value(open, "x-conversation-id"), "");
    EXPECT_EQ(value(open, "x-localcode-kind"), "");
    EXPECT_EQ(value(open, "x-session-id"), "s");
    EXPECT_EQ(value(open, "user-agent"), "ua");
    EXPECT_EQ(value(open, "accept-encoding"), "identity");

    BackendRules keyed;
    keyed.gateway_has_keys = true;
    EXPECT_EQ(value(to_backend(c.incoming(), "m", keyed), "authorization"), "") << "our key never leaves";
    keyed.key = "secret";
    const auto out = to_backend(c.incoming(), "m", keyed);
    EXPECT_EQ(value(out, "authorization"), "Bearer secret");
    EXPECT_EQ(value(out, "x-api-key"), "");

    const std::map<std::string, std::string> extra = {{"x-team", "t"}, {"User-Agent", "LocalCode"}};
    keyed.fields = &extra;
    const auto more = to_backend(c.incoming(), "m", keyed);
    EXPECT_EQ(value(more, "x-team"), "t");
    EXPECT_EQ(value(more, "user-agent"), "LocalCode");
}

TEST(Forward, EngineIsAskedForAStream) {
    const struct {
        const char* name;
        const char* target;
        const char* body;
        bool assemble;
        const char* want;
    } cases[] = {
        {"chat without stream", "/v1/chat/completions", R"({"model":"m","messages":[]})", true,
         R"({"model":"m","messages":[],"stream":true,"return_progress":true})"},
        {"stream false is replaced", "/v1/chat/completions", R"({"model":"m","stream":false,"messages":[]})", true,
         R"({"model":"m","stream":true,"messages":[],"return_progress":true})"},
        {"chat with stream", "/v1/chat/completions", R"({"model":"m","stream":true,"messages":[]})", false,
         R"({"model":"m","stream":true,"messages":[],"return_progress":true})"},
        {"progress asked for already", "/v1/chat/completions",
         R"({"model":"m","stream":true,"return_progress":true,"messages":[]})", false,
         R"({"model":"m","stream":true,"return_progress":true,"messages":[]})"},
        {"logprobs with tools cannot stream", "/v1/chat/completions",
         R"({"model":"m","logprobs":true,"tools":[{"type":"function","function":{"name":"f"}}],"messages":[]})", false,
         R"({"model":"m","logprobs":true,"tools":[{"type":"function","function":{"name":"f"}}],"messages":[]})"},
        {"one prompt", "/v1/completions", R"({"model":"m","prompt":"a"})", true,
         R"({"model":"m","prompt":"a","stream":true,"return_progress":true})"},
        {"several prompts go as they came", "/v1/completions", R"({"model":"m","prompt":["a","b"]})", false,
         R"({"model":"m","prompt":["a","b"]})"},
        {"llama.cpp's own shape goes as it came", "/completion", R"({"model":"m","prompt":"a"})", false,
         R"({"model":"m","prompt":"a"})"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto request = make(c.target, c.body);
        const auto out = to_engine(request.incoming(), "m");
        EXPECT_EQ(out.assemble, c.assemble);
        EXPECT_EQ(out.body, c.want);
    }
}

TEST(Forward, WhichRefusalsPassAsTheyCame) {
    EXPECT_TRUE(passes_as_it_came(400, Errc::bad_request));
    EXPECT_TRUE(passes_as_it_came(418, Errc::upstream_error));
    EXPECT_FALSE(passes_as_it_came(400, Errc::context_length_exceeded)) << "clients know our wording";
    EXPECT_FALSE(passes_as_it_came(401, Errc::unauthorized)) << "the backend refused our key, not the client's";
    EXPECT_FALSE(passes_as_it_came(429, Errc::rate_limited));
    EXPECT_FALSE(passes_as_it_came(500, Errc::upstream_error));
}

TEST(Forward, RetryAfterInAllItsForms) {
    constexpr std::int64_t now = 784'111'777'000;  // Sun, 06 Nov 1994 08:49:37 GMT
    const struct {
        const char* name;
        const char* after;
        const char* after_ms;
        RetryAfter want;
    } cases[] = {
        {"nothing", "", "", {0, ""}},
        {"seconds", " 17 ", "", {17, ""}},
        {"a part of a second is a whole one", "0.4", "", {1, ""}},
        {"too long", "999999999", "", {86'400, ""}},
        {"a date", "Sun, 06 Nov 1994 08:50:37 GMT", "", {60, ""}},
        {"a date of RFC 850", "Sunday, 06-Nov-94 08:49:47 GMT", "", {10, ""}},
        {"a date of asctime", "Sun Nov  6 08:49:39 1994", "", {2, ""}},
        {"a date that has passed", "Sun, 06 Nov 1994 08:00:00 GMT", "", {0, ""}},
        {"a date far off", "Sun, 06 Nov 2094 08:00:00 GMT", "", {86'400, ""}},
        {"milliseconds alone", "", "1500", {2, "1500"}},
        {"both", "3", "2500.5", {3, "2500.5"}},
        {"no numbers", "soon", "later", {0, ""}},
        {"negative", "-1", "-5", {0, ""}},
        {"an exponent, infinity", "1e9", "inf", {0, ""}},
        {"many digits", "99999999999999999999999999", "99999999999999999999999999", {0, ""}},
        {"a header in a header", "1\r\nx: y", "1\r\nx: y", {0, ""}},
        {"a date with more behind it", "Sun, 06 Nov 1994 08:50:37 GMT, or so", "", {0, ""}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(retry_after(c.after, c.after_ms, now), c.want);
    }
}

TEST(Forward, WhereTokensAreCounted) {
    EXPECT_EQ(counting_path(api::Endpoint::chat_completions), "/v1/chat/completions/input_tokens");
    EXPECT_EQ(counting_path(api::Endpoint::messages), "/v1/messages/count_tokens");
    EXPECT_EQ(counting_path(api::Endpoint::responses), "/v1/responses/input_tokens");
    EXPECT_EQ(counting_path(api::Endpoint::completions), "");
}

TEST(Forward, EnginePaths) {
    const struct {
        const char* asked;
        const char* want;
        const char* body;
    } cases[] = {
        {"/chat/completions", "/v1/chat/completions", R"({"messages":[]})"},
        {"/v1/messages?beta=true", "/v1/messages", R"({"messages":[]})"},
        {"/completions", "/completion", R"({"prompt":"a"})"},
        {"/v1/completions", "/v1/completions", R"({"prompt":"a"})"},
        {"/infill", "/infill", R"({"input_prefix":"a"})"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.asked);
        const auto request = make(c.asked, c.body);
        EXPECT_EQ(to_engine(request.incoming(), "m").target, c.want);
    }
}

}  // namespace lc::forward
