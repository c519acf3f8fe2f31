#include "core/api/encode.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "core/api/stream_event.hpp"

namespace lc::api {
namespace {

constexpr Errc all_codes[] = {Errc::bad_request,
                              Errc::unauthorized,
                              Errc::not_found,
                              Errc::too_large,
                              Errc::context_length_exceeded,
                              Errc::unsupported,
                              Errc::rate_limited,
                              Errc::overloaded,
                              Errc::model_load_failed,
                              Errc::upstream_error,
                              Errc::upstream_timeout,
                              Errc::cancelled,
                              Errc::internal};
constexpr Dialect all_dialects[] = {Dialect::chat,       Dialect::completions, Dialect::infill,
                                    Dialect::fim,        Dialect::messages,    Dialect::responses,
                                    Dialect::embeddings, Dialect::rerank,      Dialect::plain};

std::vector<sse::Frame> frames_of(const std::string& text) {
    sse::State state;
    std::vector<sse::Frame> out;
    EXPECT_TRUE(sse::step(state, text, out));
    EXPECT_TRUE(state.pending.empty()) << text;
    return out;
}

TEST(Encode, Status) {
    const int want[] = {400, 401, 404, 413, 400, 400, 429, 503, 503, 502, 504, 499, 500};
    for (std::size_t i = 0; i < std::size(all_codes); ++i) EXPECT_EQ(http_status(all_codes[i]), want[i]) << i;
}

TEST(Encode, Bodies) {
    EXPECT_EQ(error_body(Dialect::chat, {Errc::not_found, "no model \"x\"", 0}),
              R"({"error":{"message":"no model \"x\"","type":"not_found_error","code":"not_found"}})");
    EXPECT_EQ(
        error_body(Dialect::chat, {Errc::context_length_exceeded, "the request exceeds", 0}),
        R"({"error":{"message":"the request exceeds","type":"invalid_request_error","code":"context_length_exceeded"}})");
    EXPECT_EQ(error_body(Dialect::messages, {Errc::overloaded, "busy", 7}),
              R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})");
    EXPECT_EQ(
        error_body(Dialect::messages, {Errc::context_length_exceeded, "9 tokens > 8", 0}),
        R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8"}})");
    EXPECT_EQ(error_body(Dialect::messages, {Errc::context_length_exceeded, "Prompt is too long: 9", 0}),
              R"({"type":"error","error":{"type":"invalid_request_error","message":"Prompt is too long: 9"}})");
    for (const Dialect dialect : all_dialects) {
        for (const Errc code : all_codes) {
            boost::json::error_code fault;
            boost::json::parse(error_body(dialect, {code, "a \"b\"\n\xff", 3}), fault);
            EXPECT_FALSE(fault);
        }
    }
}

TEST(Encode, OverflowInMidStream) {
    const Error overflow{Errc::context_length_exceeded, "the request has 9 tokens", 0};
    EXPECT_EQ(error_frames(Dialect::chat, overflow),
              "data: {\"error\":{\"message\":\"{\\\"type\\\":\\\"error\\\",\\\"error\\\":"
              "{\\\"code\\\":\\\"context_length_exceeded\\\"}}\"}}\n\n");
    EXPECT_EQ(error_frames(Dialect::messages, overflow),
              "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
              "\"prompt is too long: the request has 9 tokens\"}}\n\n");
    EXPECT_EQ(error_frames(Dialect::responses, overflow),
              "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"object\":\"response\","
              "\"status\":\"failed\",\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"the request has 9 "
              "tokens\"}}}\n\n");
}

TEST(Encode, OtherErrorsInMidStream) {
    EXPECT_EQ(error_frames(Dialect::chat, {Errc::upstream_error, "the engine died", 0}),
              "data: {\"error\":{\"message\":\"the engine "
              "died\",\"type\":\"server_error\",\"code\":\"upstream_error\"}}\n\n");
    EXPECT_NE(error_frames(Dialect::responses, {Errc::rate_limited, "slow down.", 7}).find("try again in 7s"),
              std::string::npos);
    EXPECT_NE(error_frames(Dialect::responses, {Errc::bad_request, "no", 0}).find("\"invalid_prompt\""),
              std::string::npos);
}

// What we write, our own reader understands as a failure of the same kind: a chain of gateways keeps its errors.
TEST(Encode, ReadersSeeTheFailure) {
    for (const Dialect dialect : all_dialects) {
        for (const Errc code : all_codes) {
            SCOPED_TRACE(std::string(name_of(dialect)) + " " + std::string(name_of(code)));
            const auto frames = frames_of(error_frames(dialect, {code, "some detail", 0}));
            ASSERT_EQ(frames.size(), 1u);
            StreamReader reader;
            reader.dialect = dialect;
            const auto events = read(reader, frames[0]);
            ASSERT_EQ(events.size(), 1u);
            const auto* failure = std::get_if<StreamFailure>(&events[0]);
            ASSERT_NE(failure, nullptr);
            if (code == Errc::context_length_exceeded || code == Errc::rate_limited) {
                EXPECT_EQ(failure->error.code, code);
            }
        }
    }
}

TEST(Encode, Heartbeats) {
    EXPECT_EQ(
        heartbeat_frame(Dialect::chat, "id1", "m", 17),
        "data: "
        "{\"id\":\"id1\",\"object\":\"chat.completion.chunk\",\"created\":17,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n");
    EXPECT_EQ(heartbeat_frame(Dialect::messages, "id1", "m", 17), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    const auto frames = frames_of(heartbeat_frame(Dialect::responses, "id1", "m", 17));
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].event, "response.in_progress");
    for (const Dialect dialect : all_dialects) {
        SCOPED_TRACE(std::string(name_of(dialect)));
        const auto beat = frames_of(heartbeat_frame(dialect, "a\"b", "m\n", 17));
        ASSERT_EQ(beat.size(), 1u);
        StreamReader reader;
        reader.dialect = dialect;
        EXPECT_TRUE(read(reader, beat[0]).empty()) << "a heartbeat means nothing";
        EXPECT_FALSE(reader.done);
        boost::json::error_code fault;
        if (beat[0].has_data) boost::json::parse(beat[0].data, fault);
        EXPECT_FALSE(fault);
    }
}

TEST(Encode, Comments) {
    EXPECT_EQ(comment_frame(""), ":\n\n");
    EXPECT_EQ(comment_frame("a\nb\r\nc"), ": a b  c\n\n");
    const auto frames = frames_of(comment_frame("data: x\n\ndata: y"));
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_TRUE(frames[0].comment_only());
}

}  // namespace
}  // namespace lc::api
