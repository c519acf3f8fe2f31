// Anthropic's Messages as a chat request.
#include "core/dialect/parts.hpp"

namespace lc::dialect {

namespace {

/// The URL of an image's source; empty: it has none that chat knows.
std::string image_url(const Value& block) {
    const Value* source = object_of(block, "source");
    if (!source) return {};
    if (text_of(*source, "type") == "url") return std::string(text_of(*source, "url"));
    if (text_of(*source, "type") != "base64") return {};
    const auto type = text_of(*source, "media_type");
    return "data:" + std::string(type.empty() ? "image/jpeg" : type) + ";base64," + std::string(text_of(*source, "data"));
}

/// A document as text where it is one; else a note that there was one, so that the model does not make it up.
std::string document_text(const Value& block) {
    const Value* source = object_of(block, "source");
    if (source && text_of(*source, "type") == "text") return std::string(text_of(*source, "data"));
    const auto title = text_of(block, "title");
    return "[a document that this model cannot read" + (title.empty() ? "" : ": " + std::string(title)) + "]";
}

/// Text, images and documents; other blocks have no place in chat.
void add_part(const Value& block, std::vector<Value>& parts) {
    const auto type = text_of(block, "type");
    if (type == "text") {
        parts.push_back(text_part(text_of(block, "text")));
    } else if (type == "image") {
        if (const auto url = image_url(block); !url.empty()) parts.push_back(image_part(url));
    } else if (type == "document") {
        parts.push_back(text_part(document_text(block)));
    }
}

Value content_of_blocks(const Value* content) {
    if (!content) return text_value("");
    if (content->kind == Kind::string) return *content;
    std::vector<Value> parts;
    std::string text;
    bool only_text = true;
    for (const auto& block : content->items) {
        const std::size_t before = parts.size();
        add_part(block, parts);
        if (parts.size() == before) continue;
        only_text = only_text && text_of(parts.back(), "type") == "text";
        text += text_of(parts.back(), "text");
    }
    return only_text ? text_value(text) : content_of(std::move(parts));
}

/// The results in a user's turn come before its text: they answer the turn before.
void add_message(const Value& message, Building& out) {
    const Value* content = tools::find(message, "content");
    const auto role = text_of(message, "role");
    Value turn = tools::object_value();
    add(turn, "role", text_value(role));
    if (!content || content->kind != Kind::array) {
        if (!content && role == "assistant") return;
        add(turn, "content", content ? *content : text_value(""));
        out.messages.push_back(std::move(turn));
        return;
    }
    std::vector<Value> parts;
    Value calls = list_value();
    std::string thinking;
    for (const auto& block : content->items) {
        const auto type = text_of(block, "type");
        if (type == "thinking") {
            thinking += text_of(block, "thinking");
        } else if (type == "tool_use") {
            const Value* input = tools::find(block, "input");
            const bool text = input && input->kind == Kind::string;
            calls.items.push_back(call_value(text_of(block, "id"), text_of(block, "name"),
                                             !input ? "{}" : text ? input->text : tools::write(*input)));
        } else if (type == "tool_result") {
            Value result = tools::object_value();
            add(result, "role", text_value("tool"));
            add(result, "tool_call_id", text_value(text_of(block, "tool_use_id")));
            add(result, "content", content_of_blocks(tools::find(block, "content")));
            out.messages.push_back(std::move(result));
        } else {
            add_part(block, parts);
        }
    }
    if (parts.empty() && calls.items.empty() && thinking.empty()) return;
    add(turn, "content", content_of(std::move(parts)));
    if (!thinking.empty()) add(turn, "reasoning_content", text_value(thinking));
    if (!calls.items.empty()) add(turn, "tool_calls", std::move(calls));
    out.messages.push_back(std::move(turn));
}

void add_system(const Value& original, Building& out) {
    const Value* system = tools::find(original, "system");
    if (!system || system->kind == Kind::null) return;
    Value turn = tools::object_value();
    add(turn, "role", text_value("system"));
    add(turn, "content", content_of_blocks(system));
    out.messages.push_back(std::move(turn));
}

/// Tools that Anthropic's servers run themselves: nobody here does.
bool is_hosted(std::string_view type) {
    for (const std::string_view name : {"web_search_", "web_fetch_", "code_execution_", "tool_search_", "mcp_toolset"}) {
        if (type.starts_with(name)) return true;
    }
    return false;
}

void add_tools(const Value& original, Building& out) {
    const Value* list = list_of(original, "tools");
    if (!list) return;
    for (const auto& tool : list->items) {
        const Value* schema = object_of(tool, "input_schema");
        if (!schema && is_hosted(text_of(tool, "type"))) continue;
        Value any = tools::object_value();
        add(any, "type", text_value("object"));
        out.tools.push_back(function_value(text_of(tool, "name"), text_of(tool, "description"), schema ? *schema : any));
    }
}

void add_choice(const Value& original, Building& out) {
    const Value* choice = object_of(original, "tool_choice");
    if (!choice) return;
    const auto type = text_of(*choice, "type");
    if (type == "tool") {
        Value function = tools::object_value();
        add(function, "name", text_value(text_of(*choice, "name")));
        Value named = tools::object_value();
        add(named, "type", text_value("function"));
        add(named, "function", std::move(function));
        add(out.body, "tool_choice", std::move(named));
    } else {
        add(out.body, "tool_choice", text_value(type == "any" ? "required" : type));
    }
    const Value* single = tools::find(*choice, "disable_parallel_tool_use");
    if (single && single->flag) add(out.body, "parallel_tool_calls", flag_value(false));
}

void add_format(const Value& original, Building& out) {
    const Value* format = object_of(original, "output_format");
    if (const Value* config = object_of(original, "output_config"); config && !format) format = object_of(*config, "format");
    if (!format) return;
    if (Value value = format_value(*format); value.kind == Kind::object) add(out.body, "response_format", std::move(value));
}

}  // namespace

Result<void> from_messages(const Value& original, Building& out) {
    keep_members(original,
                 {"system", "stop_sequences", "thinking", "metadata", "context_management", "output_config", "output_format",
                  "container", "mcp_servers", "service_tier", "betas", "anthropic_version", "cache_control"},
                 out);
    add_system(original, out);
    const Value* messages = list_of(original, "messages");
    if (!messages) return fail(Errc::bad_request, "'messages' is required");
    for (const auto& message : messages->items) add_message(message, out);
    add_tools(original, out);
    add_choice(original, out);
    add_format(original, out);
    if (const Value* stop = list_of(original, "stop_sequences")) add(out.body, "stop", *stop);
    const Value* thinking = object_of(original, "thinking");
    if (thinking && text_of(*thinking, "type") == "enabled") {
        if (const Value* budget = tools::find(*thinking, "budget_tokens")) add(out.body, "thinking_budget_tokens", *budget);
    }
    return {};
}

}  // namespace lc::dialect
