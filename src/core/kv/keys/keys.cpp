#include "core/kv/keys/keys.hpp"

#include <algorithm>
#include <optional>
#include <span>

#include "core/api/json_scan.hpp"
#include "core/kv/keys/canonical.hpp"
#include "core/kv/keys/media.hpp"

namespace lc::kv {

namespace {

constexpr std::string_view version_line = "localcode message keys 1\n";

/// The members of an object, found in one pass; of what is no object, none.
struct Members {
    std::vector<std::pair<std::string_view, std::string_view>> all;  ///< key without quotes, raw value

    explicit Members(std::string_view object) {
        if (object.empty() || object[0] != '{') return;
        api::scan_members(object, 0, [&](api::Range key, api::Range value) {
            std::string_view name = api::slice(object, key);
            name.remove_prefix(std::min<std::size_t>(name.size(), 1));
            name.remove_suffix(std::min<std::size_t>(name.size(), 1));
            all.emplace_back(name, api::slice(object, value));
        });
    }
    /// The last of that name; null and absent are empty.
    [[nodiscard]] std::string_view operator[](std::string_view name) const {
        for (std::size_t i = all.size(); i > 0; --i) {
            if (all[i - 1].first == name) return all[i - 1].second == "null" ? std::string_view{} : all[i - 1].second;
        }
        return {};
    }
};

std::string_view member(std::string_view object, std::string_view name) {
    return Members(object)[name];
}

bool is_string(std::string_view raw) {
    return !raw.empty() && raw[0] == '"';
}
bool is_object(std::string_view raw) {
    return !raw.empty() && raw[0] == '{';
}
bool is_array(std::string_view raw) {
    return !raw.empty() && raw[0] == '[';
}
bool is_empty_string(std::string_view raw) {
    return raw == "\"\"";
}

std::string text_of(std::string_view raw) {
    return is_string(raw) ? string_value(raw) : std::string{};
}

/// The members of a canonical object; those whose value is empty are left out. Names are given in order.
struct Object {
    std::string out = "{";

    void add(std::string_view name, std::string_view canonical) {
        if (canonical.empty()) return;
        if (out.size() > 1) out.push_back(',');
        append_quoted(out, name);
        out.push_back(':');
        out += canonical;
    }
    [[nodiscard]] std::string done() && { return std::move(out) + "}"; }
};

std::string canonical(std::string_view raw) {
    std::string out;
    if (!raw.empty()) append_canonical(out, raw);
    return out;
}

/// Empty for an absent or empty string.
std::string nonempty_string(std::string_view raw) {
    return is_string(raw) && !is_empty_string(raw) ? canonical(raw) : std::string{};
}

std::string list_of(std::span<const std::string> items) {
    if (items.empty()) return {};
    std::string out = "[";
    for (const std::string& item : items) {
        if (out.size() > 1) out.push_back(',');
        out += item;
    }
    return out + "]";
}

/// What clients mark for caches of their own, anywhere in a part or tool.
std::string without_client_fields(std::string_view object) {
    std::string copy = "{";
    api::scan_members(object, 0, [&](api::Range key, api::Range value) {
        const std::string_view name = api::slice(object, key);
        if (name == "\"cache_control\"" || name == "\"id\"" || name == "\"status\"") return;
        if (copy.size() > 1) copy.push_back(',');
        copy += name;
        copy.push_back(':');
        copy += api::slice(object, value);
    });
    return canonical(copy + "}");
}

std::string media_part(std::string_view type, std::string_view url, bool bare_base64) {
    Object part;
    part.add("media", '"' + hex(media_bytes_digest(url, bare_base64)) + '"');
    std::string quoted;
    append_quoted(quoted, type);
    part.add("type", quoted);
    return std::move(part).done();
}

/// JSON in a string and the same JSON as a value are one; text that is no JSON stays text.
std::string arguments_of(std::string_view raw) {
    if (!is_string(raw)) return canonical(raw);
    const std::string text = string_value(raw);
    if (text.empty()) return {};
    const std::size_t begin = api::skip_json_space(text, 0);
    if (begin < text.size() && is_json(text)) {
        return canonical(std::string_view(text).substr(begin, api::skip_json_value(text, begin) - begin));
    }
    return canonical(raw);
}

std::string call_of(std::string_view name, std::string_view arguments) {
    Object call;
    call.add("arguments", arguments_of(arguments));
    call.add("name", nonempty_string(name));
    return std::move(call).done();
}

/// One message while its parts are read: content, calls and reasoning go to different places in every dialect.
struct Message {
    std::vector<std::string> content, calls, reasoning;
    std::string role, name;

    void text(std::string_view raw) {
        Object part;
        part.add("text", canonical(raw));
        content.push_back(std::move(part).done());
    }
    void parts(std::string_view raw);
    void part(std::string_view raw);

    [[nodiscard]] std::string done() const {
        static const std::string empty_text = R"({"text":""})";
        Object out;
        const bool nothing = content.size() == 1 && content[0] == empty_text;
        if (!nothing) out.add("content", list_of(content));
        out.add("name", name);
        out.add("reasoning", list_of(reasoning));
        out.add("role", role);
        out.add("tool_calls", list_of(calls));
        return std::move(out).done();
    }
};

/// {"type":"base64","data":...} or {"type":"url","url":...}, as in messages.
std::string source_part(std::string_view type, std::string_view source) {
    const Members in(source);
    const std::string data = text_of(in["data"]);
    if (!data.empty()) return media_part(type, data, true);
    return media_part(type, text_of(in["url"]), false);
}

void Message::part(std::string_view raw) {
    if (is_string(raw)) return text(raw);
    const Members in(raw);
    const std::string type = text_of(in["type"]);
    if (type == "text" || type == "input_text" || type == "output_text") return text(in["text"]);
    if (type == "image_url" || type == "video_url" || type == "audio_url" || type == "input_image") {
        const std::string_view value = in[type == "input_image" ? "image_url" : type];
        content.push_back(media_part(type == "video_url"   ? "video"
                                     : type == "audio_url" ? "audio"
                                                           : "image",
                                     text_of(is_object(value) ? member(value, "url") : value), false));
    } else if (type == "input_audio" || type == "input_video") {
        const std::string_view value = in[type];
        const std::string_view data = member(value, "data");
        content.push_back(media_part(type == "input_audio" ? "audio" : "video",
                                     text_of(data.empty() ? member(value, "url") : data), !data.empty()));
    } else if ((type == "image" || type == "document") && is_object(in["source"])) {
        content.push_back(source_part(type, in["source"]));
    } else if (type == "tool_use") {
        calls.push_back(call_of(in["name"], in["input"]));
    } else if (type == "tool_result") {
        Message result;
        result.parts(in["content"]);
        Object out;
        out.add("tool_result", result.done());
        content.push_back(std::move(out).done());
    } else if (type == "thinking") {
        if (std::string thought = nonempty_string(in["thinking"]); !thought.empty()) reasoning.push_back(thought);
    } else if (is_object(raw)) {
        content.push_back(without_client_fields(raw));
    } else {
        content.push_back(canonical(raw));
    }
}

void Message::parts(std::string_view raw) {
    if (is_string(raw)) return text(raw);
    if (is_array(raw)) {
        api::scan_elements(raw, 0, [&](api::Range range) { part(api::slice(raw, range)); });
    } else if (!raw.empty()) {
        content.push_back(canonical(raw));
    }
}

/// A message of chat or messages.
void read_message(std::string_view raw, Message& out) {
    const Members in(raw);
    out.role = nonempty_string(in["role"]);
    out.name = nonempty_string(in["name"]);
    out.parts(in["content"]);
    if (auto thought = nonempty_string(in["reasoning_content"]); !thought.empty()) out.reasoning.push_back(thought);
    const std::string_view calls = in["tool_calls"];
    if (is_array(calls)) {
        api::scan_elements(calls, 0, [&](api::Range range) {
            const std::string_view call = api::slice(calls, range);
            const std::string_view function = member(call, "function");
            const Members body(is_object(function) ? function : call);
            out.calls.push_back(call_of(body["name"], body["arguments"]));
        });
    }
}

/// An item of responses' `input`.
void read_item(std::string_view raw, Message& out) {
    const Members in(raw);
    const std::string type = text_of(in["type"]);
    if (type.empty() || type == "message") return read_message(raw, out);
    if (type == "function_call" || type == "custom_tool_call") {
        out.role = "\"assistant\"";
        out.calls.push_back(call_of(in["name"], in[type == "function_call" ? "arguments" : "input"]));
    } else if (type == "function_call_output" || type == "custom_tool_call_output") {
        out.role = "\"tool\"";
        out.parts(in["output"]);
    } else if (type == "reasoning") {
        out.role = "\"assistant\"";
        for (const std::string_view list : {in["summary"], in["content"]}) {
            if (!is_array(list)) continue;
            api::scan_elements(list, 0, [&](api::Range range) {
                auto thought = nonempty_string(member(api::slice(list, range), "text"));
                if (!thought.empty()) out.reasoning.push_back(std::move(thought));
            });
        }
    } else {
        out.content.push_back(without_client_fields(raw));
    }
}

std::string message_text(const api::RequestView& view, std::size_t index, std::string_view body) {
    const api::MessageView& source = view.messages[index];
    const std::string_view raw = api::slice(body, source.raw);
    Message out;
    // Not `system` and the like; a message without role does not come through parse_request.
    const bool item = is_object(raw) && (view.dialect == api::Dialect::chat || view.dialect == api::Dialect::messages ||
                                         view.dialect == api::Dialect::responses);
    if (item && view.dialect == api::Dialect::responses) {
        read_item(raw, out);
    } else if (item) {
        read_message(raw, out);
    } else {  // a top-level `system`, `instructions`, `prompt`, ...
        append_quoted(out.role, api::name_of(source.role));
        out.parts(raw);
    }
    return out.done();
}

/// What llama.cpp hands to the template: name, description, parameters. A tool without a name goes whole.
std::string tool_text(std::string_view raw) {
    Members in(raw);
    for (const std::string_view wrapper : {"function", "custom"}) {
        if (const auto wrapped = in[wrapper]; is_object(wrapped)) {
            in = Members(wrapped);
            break;
        }
    }
    const std::string name = nonempty_string(in["name"]);
    if (name.empty()) return without_client_fields(raw);
    std::string_view parameters = in["parameters"];
    if (parameters.empty()) parameters = in["input_schema"];
    Object tool;
    tool.add("description", nonempty_string(in["description"]));
    tool.add("name", name);
    if (parameters != "{}") tool.add("parameters", canonical(parameters));
    return std::move(tool).done();
}

bool is_system(const api::MessageView& message) {
    return message.role == api::Role::system || message.role == api::Role::developer;
}

/// Values that the template sees beside the messages.
std::string options_text(const api::RequestView& view, std::string_view body) {
    Object options;
    for (const std::string_view name : {"chat_template_kwargs", "reasoning_effort"}) {
        const api::Member* found = api::find(view, name);
        const std::string_view raw = found == nullptr ? std::string_view{} : api::slice(body, found->value);
        if (raw != "null" && raw != "{}" && !is_empty_string(raw)) options.add(name, canonical(raw));
    }
    auto text = std::move(options).done();
    return text == "{}" ? std::string{} : text;
}

}  // namespace

std::vector<std::string> canonical_texts(const api::RequestView& view, std::string_view body) {
    const auto n_system = static_cast<std::size_t>(
        std::find_if_not(view.messages.begin(), view.messages.end(), is_system) - view.messages.begin());
    std::vector<std::string> system, tools, out;
    for (std::size_t i = 0; i < n_system; ++i) system.push_back(message_text(view, i, body));
    for (const api::ToolView& tool : view.tools) tools.push_back(tool_text(api::slice(body, tool.raw)));
    Object head;
    head.add("options", options_text(view, body));
    head.add("system", list_of(system));
    head.add("tools", list_of(tools));
    out.push_back(std::move(head).done());
    for (std::size_t i = n_system; i < view.messages.size(); ++i) out.push_back(message_text(view, i, body));
    return out;
}

MessageKeys message_keys(const api::RequestView& view, std::string_view body) {
    return message_keys(view, canonical_texts(view, body));
}

MessageKeys message_keys(const api::RequestView& view, const std::vector<std::string>& texts) {
    MessageKeys out;
    out.n_system = view.messages.size() - (texts.size() - 1);
    out.head = Sha256().update(version_line).update(texts[0]).finish();
    Digest before = out.head;
    for (std::size_t i = 1; i < texts.size(); ++i) {
        const std::string_view chained(reinterpret_cast<const char*>(before.data()), before.size());
        before = Sha256().update(chained).update(texts[i]).finish();
        out.messages.push_back(before);
    }
    return out;
}

}  // namespace lc::kv
