// Tool definitions and tool_choice of every dialect.
#include "base/text.hpp"
#include "core/api/json_scan.hpp"
#include "core/api/request_parts.hpp"

namespace lc::api {

namespace {

constexpr std::size_t max_description = 150;

/// Chat wraps the definition ({"type":"function","function":{...}}), the others do not. What has no name (a hosted tool
/// like web_search) goes by its type.
ToolView tool_view(Json tool, Range raw) {
    ToolView view;
    view.raw = raw;
    Json definition = tool;
    for (const std::string_view key : {"function", "custom"}) {
        const auto wrapped = member(tool, key);
        if (wrapped && wrapped->is_object()) definition = *wrapped;
    }
    view.name = text_at(definition, "name");
    if (view.name.empty()) view.name = text_at(tool, "type");
    view.description_preview = cut_utf8(text_at(definition, "description"), max_description);
    return view;
}

std::string choice_of(Json choice) {
    if (choice.is_string()) return std::string(text_of(choice));
    const std::string_view type = text_at(choice, "type");
    if (type == "any") return "required";  // messages
    if (type == "function" || type == "tool" || type == "custom") {
        std::string_view name = text_at(choice, "name");
        for (const std::string_view key : {"function", "custom"}) {
            if (const auto wrapped = member(choice, key); wrapped && name.empty()) name = text_at(*wrapped, "name");
        }
        return "function:" + std::string(name);
    }
    if (type == "allowed_tools") {
        const auto wrapped = member(choice, "allowed_tools");
        return std::string(text_at(wrapped.value_or(choice), "mode"));
    }
    return std::string(type);
}

}  // namespace

Result<void> read_tools(std::string_view body, const Fields& fields, RequestView& view) {
    if (view.dialect != Dialect::chat && view.dialect != Dialect::messages && view.dialect != Dialect::responses)
        return {};
    if (const auto tools = fields.get("tools")) {
        simdjson::dom::array list;
        if (tools->get(list) != simdjson::SUCCESS) return type_error("tools", "an array", *tools);
        auto next = list.begin();
        Result<void> result;
        scan_elements(body, fields.range("tools").begin, [&](Range raw) {
            if (!result || next == list.end()) return;
            const Json tool = *next;
            if (tool.is_object()) {
                view.tools.push_back(tool_view(tool, raw));
                view.prompt_bytes += raw.end - raw.begin;
            } else {
                result = type_error("tools[" + std::to_string(view.tools.size()) + "]", "an object", tool);
            }
            ++next;
        });
        if (!result) return result;
    }
    if (const auto choice = fields.get("tool_choice")) {
        if (!choice->is_string() && !choice->is_object()) {
            return type_error("tool_choice", "a string or an object", *choice);
        }
        view.tool_choice = choice_of(*choice);
    }
    return {};
}

}  // namespace lc::api
