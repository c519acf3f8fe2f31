#include "core/tools/history.hpp"

#include <algorithm>
#include <set>

#include "core/api/json_scan.hpp"
#include "core/tools/parse.hpp"

namespace lc::tools {

namespace {

using api::Range;

struct Found {
    Range whole, value;  ///< the member, its value; empty when absent
    [[nodiscard]] bool there() const { return !value.empty(); }
};

/// The last member of that key in the object at `object`.
Found member_of(std::string_view body, Range object, std::string_view key) {
    Found found;
    if (object.empty() || body[object.begin] != '{') return found;
    const std::string quoted = api::json_quote(key);
    api::scan_members(body, object.begin, [&](Range name, Range value) {
        if (api::slice(body, name) == quoted) found = {{name.begin, value.end}, value};
    });
    return found;
}

std::string_view text_at(std::string_view body, const Found& found) {
    return found.there() ? api::slice(body, found.value) : std::string_view("null");
}

/// Of a JSON string; nothing for other values.
std::optional<std::string> string_at(std::string_view body, const Found& found) {
    if (!found.there() || body[found.value.begin] != '"') return std::nullopt;
    auto parsed = parse(api::slice(body, found.value));
    return parsed.value ? std::optional(std::move(parsed.value->text)) : std::nullopt;
}

std::string as_text(const Value& object) {
    return api::json_quote(write(object));
}

/// A JSON string that holds an object, for arguments that do not.
std::string mend_arguments(std::string_view text) {
    Value current = string_value(std::string(text));
    const bool nothing = text.find_first_not_of(" \t\r\n") == std::string_view::npos;
    for (int i = 0; i < 3 && !nothing && current.kind == Kind::string; ++i) {
        auto parsed = parse(current.text);
        if (!parsed.value) parsed = parse(current.text, {.tolerant = true, .close = true});
        if (!parsed.value) break;
        current = std::move(*parsed.value);
    }
    if (nothing || current.kind == Kind::null) return api::json_quote("{}");
    if (current.kind == Kind::object) return as_text(current);
    Value kept = object_value();
    kept.members.push_back({"invalid_arguments", string_value(std::string(text))});
    return as_text(kept);
}

struct Mender {
    const api::RequestView& view;
    std::string_view body;
    Mended out;
    std::set<std::string> known;          ///< ids of all calls so far
    std::vector<std::string> unanswered;  ///< of the last turn that called
    std::vector<std::size_t> empty;       ///< messages

    void replace(Range range, std::string text) { out.splices.push_back({range, std::move(text)}); }

    void note(std::size_t message, std::string what) {
        if (out.what.size() < 32) out.what.push_back("messages[" + std::to_string(message) + "]: " + std::move(what));
    }

    /// Sets a member of an object that has at least one other.
    void set(Range object, const Found& old, std::string_view key, const std::string& json) {
        if (old.there()) {
            replace(old.value, json);
        } else {
            replace({object.begin + 1, object.begin + 1}, api::json_quote(key) + ":" + json + ",");
        }
    }

    void arguments(std::size_t message, std::size_t index, Range function) {
        const Found found = member_of(body, function, "arguments");
        const std::string_view raw = text_at(body, found);
        const std::string which = "arguments of call " + std::to_string(index);
        if (raw[0] == '{') {
            replace(found.value, api::json_quote(raw));
            note(message, which + " were an object");
            return;
        }
        const auto text = string_at(body, found);
        if (text) {
            const auto parsed = parse(*text);
            if (parsed.value && parsed.value->kind == Kind::object) return;
        }
        set(function, found, "arguments", text ? mend_arguments(*text) : mend_arguments(raw == "null" ? "" : raw));
        note(message, which + " were not the text of an object");
    }

    /// Ids that the results right behind `message` name and that no call of `own` has.
    std::vector<std::string> foreign_results(std::size_t message, const std::vector<std::string>& own) const {
        std::vector<std::string> ids;
        for (std::size_t i = message + 1; i < view.messages.size() && view.messages[i].role == api::Role::tool; ++i) {
            const auto& id = view.messages[i].tool_call_id;
            const bool foreign =
                !id.empty() && !known.contains(id) && std::find(own.begin(), own.end(), id) == own.end();
            if (foreign) ids.push_back(id);
        }
        return ids;
    }

    void calls(std::size_t message, Range list) {
        const auto& ids = view.messages[message].call_ids;
        auto spare = foreign_results(message, ids);
        unanswered.clear();
        std::size_t index = 0;
        api::scan_elements(body, list.begin, [&](Range call) {
            const Found function = member_of(body, call, "function");
            const bool usable = body[call.begin] == '{' && function.there() && body[function.value.begin] == '{' &&
                                member_of(body, function.value, "name").there();
            if (!usable) return void(++index);
            arguments(message, index, function.value);
            if (!member_of(body, call, "type").there()) set(call, {}, "type", "\"function\"");
            std::string id = index < ids.size() ? ids[index] : "";
            if (id.empty()) {
                id = "call_" + std::to_string(message) + "_" + std::to_string(index);
                if (!spare.empty()) {
                    id = spare.front();
                    spare.erase(spare.begin());
                }
                set(call, member_of(body, call, "id"), "id", api::json_quote(id));
                note(message, "call " + std::to_string(index) + " had no id");
            }
            known.insert(id);
            unanswered.push_back(std::move(id));
            ++index;
        });
    }

    void result(std::size_t message, Range object) {
        std::string id = view.messages[message].tool_call_id;
        const auto open = std::find(unanswered.begin(), unanswered.end(), id);
        if (open != unanswered.end()) {
            unanswered.erase(open);
            return;
        }
        if (!id.empty() && known.contains(id)) return;
        if (id.empty() && !unanswered.empty()) {
            id = unanswered.front();
            unanswered.erase(unanswered.begin());
            set(object, member_of(body, object, "tool_call_id"), "tool_call_id", api::json_quote(id));
            note(message, "a result had no id");
            return;
        }
        const std::string_view content = text_at(body, member_of(body, object, "content"));
        replace(object, R"({"role":"user","content":)" + (content == "null" ? "\"\"" : std::string(content)) + "}");
        note(message, "the result of a call that is not there");
    }

    bool is_empty_turn(Range object) const {
        const auto content = text_at(body, member_of(body, object, "content"));
        if (content != "null" && content != "\"\"" && content != "[]") return false;
        for (const std::string_view key : {"reasoning_content", "reasoning", "refusal", "audio"}) {
            const auto text = text_at(body, member_of(body, object, key));
            if (text != "null" && text != "\"\"") return false;
        }
        return !member_of(body, object, "function_call").there();
    }

    /// Takes the empty turns and a comma for each away.
    void drop_empty() {
        const auto& all = view.messages;
        if (empty.size() >= all.size()) return;
        for (std::size_t i = 0; i < empty.size(); ++i) {
            const std::size_t first = empty[i];
            note(first, "an empty turn");
            while (i + 1 < empty.size() && empty[i + 1] == empty[i] + 1) ++i;
            const std::size_t behind = empty[i] + 1;
            if (behind < all.size()) {
                replace({all[first].raw.begin, all[behind].raw.begin}, "");
            } else {
                replace({all[first - 1].raw.end, all[empty[i]].raw.end}, "");
            }
        }
    }

    void run() {
        for (std::size_t i = 0; i < view.messages.size(); ++i) {
            const auto& message = view.messages[i];
            if (message.role == api::Role::assistant) {
                const Found list = member_of(body, message.raw, "tool_calls");
                const bool some = list.there() && body[list.value.begin] == '[' && !message.calls.empty();
                if (some) {
                    calls(i, list.value);
                } else if (is_empty_turn(message.raw)) {
                    empty.push_back(i);
                }
            } else if (message.role == api::Role::tool && message.raw.end > message.raw.begin) {
                const auto role = string_at(body, member_of(body, message.raw, "role"));
                if (role == "tool") result(i, message.raw);
            }
        }
        drop_empty();
    }
};

}  // namespace

Mended mend_history(const api::RequestView& view, std::string_view body) {
    if (view.dialect != api::Dialect::chat) return {};
    Mender mender{view, body, {}, {}, {}, {}};
    mender.run();
    return std::move(mender.out);
}

}  // namespace lc::tools
