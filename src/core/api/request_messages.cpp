// Messages of every dialect, as one neutral list.
#include <algorithm>

#include "base/text.hpp"
#include "core/api/json_scan.hpp"
#include "core/api/request_parts.hpp"

namespace lc::api {

namespace {

constexpr std::size_t max_preview = 600;

/// One message being read. `extra_bytes`: what the template renders beside the text (reasoning, calls).
struct Reading {
    MessageView& out;
    std::size_t extra_bytes = 0;

    void text(std::string_view piece) {
        out.text_bytes += piece.size();
        if (piece.empty() || out.text_preview.size() >= max_preview) return;
        if (!out.text_preview.empty()) out.text_preview.push_back('\n');
        const std::size_t room = max_preview - std::min(max_preview, out.text_preview.size());
        out.text_preview.append(cut_utf8(piece, room));
    }
    void call(std::string_view name, std::string_view id, std::optional<Json> arguments) {
        out.calls.emplace_back(name);
        out.call_ids.emplace_back(id);
        extra_bytes += name.size() + id.size();
        if (!arguments) return;
        extra_bytes += arguments->is_string() ? text_of(*arguments).size() : simdjson::minify(*arguments).size();
    }
    void result(std::string_view id) {
        if (out.result_ids.empty()) out.tool_call_id = id;
        out.result_ids.emplace_back(id);
        out.role = Role::tool;
    }
};

Role role_of(std::string_view name) {
    if (name == "system") return Role::system;
    if (name == "developer") return Role::developer;
    if (name == "user") return Role::user;
    if (name == "assistant") return Role::assistant;
    if (name == "tool" || name == "function") return Role::tool;
    return Role::other;
}

bool is_media(std::string_view type) {
    static constexpr std::string_view types[] = {"image_url", "input_image", "image",    "input_audio", "audio",
                                                 "audio_url", "video_url",   "document", "file",        "input_file"};
    return std::find(std::begin(types), std::end(types), type) != std::end(types);
}

std::string at_index(std::string_view name, std::size_t index) {
    return std::string(name) + "[" + std::to_string(index) + "]";
}

Result<void> read_content(Json content, const std::string& where, Reading& reading);

/// One part of a content array; the types of chat, messages and responses do not contradict each other.
Result<void> read_part(Json part, const std::string& where, Reading& reading) {
    if (part.is_string()) {
        reading.text(text_of(part));
        return {};
    }
    if (!part.is_object()) return type_error(where, "an object", part);
    const std::string_view type = text_at(part, "type");
    if (type == "tool_use" || type == "server_tool_use") {
        reading.call(text_at(part, "name"), text_at(part, "id"), member(part, "input"));
    } else if (type == "tool_result") {
        reading.result(text_at(part, "tool_use_id"));
        if (const auto content = member(part, "content")) return read_content(*content, where + ".content", reading);
    } else if (type == "thinking") {
        reading.extra_bytes += text_at(part, "thinking").size();
    } else if (is_media(type)) {
        ++reading.out.media;
    } else {
        reading.text(text_at(part, type == "refusal" ? "refusal" : "text"));
    }
    return {};
}

Result<void> read_content(Json content, const std::string& where, Reading& reading) {
    if (content.is_string()) {
        reading.text(text_of(content));
        return {};
    }
    simdjson::dom::array parts;
    if (content.get(parts) != simdjson::SUCCESS) return type_error(where, "a string or an array", content);
    std::size_t index = 0;
    for (const Json part : parts) {
        if (auto r = read_part(part, at_index(where, index++), reading); !r) return r;
    }
    return {};
}

Result<void> read_calls(Json calls, const std::string& where, Reading& reading) {
    simdjson::dom::array list;
    if (calls.get(list) != simdjson::SUCCESS) return type_error(where, "an array", calls);
    std::size_t index = 0;
    for (const Json call : list) {
        if (!call.is_object()) return type_error(at_index(where, index), "an object", call);
        ++index;
        const auto function = member(call, "function");
        const Json body = function && function->is_object() ? *function : call;
        reading.call(text_at(body, "name"), text_at(call, "id"), member(body, "arguments"));
    }
    return {};
}

/// A message of chat or messages.
Result<void> read_message(Json message, const std::string& where, Reading& reading) {
    simdjson::dom::object object;
    if (message.get(object) != simdjson::SUCCESS) return type_error(where, "an object", message);
    std::optional<Json> role, content, calls, call_id, legacy_call, reasoning;
    for (const auto [key, value] : object) {
        if (key == "role")
            role = value;
        else if (key == "content")
            content = value;
        else if (key == "tool_calls")
            calls = value;
        else if (key == "tool_call_id")
            call_id = value;
        else if (key == "function_call")
            legacy_call = value;
        else if (key == "reasoning_content" || key == "reasoning")
            reasoning = value;
    }
    if (!role) return fail(Errc::bad_request, "'" + where + ".role' is required");
    if (!role->is_string()) return type_error(where + ".role", "a string", *role);
    reading.out.role = role_of(text_of(*role));
    if (content && !content->is_null()) {
        if (auto r = read_content(*content, where + ".content", reading); !r) return r;
    }
    if (calls && !calls->is_null()) {
        if (auto r = read_calls(*calls, where + ".tool_calls", reading); !r) return r;
    }
    if (legacy_call && legacy_call->is_object()) {
        reading.call(text_at(*legacy_call, "name"), "", member(*legacy_call, "arguments"));
    }
    if (call_id && reading.out.role == Role::tool) reading.result(text_of(*call_id));
    if (reasoning) reading.extra_bytes += text_of(*reasoning).size();
    return {};
}

/// An item of responses' `input`: a message, a call, a call's output, or reasoning.
Result<void> read_item(Json item, const std::string& where, Reading& reading) {
    if (!item.is_object()) return type_error(where, "an object", item);
    const std::string_view type = text_at(item, "type");
    if (type.empty() || type == "message") return read_message(item, where, reading);
    if (type == "function_call" || type == "custom_tool_call") {
        reading.out.role = Role::assistant;
        reading.call(text_at(item, "name"), text_at(item, "call_id"),
                     member(item, type == "function_call" ? "arguments" : "input"));
    } else if (type == "function_call_output" || type == "custom_tool_call_output") {
        reading.result(text_at(item, "call_id"));
        const auto output = member(item, "output");
        if (output && output->is_object())
            reading.extra_bytes += simdjson::minify(*output).size();
        else if (output)
            return read_content(*output, where + ".output", reading);
    } else if (type == "reasoning") {
        reading.out.role = Role::assistant;
        reading.extra_bytes += simdjson::minify(item).size();
    }
    return {};
}

using Reader = Result<void> (*)(Json, const std::string&, Reading&);

Result<void> read_one(Json value, Range raw, const std::string& where, Reader reader, RequestView& view) {
    MessageView& message = view.messages.emplace_back();
    message.raw = raw;
    Reading reading{message};
    if (auto r = reader(value, where, reading); !r) return r;
    view.prompt_bytes += message.text_bytes + reading.extra_bytes;
    view.media += message.media;
    return {};
}

Result<void> read_list(std::string_view body, Json list, Range range, std::string_view name, Reader reader,
                       RequestView& view) {
    simdjson::dom::array elements;
    if (list.get(elements) != simdjson::SUCCESS) return type_error(name, "an array", list);
    auto next = elements.begin();
    std::size_t index = 0;
    Result<void> result;
    scan_elements(body, range.begin, [&](Range raw) {
        if (!result || next == elements.end()) return;
        result = read_one(*next, raw, at_index(name, index), reader, view);
        ++next;
        ++index;
    });
    return result;
}

Result<void> read_system(Json content, const std::string& where, Reading& reading) {
    reading.out.role = Role::system;
    return read_content(content, where, reading);
}

/// `prompt` and the like: text, token ids, or lists of either.
Result<void> read_prompt(Json value, const std::string& where, Reading& reading) {
    reading.out.role = Role::user;
    if (value.is_string()) {
        reading.text(text_of(value));
        return {};
    }
    simdjson::dom::array list;
    if (value.get(list) != simdjson::SUCCESS) {
        if (value.is_object()) {  // llama.cpp: {"prompt_string", "multimodal_data"}; rerank: {"text"}
            reading.text(text_at(value, "prompt_string"));
            reading.text(text_at(value, "text"));
            return {};
        }
        return type_error(where, "a string or an array", value);
    }
    std::size_t index = 0;
    for (const Json element : list) {
        if (element.is_number())
            ++reading.extra_bytes;  // a token is at least one byte
        else if (auto r = read_prompt(element, at_index(where, index), reading); !r)
            return r;
        ++index;
    }
    return {};
}

Result<void> read_prompts(const Fields& fields, std::span<const std::string_view> keys, RequestView& view) {
    for (const std::string_view key : keys) {
        const auto value = fields.get(key);
        if (!value) continue;
        if (auto r = read_one(*value, fields.range(key), std::string(key), read_prompt, view); !r) return r;
    }
    return {};
}

Result<void> read_input(std::string_view body, const Fields& fields, RequestView& view) {
    const auto input = fields.get("input");
    if (!input) return {};
    if (input->is_string()) return read_one(*input, fields.range("input"), "input", read_prompt, view);
    if (!input->is_array()) return type_error("input", "a string or an array", *input);
    return read_list(body, *input, fields.range("input"), "input", read_item, view);
}

}  // namespace

Result<void> read_messages(std::string_view body, const Fields& fields, RequestView& view) {
    static constexpr std::string_view prompt[] = {"prompt", "suffix"};
    static constexpr std::string_view infill[] = {"input_prefix", "input_suffix", "prompt", "input_extra"};
    static constexpr std::string_view input[] = {"input", "content"};
    static constexpr std::string_view rerank[] = {"query", "documents", "texts"};
    switch (view.dialect) {
        case Dialect::messages:
            if (const auto system = fields.get("system")) {
                if (auto r = read_one(*system, fields.range("system"), "system", read_system, view); !r) return r;
            }
            [[fallthrough]];
        case Dialect::chat: {
            const auto messages = fields.get("messages");
            if (!messages) return fail(Errc::bad_request, "'messages' is required");
            return read_list(body, *messages, fields.range("messages"), "messages", read_message, view);
        }
        case Dialect::responses:
            if (const auto instructions = fields.get("instructions")) {
                if (auto r = read_one(*instructions, fields.range("instructions"), "instructions", read_system, view);
                    !r) {
                    return r;
                }
            }
            return read_input(body, fields, view);
        case Dialect::completions:
        case Dialect::fim: return read_prompts(fields, prompt, view);
        case Dialect::infill: return read_prompts(fields, infill, view);
        case Dialect::embeddings: return read_prompts(fields, input, view);
        case Dialect::rerank: return read_prompts(fields, rerank, view);
        case Dialect::plain: return {};
    }
    return {};
}

}  // namespace lc::api
