#include "core/api/json_dom.hpp"
#include "core/api/stream_event.hpp"

namespace lc::api {

namespace {

bool empty_text(Json value) {
    return value.is_null() || (value.is_string() && text_of(value).empty());
}

/// Only what every first chunk has: role, and content that says nothing.
bool empty_delta(Json delta) {
    simdjson::dom::object object;
    if (delta.get(object) != simdjson::SUCCESS) return delta.is_null();
    for (const auto [key, value] : object) {
        if (key != "role" && !empty_text(value)) return false;
    }
    return true;
}

bool empty_choice(Json choice) {
    simdjson::dom::object object;
    if (choice.get(object) != simdjson::SUCCESS) return false;
    for (const auto [key, value] : object) {
        if (key == "index") continue;
        if (key == "delta" ? !empty_delta(value) : !empty_text(value)) return false;
    }
    return true;
}

}  // namespace

bool is_progress_only(const sse::Frame& frame) {
    if (frame.data.find("prompt_progress") == std::string::npos) return false;
    const auto parsed = parse_json(frame.data);
    if (!parsed) return false;
    const Json root = parsed->root;
    if (!member(root, "prompt_progress")) return false;
    if (const std::string_view type = text_at(root, "type"); !type.empty()) return type == "response.in_progress";
    if (const auto choices = member(root, "choices")) {
        simdjson::dom::array list;
        if (choices->get(list) != simdjson::SUCCESS) return false;
        for (const Json choice : list) {
            if (!empty_choice(choice)) return false;
        }
        return !member(root, "usage");
    }
    bool stop = true;  // llama.cpp's own form
    const auto flag = member(root, "stop");
    const auto content = member(root, "content");
    return flag && flag->get(stop) == simdjson::SUCCESS && !stop && (!content || empty_text(*content));
}

}  // namespace lc::api
