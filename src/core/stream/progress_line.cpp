#include "core/stream/progress_line.hpp"

#include "core/api/json_scan.hpp"

namespace lc::stream {

namespace {

constexpr std::string_view opening = "[LocalCode: ";

/// How many bytes of the inside of a JSON string are progress lines: they come before all that a model writes.
std::size_t leading_lines(std::string_view inside) {
    std::size_t at = 0;
    while (inside.substr(at).starts_with(opening)) {
        const auto end = inside.find(']', at);
        if (end == std::string_view::npos) break;
        at = end + 1;
        if (inside.substr(at).starts_with("\\n")) at += 2;  // a client may have trimmed the last one
    }
    return at;
}

bool is_reasoning(std::string_view quoted_key) {
    return quoted_key == R"("reasoning_content")" || quoted_key == R"("reasoning")";
}

/// The message without such lines, or nothing when it has none. A member that held nothing else goes.
std::string cleaned(std::string_view body, api::Range message) {
    std::string out;
    bool changed = false;
    api::scan_members(body, message.begin, [&](api::Range key, api::Range value) {
        const auto text = api::slice(body, value);
        std::size_t lines = 0;
        if (is_reasoning(api::slice(body, key)) && text.size() >= 2 && text.front() == '"') {
            lines = leading_lines(text.substr(1, text.size() - 2));
        }
        changed = changed || lines > 0;
        if (lines > 0 && lines == text.size() - 2) return;
        out += out.empty() ? "{" : ",";
        out += body.substr(key.begin, value.begin - key.begin);
        out += lines > 0 ? "\"" + std::string(text.substr(1 + lines)) : std::string(text);
    });
    if (!changed) return {};
    return out.empty() ? "{}" : out + "}";
}

}  // namespace

std::string progress_line(std::string_view what) {
    std::string out(opening);
    for (const char c : what) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte >= 0x20 && byte < 0x7f && c != '[' && c != ']' && c != '"' && c != '\\';
        out += plain ? c : '?';
    }
    return out + "]\n";
}

std::string progress_frame(std::string_view id, std::string_view model, std::int64_t created, std::string_view what) {
    return "data: {\"id\":" + api::json_quote(id) + ",\"object\":\"chat.completion.chunk\",\"created\":" + std::to_string(created) +
           ",\"model\":" + api::json_quote(model) + ",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"reasoning_content\":" +
           api::json_quote(progress_line(what)) + "},\"finish_reason\":null}]}\n\n";
}

std::vector<api::Splice> remove_progress(const api::RequestView& view, std::string_view body) {
    std::vector<api::Splice> out;
    if (view.dialect != api::Dialect::chat || body.find(opening) == std::string_view::npos) return out;
    for (const auto& message : view.messages) {
        if (message.role != api::Role::assistant || message.raw.empty()) continue;
        auto text = cleaned(body, message.raw);
        if (!text.empty()) out.push_back({message.raw, std::move(text)});
    }
    return out;
}

}  // namespace lc::stream
