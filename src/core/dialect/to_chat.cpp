#include "core/dialect/to_chat.hpp"

#include <algorithm>

#include "core/api/json_scan.hpp"
#include "core/dialect/parts.hpp"
#include "core/tools/parse.hpp"

namespace lc::dialect {

Value list_value() {
    Value value;
    value.kind = Kind::array;
    return value;
}

Value flag_value(bool flag) {
    Value value;
    value.kind = Kind::boolean;
    value.flag = flag;
    return value;
}

std::string_view text_of(const Value& object, std::string_view key) {
    const Value* value = tools::find(object, key);
    return value && value->kind == Kind::string ? std::string_view(value->text) : std::string_view{};
}

const Value* object_of(const Value& object, std::string_view key) {
    const Value* value = tools::find(object, key);
    return value && value->kind == Kind::object ? value : nullptr;
}

const Value* list_of(const Value& object, std::string_view key) {
    const Value* value = tools::find(object, key);
    return value && value->kind == Kind::array ? value : nullptr;
}

Value text_part(std::string_view text) {
    Value part = tools::object_value();
    add(part, "type", text_value("text"));
    add(part, "text", text_value(text));
    return part;
}

Value image_part(std::string_view url) {
    Value image = tools::object_value();
    add(image, "url", text_value(url));
    Value part = tools::object_value();
    add(part, "type", text_value("image_url"));
    add(part, "image_url", std::move(image));
    return part;
}

Value content_of(std::vector<Value> parts) {
    if (parts.empty()) return text_value("");
    if (parts.size() == 1 && text_of(parts[0], "type") == "text") return text_value(text_of(parts[0], "text"));
    Value list = list_value();
    list.items = std::move(parts);
    return list;
}

Value call_value(std::string_view id, std::string_view name, std::string_view arguments) {
    Value function = tools::object_value();
    add(function, "name", text_value(name));
    add(function, "arguments", text_value(arguments));
    Value call = tools::object_value();
    add(call, "id", text_value(id));
    add(call, "type", text_value("function"));
    add(call, "function", std::move(function));
    return call;
}

Value function_value(std::string_view name, std::string_view description, Value parameters) {
    Value function = tools::object_value();
    add(function, "name", text_value(name));
    add(function, "description", text_value(description));
    add(function, "parameters", std::move(parameters));
    Value tool = tools::object_value();
    add(tool, "type", text_value("function"));
    add(tool, "function", std::move(function));
    return tool;
}

Value format_value(const Value& format) {
    const auto type = text_of(format, "type");
    if (type != "json_schema" && type != "json_object") return {};
    Value out = tools::object_value();
    add(out, "type", text_value(type));
    const Value* wrapped = object_of(format, "json_schema");
    const Value& holder = wrapped ? *wrapped : format;
    if (const Value* schema = object_of(holder, "schema")) {
        Value inner = tools::object_value();
        const auto name = text_of(holder, "name");
        add(inner, "name", text_value(name.empty() ? "answer" : name));
        add(inner, "strict", flag_value(true));
        add(inner, "schema", *schema);
        add(out, "json_schema", std::move(inner));
    }
    return out;
}

void keep_members(const Value& original, const std::vector<std::string_view>& dropped, Building& out) {
    static constexpr std::string_view own[] = {"messages", "tools", "tool_choice", "stream_options"};
    for (const auto& member : original.members) {
        const auto named = [&](std::string_view key) { return key == member.key; };
        if (std::any_of(dropped.begin(), dropped.end(), named) || std::any_of(std::begin(own), std::end(own), named))
            continue;
        if (tools::find(original, member.key) == &member.value) out.body.members.push_back(member);
    }
}

namespace {

bool has_format(const api::RequestView& view, std::string_view body, std::string_view holder, std::string_view key) {
    const auto* member = api::find(view, holder);
    if (!member) return false;
    const auto parsed = tools::parse(api::slice(body, member->value));
    const Value* format = parsed.value ? (key.empty() ? &*parsed.value : object_of(*parsed.value, key)) : nullptr;
    return format && format_value(*format).kind == Kind::object;
}

}  // namespace

bool needs_chat(const api::RequestView& view, std::string_view body) {
    if (view.dialect != api::Dialect::messages && view.dialect != api::Dialect::responses) return false;
    if (!view.tools.empty()) return true;
    const auto calls = [](const api::MessageView& message) {
        return !message.calls.empty() || message.role == api::Role::tool;
    };
    if (std::any_of(view.messages.begin(), view.messages.end(), calls)) return true;
    if (view.dialect == api::Dialect::responses) return has_format(view, body, "text", "format");
    return has_format(view, body, "output_config", "format") || has_format(view, body, "output_format", "");
}

Result<ChatRequest> to_chat(api::Dialect from, std::string_view body) {
    const auto parsed = tools::parse(body, {.max_depth = 256});
    if (!parsed.value || parsed.value->kind != Kind::object) return fail(Errc::bad_request, "the request is not a JSON object");
    Building out;
    const auto done = from == api::Dialect::messages ? from_messages(*parsed.value, out) : from_responses(*parsed.value, out);
    if (!done) return tl::unexpected(done.error());
    Value messages = list_value(), tools = list_value();
    messages.items = std::move(out.messages);
    tools.items = std::move(out.tools);
    add(out.body, "messages", std::move(messages));
    if (!tools.items.empty()) {
        add(out.body, "tools", std::move(tools));
    } else {
        std::erase_if(out.body.members, [](const Member& member) { return member.key == "tool_choice"; });
    }
    Value options = tools::object_value();
    add(options, "include_usage", flag_value(true));
    add(out.body, "stream_options", std::move(options));
    return ChatRequest{tools::write(out.body), std::move(out.names)};
}

}  // namespace lc::dialect
