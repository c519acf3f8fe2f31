#include <gtest/gtest.h>

#include <limits>

#include "base/base64.hpp"
#include "core/vectors/embeddings.hpp"
#include "core/vectors/rerank.hpp"

namespace lc::vectors {
namespace {

api::RequestView view_of(api::Dialect dialect, const std::string& body) { return api::parse_request(dialect, body).value(); }

TEST(Embeddings, FormsOfInput) {
    const struct {
        const char* name;
        std::string body, wrong;  // wrong: part of the error; empty: fine
        std::size_t count;
    } cases[] = {
        {"a text", R"({"input":"a"})", "", 1},
        {"texts", R"({"input":["a","b"]})", "", 2},
        {"tokens", R"({"input":[1,2,3]})", "", 1},
        {"lists of tokens", R"({"input":[[1,2],[3],"c"]})", "", 3},
        {"llama.cpp's name", R"({"content":"a"})", "", 1},
        {"missing", R"({})", "missing", 0},
        {"empty", R"({"input":[]})", "empty", 0},
        {"an empty list of tokens", R"({"input":["a",[]]})", "input[1]", 0},
        {"texts among tokens", R"({"input":[1,"a"]})", "token numbers", 0},
        {"a negative token", R"({"input":[[1],[-1]]})", "input[1]", 0},
        {"an object", R"({"input":{}})", "must be", 0},
        {"no size", R"({"input":"a","dimensions":0})", "dimensions", 0},
        {"another encoding", R"({"input":"a","encoding_format":"hex"})", "encoding_format", 0},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto asked = parse_embeddings(view_of(api::Dialect::embeddings, c.body), c.body);
        ASSERT_EQ(asked.has_value(), c.wrong.empty());
        if (asked) {
            EXPECT_EQ(asked->inputs.size(), c.count);
        } else {
            EXPECT_NE(asked.error().detail.find(c.wrong), std::string::npos) << asked.error().detail;
        }
    }
    std::string many = R"({"input":[)";
    for (std::size_t i = 0; i <= max_inputs; ++i) many += i ? ",\"\"" : "\"\"";
    many += "]}";
    EXPECT_FALSE(parse_embeddings(view_of(api::Dialect::embeddings, many), many));
}

TEST(Embeddings, BatchesHoldEveryTextOnce) {
    const std::vector<api::Range> items = {{0, 10}, {10, 20}, {20, 120}, {120, 125}, {125, 130}};
    EXPECT_EQ(batch_end(items, 0, 10, 25), 2u);
    EXPECT_EQ(batch_end(items, 2, 10, 25), 3u) << "one over the limit goes alone";
    EXPECT_EQ(batch_end(items, 3, 1, 25), 4u);
    EXPECT_EQ(batch_end(items, 3, 10, 25), 5u);
    EXPECT_EQ(list_of("\"a\",\"b\"", {{0, 3}, {4, 7}}, 0, 2), R"(["a","b"])");
}

TEST(Embeddings, FromTheEngineToTheClient) {
    const float raw[] = {3, 4, 0.5f};
    const std::string packed = to_base64({reinterpret_cast<const char*>(raw), sizeof raw});
    const std::string body = R"({"data":[{"index":0,"embedding":")" + packed + R"("}],"usage":{"prompt_tokens":7}})";
    auto batch = read_embeddings(body, 1);
    ASSERT_TRUE(batch) << batch.error().detail;
    EXPECT_EQ(batch->tokens, 7);
    EXPECT_EQ(batch->vectors[0], (std::vector<float>{3, 4, 0.5f}));
    EXPECT_FALSE(read_embeddings(body, 2)) << "one is missing";
    EXPECT_FALSE(read_embeddings(R"({"data":[{"index":0,"embedding":"AAA="}]})", 1)) << "not a whole number of floats";
    EXPECT_FALSE(read_embeddings(R"({"data":[{"index":3,"embedding":"AAAAAA=="}]})", 1));
    EXPECT_FALSE(read_embeddings("no", 1));

    EXPECT_FALSE(shorten(batch->vectors[0], 4)) << "the model has three";
    ASSERT_TRUE(shorten(batch->vectors[0], 2));
    EXPECT_FLOAT_EQ(batch->vectors[0][0], 0.6f);
    EmbeddingsAnswer answer;
    answer.tokens = 7;
    ASSERT_TRUE(add(answer, {0.5f, -2}));
    ASSERT_TRUE(add(answer, {1, 0}));
    EXPECT_EQ(finish(answer, "m"), R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-2]},)"
                                   R"({"object":"embedding","index":1,"embedding":[1,0]}],"model":"m",)"
                                   R"("usage":{"prompt_tokens":7,"total_tokens":7}})");
    EXPECT_FALSE(add(answer, {std::numeric_limits<float>::infinity()}));
}

TEST(Rerank, FormsOfTheRequest) {
    const std::string good = R"({"query":{"text":"q"},"documents":["a",{"text":"b","title":"t"}],"top_n":9,"return_documents":true})";
    const auto asked = parse_rerank(view_of(api::Dialect::rerank, good), good);
    ASSERT_TRUE(asked) << asked.error().detail;
    EXPECT_EQ(asked->top_n, 2u);
    EXPECT_EQ(list_of(good, asked->documents, 0, 2), R"(["a","b"])");
    const RerankAnswer about{"id", "m", 5};
    EXPECT_EQ(encode(about, *asked, good, {{1, 0.5}}),
              R"({"id":"id","object":"list","model":"m","results":[{"index":1,"relevance_score":0.5,"document":{"text":"b"}}],)"
              R"("usage":{"prompt_tokens":5,"total_tokens":5}})");
    for (const std::string bad : {R"({"documents":["a"]})", R"({"query":"q"})", R"({"query":"q","documents":[]})",
                                  R"({"query":"q","documents":[{"text":1}]})", R"({"query":1,"documents":["a"]})",
                                  R"({"query":"q","documents":["a"],"top_n":-1})", R"({"query":"q","documents":{"a":"b"}})"}) {
        const auto view = api::parse_request(api::Dialect::rerank, bad);
        EXPECT_FALSE(view && parse_rerank(*view, bad)) << bad;
    }
}

TEST(Rerank, BestFirst) {
    EXPECT_EQ(best({{0, 1}, {1, 3}, {2, 3}, {3, -2}}, 3), (std::vector<Score>{{1, 3}, {2, 3}, {0, 1}}));
    EXPECT_TRUE(read_rerank(R"({"results":[{"index":1,"relevance_score":1.5},{"index":0,"relevance_score":-2}]})", 2));
    EXPECT_FALSE(read_rerank(R"({"results":[{"index":0,"relevance_score":1}]})", 2));
    EXPECT_FALSE(read_rerank(R"({"results":[{"index":0,"relevance_score":null}]})", 1));
    EXPECT_FALSE(read_rerank(R"({"results":[{"index":0,"relevance_score":1},{"index":0,"relevance_score":1}]})", 2));
}

TEST(Base64, BothWays) {
    for (const std::string text : {"", "a", "ab", "abc", "\xff\x00\xfe"}) EXPECT_EQ(from_base64(to_base64(text)), text);
    EXPECT_EQ(to_base64("ab"), "YWI=");
    EXPECT_EQ(from_base64("YWI"), "ab");
    for (const auto* bad : {"Y", "YWI=x", "Y WI", "YW=I", "YWJj=", "===="}) EXPECT_FALSE(from_base64(bad)) << bad;
}

}  // namespace
}  // namespace lc::vectors
