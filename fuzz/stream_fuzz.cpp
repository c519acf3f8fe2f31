// read() of every dialect on any stream: calls begin before their pieces, indexes count up, an end comes once.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.hpp"
#include "core/api/stream_event.hpp"

using namespace lc;
using namespace lc::api;

static void check_events(const std::vector<StreamEvent>& events, std::vector<bool>& open) {
    for (const auto& event : events) {
        if (const auto* begin = std::get_if<ToolBegin>(&event)) {
            CHECK(begin->index == static_cast<int>(open.size()));
            open.push_back(true);
        } else if (const auto* piece = std::get_if<ToolArguments>(&event)) {
            CHECK(piece->index >= 0 && piece->index < static_cast<int>(open.size()) && !piece->text.empty());
            open[static_cast<std::size_t>(piece->index)] = true;
        } else if (const auto* end = std::get_if<ToolEnd>(&event)) {
            CHECK(end->index >= 0 && end->index < static_cast<int>(open.size()) &&
                  open[static_cast<std::size_t>(end->index)]);
            open[static_cast<std::size_t>(end->index)] = false;
        } else if (const auto* failure = std::get_if<StreamFailure>(&event)) {
            CHECK(!failure->error.detail.empty());
        }
    }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const auto dialect = static_cast<Dialect>(data[0] % 9);
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    sse::State state;
    std::vector<sse::Frame> frames;
    CHECK(sse::step(state, text, frames));
    StreamReader reader;
    reader.dialect = dialect;
    std::vector<bool> open;
    for (const auto& frame : frames) {
        check_events(read(reader, frame), open);
        (void)is_progress_only(frame);
    }
    CHECK(reader.tools.size() == open.size() && open.size() <= StreamReader::max_tools);
    std::vector<bool> whole;
    check_events(read_whole(dialect, text), whole);
    return 0;
}
