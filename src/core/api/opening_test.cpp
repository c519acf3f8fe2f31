#include "core/api/opening.hpp"

#include <gtest/gtest.h>

#include "core/api/stream_event.hpp"

namespace lc::api {
namespace {

std::string event(std::string_view type, std::string_view more = "") {
    return "event: " + std::string(type) + "\ndata: {\"type\":\"" + std::string(type) + "\"" + std::string(more) +
           "}\n\n";
}

/// The types of the events that go on.
std::string types(Dialect dialect, std::string_view stream, std::string* bytes = nullptr) {
    Opening opening{dialect, "own-id", "m", 7, false};
    const auto frames_of = [](std::string_view text) {
        sse::State state;
        std::vector<sse::Frame> frames;
        EXPECT_TRUE(sse::step(state, text, frames));
        return frames;
    };
    std::string out;
    for (const auto& frame : frames_of(stream)) {
        const auto opened = open_before(opening, frame);
        out += opened.before;
        if (!opened.repeated) out += frame.raw;
    }
    if (bytes) *bytes = out;
    std::string list;
    for (const auto& frame : frames_of(out)) {
        if (!frame.comment_only()) list += (list.empty() ? "" : " ") + frame.event;
    }
    return list;
}

TEST(Opening, IsSuppliedOnce) {
    const std::string start = event("message_start"), block = event("content_block_start"), stop = event("message_stop");
    const std::string created = event("response.created"), going = event("response.in_progress");
    const std::string item = event("response.output_item.added"), done = event("response.completed");
    const struct {
        const char* name;
        Dialect dialect;
        std::string stream, want;
    } cases[] = {
        {"there", Dialect::messages, start + block + stop, "message_start content_block_start message_stop"},
        {"missing", Dialect::messages, block + stop, "message_start content_block_start message_stop"},
        {"nothing but the end", Dialect::messages, event("message_delta") + stop, "message_start message_delta message_stop"},
        {"a ping first", Dialect::messages, event("ping") + block, "ping message_start content_block_start"},
        {"an error", Dialect::messages, event("error"), "error"},
        {"a comment", Dialect::messages, ": hi\n\n" + start, "message_start"},
        {"there", Dialect::responses, created + going + item + done,
         "response.created response.in_progress response.output_item.added response.completed"},
        {"missing", Dialect::responses, item + done,
         "response.created response.in_progress response.output_item.added response.completed"},
        {"half missing", Dialect::responses, going + item, "response.created response.in_progress response.output_item.added"},
        {"again and again", Dialect::responses, created + going + created + going + item + created + going + done,
         "response.created response.in_progress response.in_progress response.output_item.added response.in_progress "
         "response.completed"},
        {"failed", Dialect::responses, event("response.failed"), "response.failed"},
        {"not ours", Dialect::chat, block + item, "content_block_start response.output_item.added"},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(types(c.dialect, c.stream), c.want);
    }
}

TEST(Opening, SaysWhatIsKnown) {
    std::string bytes;
    types(Dialect::messages, event("message_delta", R"(,"usage":{"input_tokens":5,"cache_read_input_tokens":2})"), &bytes);
    EXPECT_NE(bytes.find(R"("id":"own-id","type":"message","role":"assistant","content":[],"model":"m")"), bytes.npos);
    EXPECT_NE(bytes.find(R"("cache_read_input_tokens":2,"input_tokens":5,"output_tokens":0)"), bytes.npos);
    types(Dialect::responses, event("response.completed", R"(,"response":{"id":"resp_1"})"), &bytes);
    EXPECT_EQ(bytes.find("own-id"), bytes.npos);
    EXPECT_NE(bytes.find(R"("response":{"id":"resp_1","object":"response","created_at":7)"), bytes.npos);
    types(Dialect::responses, event("response.output_item.added"), &bytes);
    EXPECT_NE(bytes.find("own-id"), bytes.npos);
}

}  // namespace
}  // namespace lc::api
