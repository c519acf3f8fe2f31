#include "core/kv/keys/answer.hpp"

#include "core/api/json_scan.hpp"
#include "core/kv/keys/canonical.hpp"

namespace lc::kv {

namespace {

constexpr std::string_view version_line = "localcode answer 1\n";

std::string_view without_space_around(std::string_view text) {
    constexpr std::string_view space = " \t\r\n";
    const auto begin = text.find_first_not_of(space);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

/// `calls`: canonical, each followed by a comma.
Digest digest_of(const Digest& before, std::string_view text, std::string_view calls) {
    std::string quoted;
    append_quoted(quoted, without_space_around(text));
    const std::string_view chained(reinterpret_cast<const char*>(before.data()), before.size());
    return Sha256().update(version_line).update(chained).update(quoted).update(calls).finish();
}

std::string canonical_call(const Answer::Call& call) {
    // As in keys.cpp: JSON in a string and the same JSON as a value are one; what is empty is left out.
    std::string out = "{";
    if (!call.arguments.empty()) {
        out += "\"arguments\":";
        const std::size_t begin = api::skip_json_space(call.arguments, 0);
        if (begin < call.arguments.size() && is_json(call.arguments)) {
            append_canonical(out, std::string_view(call.arguments).substr(begin, api::skip_json_value(call.arguments, begin) - begin));
        } else {
            append_quoted(out, call.arguments);
        }
    }
    if (!call.name.empty()) {
        out += out.size() > 1 ? ",\"name\":" : "\"name\":";
        append_quoted(out, call.name);
    }
    return out + "},";
}

/// What a canonical message of the assistant says; false: it is another's, or not only text and calls.
bool read_canonical(std::string_view message, std::string& text, std::string& calls) {
    bool assistant = false, plain = true;
    api::scan_members(message, 0, [&](api::Range key, api::Range value) {
        const auto name = api::slice(message, key);
        const auto raw = api::slice(message, value);
        if (name == "\"role\"") {
            assistant = raw == "\"assistant\"";
        } else if (name == "\"content\"") {
            api::scan_elements(raw, 0, [&](api::Range part_range) {
                const auto part = api::slice(raw, part_range);
                constexpr std::string_view begin = R"({"text":)";
                const bool is_text = part.starts_with(begin) && part.substr(begin.size()).starts_with('"') &&
                                     api::skip_json_value(part, begin.size()) + 1 == part.size();
                if (is_text) {
                    text += string_value(part.substr(begin.size(), part.size() - begin.size() - 1));
                } else {
                    plain = false;
                }
            });
        } else if (name == "\"tool_calls\"") {
            api::scan_elements(raw, 0, [&](api::Range call) { calls += std::string(api::slice(raw, call)) + ","; });
        }
    });
    return assistant && plain;
}

bool is_assistant(std::string_view canonical) {
    bool out = false;
    api::scan_members(canonical, 0, [&](api::Range key, api::Range value) {
        if (api::slice(canonical, key) == "\"role\"") out = api::slice(canonical, value) == "\"assistant\"";
    });
    return out;
}

}  // namespace

Digest answer_key(const Digest& before, const Answer& answer) {
    std::string calls;
    for (const auto& call : answer.calls) calls += canonical_call(call);
    return digest_of(before, answer.text, calls);
}

std::vector<std::optional<Digest>> answer_keys(const std::vector<std::string>& texts, const MessageKeys& keys) {
    std::vector<std::optional<Digest>> out(keys.messages.size() + 1);
    // texts[i] is the message behind the key i - 1, texts[0] the head.
    for (std::size_t i = 0; i < keys.messages.size(); ++i) {
        if (!is_assistant(texts[i + 1]) || (i > 0 && is_assistant(texts[i]))) continue;
        std::string text, calls;
        bool good = true;
        for (std::size_t j = i + 1; j < texts.size() && is_assistant(texts[j]); ++j) {
            good = read_canonical(texts[j], text, calls) && good;
        }
        if (good) out[i] = digest_of(i == 0 ? keys.head : keys.messages[i - 1], text, calls);
    }
    return out;
}

}  // namespace lc::kv
