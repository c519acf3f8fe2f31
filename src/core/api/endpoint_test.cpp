#include "core/api/endpoint.hpp"

#include <gtest/gtest.h>

namespace lc::api {
namespace {

using E = Endpoint;
using D = Dialect;

TEST(Endpoint, EveryPath) {
    const struct {
        const char* method;
        const char* target;
        E endpoint;
        D dialect;
        const char* param;
        const char* rest;
    } cases[] = {
        {"POST", "/v1/chat/completions", E::chat_completions, D::chat, "", "/v1/chat/completions"},
        {"POST", "/chat/completions", E::chat_completions, D::chat, "", "/chat/completions"},
        {"POST", "/v1/completions", E::completions, D::completions, "", "/v1/completions"},
        {"POST", "/completions", E::completions, D::completions, "", "/completions"},
        {"POST", "/completion", E::completions, D::completions, "", "/completion"},
        {"POST", "/infill", E::infill, D::infill, "", "/infill"},
        {"POST", "/v1/fim/completions", E::fim_completions, D::fim, "", "/v1/fim/completions"},
        {"POST", "/v1/messages", E::messages, D::messages, "", "/v1/messages"},
        {"POST", "/v1/messages?beta=true", E::messages, D::messages, "", "/v1/messages?beta=true"},
        {"POST", "/v1/messages/count_tokens", E::messages_count, D::messages, "", "/v1/messages/count_tokens"},
        {"POST", "/v1/responses", E::responses, D::responses, "", "/v1/responses"},
        {"POST", "/responses", E::responses, D::responses, "", "/responses"},
        {"POST", "/v1/embeddings", E::embeddings, D::embeddings, "", "/v1/embeddings"},
        {"POST", "/embeddings", E::embeddings, D::embeddings, "", "/embeddings"},
        {"POST", "/embedding", E::embeddings, D::embeddings, "", "/embedding"},
        {"POST", "/v1/rerank", E::rerank, D::rerank, "", "/v1/rerank"},
        {"POST", "/v2/rerank", E::rerank, D::rerank, "", "/v2/rerank"},
        {"POST", "/rerank", E::rerank, D::rerank, "", "/rerank"},
        {"POST", "/reranking", E::rerank, D::rerank, "", "/reranking"},
        {"GET", "/v1/models", E::models, D::plain, "", "/v1/models"},
        {"GET", "/v1/models?limit=1000", E::models, D::plain, "", "/v1/models?limit=1000"},
        {"GET", "/models", E::models, D::plain, "", "/models"},
        {"GET", "/v1/models/coder", E::model, D::plain, "coder", ""},
        {"GET", "/v1/models/org%2Frepo%3Aq4", E::model, D::plain, "org/repo:q4", ""},
        {"GET", "/v1/models/org/repo:q4", E::model, D::plain, "org/repo:q4", ""},
        {"GET", "/models/coder/", E::model, D::plain, "coder", ""},
        {"POST", "/tokenize", E::engine_query, D::plain, "", "/tokenize"},
        {"POST", "/detokenize", E::engine_query, D::plain, "", "/detokenize"},
        {"POST", "/apply-template", E::engine_query, D::plain, "", "/apply-template"},
        {"GET", "/props", E::engine_query, D::plain, "", "/props"},
        {"GET", "/props?model=a", E::engine_query, D::plain, "", "/props?model=a"},
        {"GET", "/slots", E::engine_query, D::plain, "", "/slots"},
        {"GET", "/lora-adapters", E::engine_query, D::plain, "", "/lora-adapters"},
        {"POST", "/v1/chat/completions/input_tokens", E::engine_query, D::plain, "",
         "/v1/chat/completions/input_tokens"},
        {"POST", "/v1/responses/input_tokens", E::engine_query, D::plain, "", "/v1/responses/input_tokens"},
        {"POST", "/upstream/coder/tokenize", E::upstream, D::plain, "coder", "/tokenize"},
        {"GET", "/upstream/coder", E::upstream, D::plain, "coder", "/"},
        {"GET", "/upstream/coder/", E::upstream, D::plain, "coder", "/"},
        {"DELETE", "/upstream/a%2Fb/x%20y/?q=1&r=%2F", E::upstream, D::plain, "a/b", "/x%20y/?q=1&r=%2F"},
        {"GET", "/upstream/coder?x=1", E::upstream, D::plain, "coder", "/?x=1"},
        {"GET", "/upstream/", E::unknown, D::plain, "", ""},
        {"GET", "/upstream", E::unknown, D::plain, "", ""},
        {"GET", "/health", E::health, D::plain, "", "/health"},
        {"GET", "/v1/health", E::health, D::plain, "", "/v1/health"},
        {"GET", "/version", E::version, D::plain, "", "/version"},
        {"GET", "/metrics", E::metrics, D::plain, "", "/metrics"},
        {"GET", "/localcode/v1/status", E::admin, D::plain, "status", ""},
        {"POST", "/localcode/v1/models/a%2Fb/load", E::admin, D::plain, "models/a/b/load", ""},
        {"GET", "/localcode/v1/requests?limit=5", E::admin, D::plain, "requests", "?limit=5"},
        {"GET", "/localcode/v1", E::unknown, D::plain, "", ""},
        {"GET", "/", E::root, D::plain, "", "/"},
        {"HEAD", "/", E::root, D::plain, "", "/"},
        {"GET", "", E::root, D::plain, "", "/"},
        {"HEAD", "/api/hello", E::root, D::plain, "", "/api/hello"},
        {"HEAD", "/health", E::health, D::plain, "", "/health"},
        {"HEAD", "/v1/models", E::models, D::plain, "", "/v1/models"},
        // written otherwise
        {"POST", "/v1/chat/completions/", E::chat_completions, D::chat, "", "/v1/chat/completions"},
        {"POST", "//v1/chat/completions", E::chat_completions, D::chat, "", "/v1/chat/completions"},
        {"GET", "//v1/models/coder", E::model, D::plain, "coder", ""},
        {"GET", "//upstream/coder//x", E::upstream, D::plain, "coder", "//x"},
        {"POST", "/v1//chat/completions", E::chat_completions, D::chat, "", "/v1/chat/completions"},
        {"POST", "/v1/%63hat/completions", E::chat_completions, D::chat, "", "/v1/chat/completions"},
        {"POST", "http://host:4242/v1/chat/completions?a=b", E::chat_completions, D::chat, "",
         "/v1/chat/completions?a=b"},
        {"GET", "http://host", E::root, D::plain, "", "/"},
        {"GET", "http://host?x=/health", E::root, D::plain, "", "/?x=/health"},
        {"GET", "/health#top", E::health, D::plain, "", "/health"},
        // not ours
        {"GET", "/v1/chat", E::unknown, D::plain, "", ""},
        {"POST", "/v1/chat/completionsx", E::unknown, D::plain, "", ""},
        {"GET", "/V1/models", E::unknown, D::plain, "", ""},
        {"GET", "/health%", E::unknown, D::plain, "", ""},
        {"GET", "/health%zz", E::unknown, D::plain, "", ""},
        {"OPTIONS", "*", E::unknown, D::plain, "", ""},
        {"GET", "/../v1/models", E::unknown, D::plain, "", ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(std::string(c.method) + " " + c.target);
        const EndpointMatch got = match_endpoint(c.method, c.target);
        EXPECT_EQ(got.endpoint, c.endpoint);
        EXPECT_EQ(got.dialect, c.dialect);
        EXPECT_EQ(got.param, c.param);
        EXPECT_EQ(got.rest, c.rest);
        EXPECT_TRUE(got.method_ok);
    }
}

TEST(Endpoint, Methods) {
    const struct {
        const char* method;
        const char* target;
        bool ok;
        const char* allow;
    } cases[] = {
        {"GET", "/v1/chat/completions", false, "POST"},
        {"HEAD", "/v1/messages", false, "POST"},
        {"OPTIONS", "/v1/chat/completions", false, "POST"},
        {"POST", "/health", false, "GET, HEAD"},
        {"OPTIONS", "/v1/models", false, "GET, HEAD"},
        {"DELETE", "/v1/models/a", false, "GET, HEAD"},
        {"HEAD", "/v1/models/a", true, "GET, HEAD"},
        {"get", "/health", false, "GET, HEAD"},
        {"", "/health", false, "GET, HEAD"},
        {"PATCH", "/upstream/a/b", true, ""},
        {"DELETE", "/localcode/v1/requests", true, ""},
        {"GET", "/nothing", true, ""},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(std::string(c.method) + " " + c.target);
        const EndpointMatch got = match_endpoint(c.method, c.target);
        EXPECT_EQ(got.method_ok, c.ok);
        EXPECT_EQ(got.allow, c.allow);
    }
}

TEST(Endpoint, DialectNames) {
    EXPECT_EQ(name_of(Dialect::chat), "chat");
    EXPECT_EQ(name_of(Dialect::plain), "plain");
}

}  // namespace
}  // namespace lc::api
