#include "app/commands/json_view.hpp"

namespace lc::commands {

namespace json = boost::json;

const json::value* member(const json::value& from, std::string_view key) {
    const auto* object = from.if_object();
    return object != nullptr ? object->if_contains(key) : nullptr;
}

std::string text_at(const json::value& from, std::string_view key) {
    const auto* value = member(from, key);
    const auto* text = value != nullptr ? value->if_string() : nullptr;
    return text != nullptr ? std::string(text->data(), text->size()) : std::string{};
}

std::int64_t integer_at(const json::value& from, std::string_view key) {
    const auto* value = member(from, key);
    if (value == nullptr || !value->is_number()) return 0;
    boost::system::error_code error;
    const auto number = value->to_number<std::int64_t>(error);
    return error ? 0 : number;
}

bool flag_at(const json::value& from, std::string_view key) {
    const auto* value = member(from, key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

std::vector<std::string> texts_at(const json::value& from, std::string_view key) {
    std::vector<std::string> out;
    for (const json::value& item : items_at(from, key)) {
        if (const auto* text = item.if_string()) out.emplace_back(text->data(), text->size());
    }
    return out;
}

const json::array& items_at(const json::value& from, std::string_view key) {
    static const json::array none;
    const auto* value = member(from, key);
    const auto* list = value != nullptr ? value->if_array() : nullptr;
    return list != nullptr ? *list : none;
}

}  // namespace lc::commands
