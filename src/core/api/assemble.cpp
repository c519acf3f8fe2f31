#include "core/api/assemble.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "core/api/json_dom.hpp"
#include "core/api/json_scan.hpp"
#include "core/api/stream_event.hpp"
#include "core/api/upstream_error.hpp"

namespace lc::api {

namespace {

/// Members of an object under construction: key (without quotes, as in the text) and raw value, in order of appearance.
using RawMembers = std::vector<std::pair<std::string, std::string>>;

void put(RawMembers& members, std::string_view key, std::string_view value) {
    for (auto& [name, old] : members) {
        if (name == key) {
            old = value;
            return;
        }
    }
    members.emplace_back(key, value);
}

bool is_string(std::string_view raw) {
    return raw.size() >= 2 && raw.front() == '"';
}
std::string_view inside(std::string_view raw) {
    return raw.substr(1, raw.size() - 2);
}  ///< of quotes or brackets

/// Escapes never span two pieces, except the halves of a surrogate pair, which then form one: raw texts can be joined.
void join_text(std::string& to, std::string_view raw) {
    if (is_string(raw)) to.append(inside(raw));
}

std::string join(const RawMembers& members, std::string out = "{") {
    for (const auto& [key, value] : members) {
        if (out.back() != '{') out.push_back(',');
        out.append("\"").append(key).append("\":").append(value);
    }
    return out + "}";
}

/// Joins the arrays of two logprobs objects member by member; of other members the last one that is not null wins.
struct Logprobs {
    RawMembers members;  ///< arrays: their elements, without brackets
    std::vector<bool> array;

    void add(std::string_view text) {
        scan_members(text, 0, [&](Range key_range, Range value_range) {
            const std::string_view key = inside(slice(text, key_range));
            const std::string_view value = slice(text, value_range);
            const auto hit =
                std::find_if(members.begin(), members.end(), [&](const auto& m) { return m.first == key; });
            const bool list = value.starts_with('[');
            if (hit == members.end()) {
                members.emplace_back(key, list ? inside(value) : value);
                array.push_back(list);
                return;
            }
            const auto i = static_cast<std::size_t>(hit - members.begin());
            if (!list || !array[i]) {
                if (value == "null") return;
                hit->second = list ? inside(value) : value;
                array[i] = list;
                return;
            }
            const std::string_view elements = inside(value);
            if (skip_json_space(elements, 0) == elements.size()) return;
            if (skip_json_space(hit->second, 0) != hit->second.size()) hit->second.push_back(',');
            hit->second.append(elements);
        });
    }
    std::string text() const {
        RawMembers out = members;
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (array[i]) out[i].second = "[" + out[i].second + "]";
        }
        return join(out);
    }
};

struct Call {
    std::string index, id, name, arguments, type;
    RawMembers other;
    std::string text() const {
        RawMembers out{{"type", type.empty() ? "\"function\"" : type}};
        out.emplace_back("function",
                         "{\"name\":" + (name.empty() ? "\"\"" : name) + ",\"arguments\":\"" + arguments + "\"}");
        if (!id.empty()) out.emplace_back("id", id);
        for (const auto& [key, value] : other) out.emplace_back(key, value);
        return join(out);
    }
};

struct Choice {
    std::string text, role, finish;
    RawMembers joined;   ///< reasoning_content, reasoning, refusal: pieces joined
    RawMembers message;  ///< other members of the deltas
    RawMembers other;    ///< other members of the choice
    std::vector<Call> calls;
    std::optional<Logprobs> logprobs;
    std::string tokens, probabilities;  ///< llama.cpp's own form: elements of `tokens` and `completion_probabilities`
    RawMembers last;                    ///< llama.cpp's own form: its last chunk
};

void append_elements(std::string& to, std::string_view array) {
    if (!array.starts_with('[')) return;
    const std::string_view elements = inside(array);
    if (skip_json_space(elements, 0) == elements.size()) return;
    if (!to.empty()) to.push_back(',');
    to.append(elements);
}

/// llama.cpp repeats the request's `stream` among its settings.
std::string unstreamed(std::string_view settings) {
    if (!settings.starts_with('{')) return std::string(settings);
    RawMembers members;
    scan_members(settings, 0, [&](Range key_range, Range value_range) {
        const std::string_view key = inside(slice(settings, key_range));
        members.emplace_back(key, key == "stream" ? "false" : slice(settings, value_range));
    });
    return join(members);
}

int to_int(std::string_view raw) {
    int value = 0;
    for (const char c : raw.substr(0, 6)) {
        if (c >= '0' && c <= '9') value = value * 10 + (c - '0');
    }
    return value;
}

void add_call(std::vector<Call>& calls, std::string_view text) {
    std::string_view index, id, function;
    scan_members(text, 0, [&](Range key_range, Range value_range) {
        const std::string_view key = inside(slice(text, key_range));
        const std::string_view value = slice(text, value_range);
        if (key == "index")
            index = value;
        else if (key == "id")
            id = value;
        else if (key == "function")
            function = value;
    });
    if (id == "\"\"" || id == "null") id = {};
    Call* call = nullptr;
    for (auto& known : calls) {
        if (index.empty() ? &known == &calls.back() : known.index == index) call = &known;
    }
    if (call == nullptr || (!id.empty() && !call->id.empty() && call->id != id)) {
        call = &calls.emplace_back();
        call->index = index;
    }
    if (!id.empty()) call->id = id;
    if (function.starts_with('{')) {
        scan_members(function, 0, [&](Range key_range, Range value_range) {
            const std::string_view key = inside(slice(function, key_range));
            const std::string_view value = slice(function, value_range);
            if (key == "name" && is_string(value) && value != "\"\"")
                call->name = value;
            else if (key == "arguments")
                join_text(call->arguments, value);
        });
    }
    scan_members(text, 0, [&](Range key_range, Range value_range) {
        const std::string_view key = inside(slice(text, key_range));
        const std::string_view value = slice(text, value_range);
        if (key == "type" && value != "null")
            call->type = value;
        else if (key != "index" && key != "id" && key != "function" && key != "type")
            put(call->other, key, value);
    });
}

void add_delta(Choice& choice, std::string_view text) {
    scan_members(text, 0, [&](Range key_range, Range value_range) {
        const std::string_view key = inside(slice(text, key_range));
        const std::string_view value = slice(text, value_range);
        if (value == "null") return;
        if (key == "content" && is_string(value)) {
            join_text(choice.text, value);
        } else if (key == "role") {
            choice.role = value;
        } else if (key == "tool_calls" && value.starts_with('[')) {
            scan_elements(value, 0, [&](Range call) {
                if (slice(value, call).starts_with('{')) add_call(choice.calls, slice(value, call));
            });
        } else if ((key == "reasoning_content" || key == "reasoning" || key == "refusal") && is_string(value)) {
            auto hit =
                std::find_if(choice.joined.begin(), choice.joined.end(), [&](const auto& m) { return m.first == key; });
            if (hit == choice.joined.end()) hit = choice.joined.insert(hit, {std::string(key), ""});
            join_text(hit->second, value);
        } else {
            put(choice.message, key, value);
        }
    });
}

std::string message_text(const Choice& choice) {
    RawMembers out{{"role", choice.role.empty() ? "\"assistant\"" : choice.role},
                   {"content", "\"" + choice.text + "\""}};
    for (const auto& [key, value] : choice.joined) {
        if (!value.empty()) out.emplace_back(key, "\"" + value + "\"");
    }
    for (const auto& [key, value] : choice.message) out.emplace_back(key, value);
    if (!choice.calls.empty()) {
        std::string calls = "[";
        for (const auto& call : choice.calls) calls += (calls.size() > 1 ? "," : "") + call.text();
        out.emplace_back("tool_calls", calls + "]");
    }
    return join(out);
}

}  // namespace

struct Assembly::Impl {
    std::map<int, Choice> choices;
    RawMembers top;       ///< of the chunks of the first choice, and of chunks without choice
    bool native = false;  ///< llama.cpp's own form
    int last_finished = -1;
    bool tail_seen = false;  ///< usage or timings of the first choice were seen
    std::optional<Error> error;
    bool garbled = false;

    void add_choice(std::string_view text);
    void add_top(std::string_view text, bool of_first_choice);
    void add_native(std::string_view text);
    std::string native_text(bool with_tokens) const;
    std::string choices_text(Dialect which) const;
    std::string usage_from_timings() const;
};

void Assembly::Impl::add_choice(std::string_view text) {
    std::string_view index = "0";
    scan_members(text, 0, [&](Range key, Range value) {
        if (slice(text, key) == "\"index\"") index = slice(text, value);
    });
    const int number = to_int(index);
    Choice& choice = choices[number];
    scan_members(text, 0, [&](Range key_range, Range value_range) {
        const std::string_view key = inside(slice(text, key_range));
        const std::string_view value = slice(text, value_range);
        if (key == "delta" || key == "message") {
            if (value.starts_with('{')) add_delta(choice, value);
        } else if (key == "text") {
            join_text(choice.text, value);
        } else if (key == "finish_reason") {
            if (is_string(value) && value != "\"\"") {
                choice.finish = value;
                last_finished = number;
            }
        } else if (key == "logprobs") {
            if (!value.starts_with('{')) return;
            if (!choice.logprobs) choice.logprobs.emplace();
            choice.logprobs->add(value);
        } else if (key != "index") {
            put(choice.other, key, value);
        }
    });
}

/// With several choices llama.cpp ends each with usage and timings of its own; unstreamed it gives those of the first.
void Assembly::Impl::add_top(std::string_view text, bool of_first_choice) {
    scan_members(text, 0, [&](Range key_range, Range value_range) {
        const std::string_view key = inside(slice(text, key_range));
        const std::string_view value = slice(text, value_range);
        if (key == "choices" || key == "prompt_progress") return;
        if (key == "usage" || key == "timings") {
            if (value == "null" || (tail_seen && !of_first_choice)) return;
            if (key == "usage" && of_first_choice && last_finished == 0) tail_seen = true;
        }
        if (key == "object" && value == "\"chat.completion.chunk\"") return put(top, key, "\"chat.completion\"");
        put(top, key, value);
    });
}

void Assembly::Impl::add_native(std::string_view text) {
    native = true;
    std::string_view index = "0", stop = "true";
    bool progress = false;
    scan_members(text, 0, [&](Range key, Range value) {
        if (slice(text, key) == "\"index\"") index = slice(text, value);
        if (slice(text, key) == "\"stop\"") stop = slice(text, value);
        if (slice(text, key) == "\"prompt_progress\"") progress = true;
    });
    if (progress && stop != "true") return;  // its `tokens` is [0], which is no token of the answer
    Choice& choice = choices[to_int(index)];
    if (stop == "true") choice.finish = "stop";  // the last chunk; response_fields may have taken its `stop` away
    scan_members(text, 0, [&](Range key_range, Range value_range) {
        const std::string_view key = inside(slice(text, key_range));
        const std::string_view value = slice(text, value_range);
        if (key == "content")
            join_text(choice.text, value);
        else if (key == "tokens")
            append_elements(choice.tokens, value);
        else if (key == "completion_probabilities")
            append_elements(choice.probabilities, value);
        if (!choice.finish.empty()) put(choice.last, key, value);
    });
}

std::string Assembly::Impl::native_text(bool with_tokens) const {
    std::string out;
    for (const auto& [index, choice] : choices) {
        RawMembers members = choice.last;
        for (auto& [key, value] : members) {
            if (key == "content")
                value = "\"" + choice.text + "\"";
            else if (key == "tokens")
                value = "[" + (with_tokens ? choice.tokens : "") + "]";
            else if (key == "generation_settings")
                value = unstreamed(value);
        }
        if (!choice.probabilities.empty()) put(members, "completion_probabilities", "[" + choice.probabilities + "]");
        out += (out.empty() ? "" : ",") + join(members);
    }
    return choices.size() == 1 ? out : "[" + out + "]";
}

std::string Assembly::Impl::choices_text(Dialect which) const {
    std::string out = "[";
    for (const auto& [index, choice] : choices) {
        RawMembers members{{"finish_reason", choice.finish}, {"index", std::to_string(index)}};
        if (which != Dialect::completions) {
            members.emplace_back("message", message_text(choice));
            if (choice.logprobs) members.emplace_back("logprobs", choice.logprobs->text());
        } else {
            members.emplace_back("text", "\"" + choice.text + "\"");
            members.emplace_back("logprobs", choice.logprobs ? choice.logprobs->text() : "null");
        }
        for (const auto& [key, value] : choice.other) put(members, key, value);
        out += (out.size() > 1 ? "," : "") + join(members);
    }
    return out + "]";
}

std::string Assembly::Impl::usage_from_timings() const {
    for (const auto& [key, value] : top) {
        if (key != "timings") continue;
        const auto parsed = parse_json(value);
        if (!parsed) return {};
        const std::int64_t cached = integer_at(parsed->root, "cache_n");
        const std::int64_t prompt = cached + integer_at(parsed->root, "prompt_n");
        const std::int64_t completion = integer_at(parsed->root, "predicted_n");
        return "{\"completion_tokens\":" + std::to_string(completion) + ",\"prompt_tokens\":" + std::to_string(prompt) +
               ",\"total_tokens\":" + std::to_string(prompt + completion) +
               ",\"prompt_tokens_details\":{\"cached_tokens\":" + std::to_string(cached) + "}}";
    }
    return {};
}

bool can_assemble(Dialect dialect) {
    return dialect == Dialect::chat || dialect == Dialect::completions || dialect == Dialect::fim;
}

Assembly::Assembly(Dialect which) : dialect(which), impl(std::make_unique<Impl>()) {}
Assembly::~Assembly() = default;
Assembly::Assembly(Assembly&&) noexcept = default;
Assembly& Assembly::operator=(Assembly&&) noexcept = default;

void add(Assembly& assembly, const sse::Frame& frame) {
    Assembly::Impl& impl = *assembly.impl;
    if (impl.error) return;
    StreamReader probe;
    probe.dialect = assembly.dialect;
    const std::string_view text = trim(frame.data);
    if (text == "[DONE]" || (frame.has_data && text.empty())) return;
    if (!frame.has_data || frame.event == "error") {
        for (const auto& event : read(probe, frame)) {
            if (const auto* failure = std::get_if<StreamFailure>(&event)) impl.error = failure->error;
        }
        return;
    }
    const auto parsed = parse_json(text);
    if (!parsed || !parsed->root.is_object()) {
        impl.garbled = true;
        return;
    }
    if (const auto error = find_error(parsed->root)) {
        impl.error = error_of(*error, 0);
        return;
    }
    std::string_view choices;
    bool usage = false;
    scan_members(text, 0, [&](Range key, Range value) {
        if (slice(text, key) == "\"choices\"") choices = slice(text, value);
        if (slice(text, key) == "\"usage\"") usage = true;
    });
    if (assembly.dialect == Dialect::completions && choices.empty() && !usage) return impl.add_native(text);
    std::vector<int> seen;
    if (choices.starts_with('[')) {
        scan_elements(choices, 0, [&](Range range) {
            if (!slice(choices, range).starts_with('{')) return;
            const std::string_view choice = slice(choices, range);
            impl.add_choice(choice);
            scan_members(choice, 0, [&](Range key, Range value) {
                if (slice(choice, key) == "\"index\"") seen.push_back(to_int(slice(choice, value)));
            });
        });
    }
    const bool first = seen.empty() ? impl.last_finished <= 0 : std::find(seen.begin(), seen.end(), 0) != seen.end();
    impl.add_top(text, first);
}

Result<std::string> finish(Assembly& assembly) {
    const Assembly::Impl& impl = *assembly.impl;
    if (impl.error) return tl::unexpected(*impl.error);
    if (impl.garbled) return fail(Errc::upstream_error, "the backend's stream held something that is not JSON");
    if (impl.choices.empty()) return fail(Errc::upstream_error, "the backend's stream ended without an answer");
    for (const auto& [index, choice] : impl.choices) {
        if (choice.finish.empty())
            return fail(Errc::upstream_error, "the backend's stream ended before its answer was complete");
    }
    if (impl.native) return impl.native_text(assembly.return_tokens);
    RawMembers out{{"choices", impl.choices_text(assembly.dialect)}};
    bool usage = false;
    for (const auto& [key, value] : impl.top) {
        out.emplace_back(key, value);
        usage = usage || key == "usage";
    }
    if (!usage) {
        if (auto text = impl.usage_from_timings(); !text.empty()) out.emplace_back("usage", std::move(text));
    }
    return join(out);
}

}  // namespace lc::api
