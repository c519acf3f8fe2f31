// OpenAI's Responses as a chat request.
#include <algorithm>

#include "core/dialect/parts.hpp"

namespace lc::dialect {

namespace {

/// The argument by which a model gives the text of a custom tool.
constexpr std::string_view free_input = "input";

std::string as_arguments(std::string_view text) {
    Value arguments = tools::object_value();
    add(arguments, free_input, text_value(text));
    return tools::write(arguments);
}

Result<std::vector<Value>> parts_of(const Value* content, const std::string& where) {
    std::vector<Value> parts;
    if (!content || content->kind == Kind::null) return parts;
    if (content->kind == Kind::string) {
        parts.push_back(text_part(content->text));
        return parts;
    }
    for (const auto& part : content->items) {
        const auto type = text_of(part, "type");
        if (type == "input_image") {
            const auto url = text_of(part, "image_url");
            if (url.empty()) return fail(Errc::bad_request, "'" + where + "': an image needs its 'image_url' here");
            parts.push_back(image_part(url));
        } else if (type == "input_file") {
            return fail(Errc::unsupported, "'" + where + "': files ('input_file') cannot be read by this model");
        } else if (type == "refusal") {
            parts.push_back(text_part(text_of(part, "refusal")));
        } else if (const Value* text = tools::find(part, "text"); text && text->kind == Kind::string) {
            parts.push_back(text_part(text->text));
        }
    }
    return parts;
}

/// The turn of the assistant that is still being put together: reasoning, text and calls that follow each other are one.
struct Turn {
    std::vector<Value> parts;
    Value calls = list_value();
    std::string reasoning;
    bool any = false;
};

void close(Turn& turn, Building& out) {
    if (!turn.any) return;
    Value message = tools::object_value();
    add(message, "role", text_value("assistant"));
    add(message, "content", content_of(std::move(turn.parts)));
    if (!turn.reasoning.empty()) add(message, "reasoning_content", text_value(turn.reasoning));
    if (!turn.calls.items.empty()) add(message, "tool_calls", std::move(turn.calls));
    out.messages.push_back(std::move(message));
    turn = {};
}

std::string reasoning_text(const Value& item) {
    std::string text;
    for (const std::string_view key : {"content", "summary"}) {
        const Value* parts = list_of(item, key);
        if (!parts || !text.empty()) continue;
        for (const auto& part : parts->items) text += text_of(part, "text");
    }
    return text;
}

std::string model_name(const Building& out, std::string_view name, std::string_view space) {
    const auto same = [&](const ToolName& known) { return known.client == name && known.space == space; };
    const auto it = std::find_if(out.names.begin(), out.names.end(), same);
    return it == out.names.end() ? std::string(name) : it->model;
}

Result<void> add_item(const Value& item, const std::string& where, Turn& turn, Building& out) {
    const auto type = text_of(item, "type");
    const auto role = text_of(item, "role");
    if (type == "function_call" || type == "custom_tool_call") {
        const bool custom = type == "custom_tool_call";
        const std::string arguments = custom ? as_arguments(text_of(item, "input")) : std::string(text_of(item, "arguments"));
        turn.any = true;
        turn.calls.items.push_back(call_value(text_of(item, "call_id"),
                                              model_name(out, text_of(item, "name"), text_of(item, "namespace")), arguments));
    } else if (type == "function_call_output" || type == "custom_tool_call_output") {
        close(turn, out);
        const Value* output = tools::find(item, "output");
        if (output && output->kind == Kind::object) output = tools::find(*output, "content");
        auto parts = parts_of(output, where);
        if (!parts) return tl::unexpected(parts.error());
        Value result = tools::object_value();
        add(result, "role", text_value("tool"));
        add(result, "tool_call_id", text_value(text_of(item, "call_id")));
        add(result, "content", content_of(std::move(*parts)));
        out.messages.push_back(std::move(result));
    } else if (type == "reasoning") {
        const auto text = reasoning_text(item);  // without one it is sealed: nothing that this model could read
        turn.any = turn.any || !text.empty();
        turn.reasoning += text;
    } else if (type == "item_reference") {
        return fail(Errc::bad_request, "'" + where + "' refers to an item that is not in the request: LocalCode keeps none");
    } else if (!role.empty()) {
        auto parts = parts_of(tools::find(item, "content"), where);
        if (!parts) return tl::unexpected(parts.error());
        if (role == "assistant") {
            turn.any = true;
            for (auto& part : *parts) turn.parts.push_back(std::move(part));
            return {};
        }
        close(turn, out);
        Value message = tools::object_value();
        add(message, "role", text_value(role));
        add(message, "content", content_of(std::move(*parts)));
        out.messages.push_back(std::move(message));
    }
    return {};  // what else there is (searches that somebody's server made) says nothing to the model
}

bool is_taken(const Building& out, std::string_view name) {
    return std::any_of(out.tools.begin(), out.tools.end(), [&](const Value& tool) {
        const Value* function = object_of(tool, "function");
        return function && text_of(*function, "name") == name;
    });
}

Value input_schema() {
    Value text = tools::object_value();
    add(text, "type", text_value("string"));
    Value properties = tools::object_value();
    add(properties, free_input, std::move(text));
    Value required = list_value();
    required.items.push_back(text_value(free_input));
    Value schema = tools::object_value();
    add(schema, "type", text_value("object"));
    add(schema, "properties", std::move(properties));
    add(schema, "required", std::move(required));
    add(schema, "additionalProperties", flag_value(false));
    return schema;
}

std::string free_description(const Value& tool) {
    std::string text(text_of(tool, "description"));
    const Value* format = object_of(tool, "format");
    if (format && text_of(*format, "type") == "grammar") {
        text += "\n\nThe text in `input` follows this grammar (" + std::string(text_of(*format, "syntax")) + "):\n" +
                std::string(text_of(*format, "definition"));
    }
    return text;
}

void add_tool(const Value& tool, std::string_view space, Building& out) {
    const auto type = text_of(tool, "type");
    const std::string client(text_of(tool, "name"));
    std::string name = client;
    if (!space.empty() && is_taken(out, name)) name = std::string(space) + "__" + name;
    if (type == "custom") {
        out.tools.push_back(function_value(name, free_description(tool), input_schema()));
        out.names.push_back({name, client, std::string(space), true});
        return;
    }
    if (type != "function") return;  // hosted: nobody here runs it
    const Value* schema = object_of(tool, "parameters");
    Value any = tools::object_value();
    add(any, "type", text_value("object"));
    out.tools.push_back(function_value(name, text_of(tool, "description"), schema ? *schema : any));
    if (!space.empty()) out.names.push_back({name, client, std::string(space), false});
}

void add_tools(const Value& original, Building& out) {
    const Value* list = list_of(original, "tools");
    if (!list) return;
    // Those outside of namespaces keep their names.
    for (const auto& tool : list->items) add_tool(tool, "", out);
    for (const auto& tool : list->items) {
        const Value* inner = list_of(tool, "tools");
        if (text_of(tool, "type") != "namespace" || !inner) continue;
        for (const auto& entry : inner->items) add_tool(entry, text_of(tool, "name"), out);
    }
}

void add_choice(const Value& original, Building& out) {
    const Value* choice = tools::find(original, "tool_choice");
    if (!choice) return;
    const auto type = choice->kind == Kind::object ? text_of(*choice, "type") : std::string_view{};
    if (choice->kind == Kind::string) {
        add(out.body, "tool_choice", *choice);
    } else if (type == "function" || type == "custom") {
        Value function = tools::object_value();
        add(function, "name", text_value(model_name(out, text_of(*choice, "name"), text_of(*choice, "namespace"))));
        Value named = tools::object_value();
        add(named, "type", text_value("function"));
        add(named, "function", std::move(function));
        add(out.body, "tool_choice", std::move(named));
    } else if (type == "allowed_tools") {
        Value allowed = *choice;
        if (Value* list = tools::find(allowed, "tools"); list && list->kind == Kind::array) {
            for (auto& entry : list->items) {
                const std::string name = model_name(out, text_of(entry, "name"), text_of(entry, "namespace"));
                if (Value* old = tools::find(entry, "name")) *old = text_value(name);
            }
        }
        Value wrapped = tools::object_value();
        add(wrapped, "type", text_value("allowed_tools"));
        add(wrapped, "allowed_tools", std::move(allowed));
        add(out.body, "tool_choice", std::move(wrapped));
    }
}

}  // namespace

Result<void> from_responses(const Value& original, Building& out) {
    if (!text_of(original, "previous_response_id").empty()) {
        return fail(Errc::bad_request, "'previous_response_id': LocalCode keeps no answers; send the whole conversation");
    }
    keep_members(original,
                 {"input", "instructions", "max_output_tokens", "reasoning", "text", "store", "include", "truncation", "metadata",
                  "client_metadata", "service_tier", "background", "conversation", "prompt", "previous_response_id", "user",
                  "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "max_tool_calls", "top_logprobs"},
                 out);
    add_tools(original, out);
    add_choice(original, out);
    if (const auto text = text_of(original, "instructions"); !text.empty()) {
        Value system = tools::object_value();
        add(system, "role", text_value("system"));
        add(system, "content", text_value(text));
        out.messages.push_back(std::move(system));
    }
    const Value* input = tools::find(original, "input");
    if (!input) return fail(Errc::bad_request, "'input' is required");
    if (input->kind == Kind::string) {
        Value user = tools::object_value();
        add(user, "role", text_value("user"));
        add(user, "content", *input);
        out.messages.push_back(std::move(user));
    }
    Turn turn;
    for (std::size_t i = 0; i < input->items.size(); ++i) {
        auto added = add_item(input->items[i], "input[" + std::to_string(i) + "]", turn, out);
        if (!added) return added;
    }
    close(turn, out);
    if (const Value* most = tools::find(original, "max_output_tokens"); most && most->kind == Kind::number)
        add(out.body, "max_tokens", *most);
    if (const Value* reasoning = object_of(original, "reasoning")) {
        if (const auto effort = text_of(*reasoning, "effort"); !effort.empty())
            add(out.body, "reasoning_effort", text_value(effort));
    }
    if (const Value* text = object_of(original, "text")) {
        const Value* format = object_of(*text, "format");
        Value value = format ? format_value(*format) : Value{};
        if (value.kind == Kind::object) add(out.body, "response_format", std::move(value));
    }
    return {};
}

}  // namespace lc::dialect
