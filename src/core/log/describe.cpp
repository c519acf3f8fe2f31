#include "core/log/describe.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "core/log/redact.hpp"

namespace lc::log {

namespace {

/// Length of the UTF-8 character at the front, 0 when there is none. `code` gets its code point.
std::size_t decode(std::string_view text, char32_t& code) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) {
        code = first;
        return 1;
    }
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
    code = first & (0x7fu >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0u) != 0x80u) return 0;
        code = (code << 6) | (byte(i) & 0x3fu);
    }
    const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
    return size;
}

bool is_dangerous(char32_t code) {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) ||       // control characters
           code == 0x2028 || code == 0x2029 ||                    // line and paragraph separators
           code == 0x061c || code == 0x200e || code == 0x200f ||  // direction marks
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string printable(std::string_view text, std::size_t max_chars) {
    std::string out;
    std::size_t chars = 0;
    while (!text.empty()) {
        if (chars++ == max_chars) return out + "...";
        char32_t code = 0;
        const std::size_t size = decode(text, code);
        if (size == 0)
            out += "\xef\xbf\xbd";
        else if (is_dangerous(code))
            out.push_back(' ');
        else
            out.append(text.substr(0, size));
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

std::string safe_preview(std::string_view text) {
    // Redacted before it is cut: half a key is not recognised as one.
    return printable(redact(cut_utf8(text, 8 * preview_chars)), preview_chars - 3);
}

std::string prompt_steps(const RequestRecord& record) {
    std::string out;
    for (std::size_t i = 0; i < record.prompt.size(); ++i) {
        bool again = false;
        for (std::size_t j = 0; j < i; ++j) again = again || record.prompt[j].step == record.prompt[i].step;
        if (!again) out += (out.empty() ? "" : ", ") + record.prompt[i].step;
    }
    return out;
}

void note_prompt_edit(RequestRecord& record, std::string_view step, std::string_view where, std::string_view before,
                      std::string_view after) {
    if (record.prompt.size() >= max_logged_edits) return;
    const auto bounded = [](std::string_view text) {
        std::string out = redact(cut_utf8(text, max_edit_bytes));
        if (text.size() > max_edit_bytes) out += "\n... (" + std::to_string(text.size()) + " bytes)";
        return out;
    };
    record.prompt.push_back({std::string(step), printable(where, 100), bounded(before), bounded(after)});
}

void describe(const api::RequestView& view, RequestRecord& record) {
    record.dialect = name_of(view.dialect);
    record.model_asked = printable(view.model, 200);
    record.stream = view.stream;
    record.n_messages = static_cast<std::int64_t>(view.messages.size());
    record.n_tools = static_cast<std::int64_t>(view.tools.size());
    record.messages.clear();
    record.tools.clear();
    const std::size_t skipped = view.messages.size() - std::min(view.messages.size(), max_logged_messages);
    for (std::size_t i = skipped; i < view.messages.size(); ++i) {
        const auto& message = view.messages[i];
        MessageSummary summary;
        summary.role = name_of(message.role);
        summary.preview = safe_preview(message.text_preview);
        summary.tool_call_id = printable(message.tool_call_id, 100);
        for (const auto& call : message.calls) {
            if (summary.calls.size() == max_logged_calls) break;
            summary.calls.push_back(printable(call, 100));
        }
        record.messages.push_back(std::move(summary));
    }
    for (const auto& tool : view.tools) {
        if (record.tools.size() == max_logged_tools) break;
        record.tools.push_back(printable(tool.name, 100));
    }
}

}  // namespace lc::log
