// Nothing of a text reaches the terminal as a control character, and redaction is stable.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.hpp"
#include "core/api/json_check.hpp"
#include "core/log/describe.hpp"
#include "core/log/format.hpp"
#include "core/log/json.hpp"
#include "core/log/redact.hpp"

using namespace lc;

static bool harmless(std::string_view text, bool lines) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte < 0x20 && !(lines && byte == '\n')) || byte == 0x7f) return false;
        if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return false;
    }
    return true;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const std::string once = log::redact(text);
    CHECK(log::redact(once).size() <= once.size() + 64);
    const std::string preview = log::safe_preview(text);
    CHECK(harmless(preview, false) && api::find_invalid_utf8(preview) == preview.size());
    std::vector<api::JsonOddity> oddities;
    CHECK(harmless(log::quote_line(text), false) && !api::check_json(log::quote_line(text), 1, oddities));

    log::RequestRecord record;
    record.id = record.model_used = record.session = record.endpoint = record.error_code = record.error_detail = text;
    record.messages = {{text, text, text, {text}}};
    record.tools = {text};
    record.n_tools = record.n_messages = 1;
    log::ResponseTally tally;
    for (const api::StreamEvent& event : std::vector<api::StreamEvent>{
             api::ToolBegin{0, text, text, 0}, api::ToolArguments{0, text}, api::TextDelta{text, 0}, api::ToolEnd{0}}) {
        log::feed(tally, event);
        CHECK(harmless(log::format_event(record, tally, event, {}).text, false));
    }
    log::conclude(tally, record);
    CHECK(harmless(log::format_request(record, {}), true) && harmless(log::format_response(record, {}), true));
    CHECK(!api::check_json(log::format_response(record, {.json_lines = true}), 10, oddities));
    CHECK(!api::check_json(log::format_request(record, {.json_lines = true}), 10, oddities));
    return 0;
}
