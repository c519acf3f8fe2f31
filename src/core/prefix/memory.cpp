#include "core/prefix/memory.hpp"

#include <boost/json.hpp>

namespace lc::prefix {

namespace {

namespace json = boost::json;

std::string text_at(const json::object& from, std::string_view key) {
    const auto* value = from.if_contains(key);
    const auto* text = value ? value->if_string() : nullptr;
    return text ? std::string(text->data(), text->size()) : std::string();
}

std::size_t number_at(const json::object& from, std::string_view key) {
    const auto* value = from.if_contains(key);
    const auto* number = value ? value->if_int64() : nullptr;
    return number && *number >= 0 ? static_cast<std::size_t>(*number) : 0;
}

template <class Fn>
void each(const json::object& from, std::string_view key, Fn&& fn) {
    const auto* value = from.if_contains(key);
    const auto* list = value ? value->if_array() : nullptr;
    if (!list) return;
    for (const auto& element : *list) fn(element);
}

template <class List>
json::array texts(const List& list) {
    json::array out;
    for (const auto& text : list) out.emplace_back(text);
    return out;
}

/// Of an object; anything else: null.
std::optional<json::object> object_of(std::string_view text) {
    json::error_code error;
    json::value value = json::parse(text, error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

}  // namespace

std::string to_json(const SessionMemory& memory) {
    json::array blocks, marks, additions;
    for (const auto& b : memory.pins.blocks) blocks.push_back(json::object{{"first", b.first}, {"last", b.last}});
    for (const auto& m : memory.pins.marks) {
        marks.push_back(json::object{{"message", m.message}, {"chain", m.chain}, {"raw", m.raw}});
    }
    for (const auto& a : memory.pins.additions) {
        additions.push_back(json::object{{"message", a.message}, {"chain", a.chain}, {"text", a.text}});
    }
    const json::object out{{"system", memory.pins.system}, {"blocks", std::move(blocks)}, {"marks", std::move(marks)},
                           {"additions", std::move(additions)}, {"tools", texts(memory.tools)}};
    return json::serialize(out);
}

std::optional<SessionMemory> session_from_json(std::string_view text) {
    const auto from = object_of(text);
    if (!from) return std::nullopt;
    SessionMemory out;
    out.pins.system = text_at(*from, "system");
    each(*from, "blocks", [&](const json::value& v) {
        if (const auto* o = v.if_object()) out.pins.blocks.push_back({text_at(*o, "first"), text_at(*o, "last")});
    });
    each(*from, "marks", [&](const json::value& v) {
        if (const auto* o = v.if_object()) out.pins.marks.push_back({number_at(*o, "message"), text_at(*o, "chain"), text_at(*o, "raw")});
    });
    each(*from, "additions", [&](const json::value& v) {
        if (const auto* o = v.if_object()) out.pins.additions.push_back({number_at(*o, "message"), text_at(*o, "chain"), text_at(*o, "text")});
    });
    each(*from, "tools", [&](const json::value& v) {
        if (const auto* s = v.if_string()) out.tools.emplace_back(s->data(), s->size());
    });
    return out;
}

std::string to_json(const KnownTools& known) {
    return json::serialize(json::object{{"seen", texts(known.seen)}, {"some", texts(known.some)}});
}

std::optional<KnownTools> known_from_json(std::string_view text) {
    const auto from = object_of(text);
    if (!from) return std::nullopt;
    KnownTools out;
    each(*from, "seen", [&](const json::value& v) {
        if (const auto* s = v.if_string(); s && out.seen.size() < max_tools) out.seen.emplace(s->data(), s->size());
    });
    each(*from, "some", [&](const json::value& v) {
        if (const auto* s = v.if_string(); s && out.some.size() < max_tools) out.some.emplace(s->data(), s->size());
    });
    return out;
}

}  // namespace lc::prefix
