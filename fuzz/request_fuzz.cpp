// parse_request on any bytes; ranges lie within the body; edits of what was accepted give what is accepted.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.hpp"
#include "core/api/json_check.hpp"
#include "core/api/request_view.hpp"
#include "core/api/session.hpp"
#include "core/api/splice.hpp"

using namespace lc;
using namespace lc::api;

static bool inside(Range range, std::string_view body) {
    return range.begin <= range.end && range.end <= body.size();
}

static void check_ranges(const RequestView& view, std::string_view body) {
    std::size_t at = 0;
    for (const auto& member : view.members) {
        CHECK(member.whole.begin >= at && inside(member.whole, body) && inside(member.value, body));
        CHECK(member.whole.begin < member.value.begin && member.whole.end == member.value.end);
        CHECK(body[member.whole.begin] == '"');
        at = member.whole.end;
    }
    for (const auto& message : view.messages) {
        CHECK(inside(message.raw, body) && !message.raw.empty());
        CHECK(message.text_preview.size() <= 600);
        CHECK(find_invalid_utf8(message.text_preview) == message.text_preview.size());
        CHECK(message.calls.size() == message.call_ids.size());
    }
    for (const auto& tool : view.tools) CHECK(inside(tool.raw, body) && body[tool.raw.begin] == '{');
}

static void check_edits(Dialect dialect, const RequestView& view, std::string_view body, std::uint32_t choice) {
    std::vector<Splice> splices;
    std::vector<std::string> removed;
    for (std::size_t i = 0; i < view.members.size() && i < 32; ++i, choice = choice * 1664525 + 1013904223) {
        const std::string& key = view.members[i].key;
        switch (choice >> 30) {
            case 0:
                remove_member(view, body, key, splices);
                removed.push_back(key);
                break;
            case 1:
                set_member(view, body, key, "null", splices);
                std::erase(removed, key);
                break;
            default: break;
        }
    }
    set_member(view, body, "fuzz \"added\"", "[1]", splices);
    const std::string edited = api::apply(body, splices);
    std::vector<JsonOddity> oddities;
    CHECK(!check_json(edited, 1000, oddities));
    // The messages may be gone or null now, so only the plain view is sure to be accepted.
    const auto again = parse_request(Dialect::plain, edited);
    if (!again) return;  // `model` or `localcode` may have become ill-typed by a duplicate that was hidden before
    for (const auto& key : removed) CHECK(find(*again, key) == nullptr);
    const Member* added = find(*again, "fuzz \"added\"");
    CHECK(added != nullptr);
    CHECK(std::string_view(edited).substr(added->value.begin, 3) == "[1]");
    CHECK(parse_request(dialect, api::apply(body, {})).has_value());
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const auto dialect = static_cast<Dialect>(data[0] % 9);
    const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
    const auto view = parse_request(dialect, body);
    if (!view) {
        CHECK(view.error().code == Errc::bad_request && !view.error().detail.empty());
        return 0;
    }
    std::vector<JsonOddity> oddities;
    CHECK(!check_json(body, 256, oddities));  // two parsers, one opinion
    check_ranges(*view, body);
    const Session session = session_of(*view, {});
    (void)kind_of(*view, session);
    check_edits(dialect, *view, body, data[1] * 2654435761u);
    return 0;
}
