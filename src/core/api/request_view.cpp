#include "core/api/request_view.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/text.hpp"
#include "core/api/json_scan.hpp"
#include "core/api/request_parts.hpp"

namespace lc::api {

std::string_view name_of(Role role) {
    switch (role) {
        case Role::system: return "system";
        case Role::developer: return "developer";
        case Role::user: return "user";
        case Role::assistant: return "assistant";
        case Role::tool: return "tool";
        case Role::other: return "other";
    }
    return "other";
}

const Member* find(const RequestView& view, std::string_view key) {
    const auto hit =
        std::find_if(view.members.rbegin(), view.members.rend(), [&](const Member& m) { return m.key == key; });
    return hit == view.members.rend() ? nullptr : &*hit;
}

std::optional<Json> Fields::get(std::string_view key) const {
    const auto hit = std::find_if(all.rbegin(), all.rend(), [&](const Field& f) { return f.key == key; });
    if (hit == all.rend() || hit->value.is_null()) return std::nullopt;
    return hit->value;
}

Range Fields::range(std::string_view key) const {
    const auto hit = std::find_if(all.rbegin(), all.rend(), [&](const Field& f) { return f.key == key; });
    return hit == all.rend() ? Range{} : hit->range;
}

Fields fields_of(std::string_view body, Json object, std::size_t begin) {
    Fields out;
    simdjson::dom::object members;
    if (object.get(members) != simdjson::SUCCESS) return out;
    auto next = members.begin();  // the parser keeps order and duplicates: both walks see the same members
    scan_members(body, begin, [&](Range key, Range value) {
        if (next == members.end()) return;
        out.all.push_back({next.key(), next.value(), value, key.begin});
        ++next;
    });
    return out;
}

tl::unexpected<Error> type_error(std::string_view name, std::string_view wanted, Json got) {
    std::string detail = "'";
    detail.append(name).append("' must be ").append(wanted).append(", got ").append(type_name(got));
    return fail(Errc::bad_request, std::move(detail));
}

namespace {

Result<void> read_bool(const Fields& fields, std::string_view key, bool& out) {
    const auto value = fields.get(key);
    if (value && value->get(out) != simdjson::SUCCESS) return type_error(key, "a boolean", *value);
    return {};
}

Result<void> read_text(const Fields& fields, std::string_view key, std::string& out) {
    const auto value = fields.get(key);
    if (!value) return {};
    if (!value->is_string()) return type_error(key, "a string", *value);
    out = text_of(*value);
    return {};
}

Result<void> read_number(const Fields& fields, std::string_view key, std::optional<double>& out) {
    const auto value = fields.get(key);
    if (!value) return {};
    out = number_of(*value);
    if (!out) return type_error(key, "a number", *value);
    return {};
}

Result<void> read_max_tokens(const Fields& fields, Dialect dialect, std::optional<std::int64_t>& out) {
    // Later names win, as in llama.cpp.
    static constexpr std::string_view names[] = {"max_tokens", "max_completion_tokens", "n_predict"};
    std::span<const std::string_view> keys = names;
    static constexpr std::string_view responses_name[] = {"max_output_tokens"};
    if (dialect == Dialect::responses) keys = responses_name;
    if (dialect == Dialect::messages) keys = keys.first(1);
    for (const std::string_view key : keys) {
        const auto value = fields.get(key);
        if (!value) continue;
        out = integer_of(*value);
        if (!out) return type_error(key, "a number", *value);
    }
    return {};
}

Result<void> read_stream_options(const Fields& fields, bool& include_usage) {
    const auto options = fields.get("stream_options");
    if (!options) return {};
    if (!options->is_object()) return type_error("stream_options", "an object", *options);
    const auto value = member(*options, "include_usage");
    if (value && value->get(include_usage) != simdjson::SUCCESS) {
        return type_error("stream_options.include_usage", "a boolean", *value);
    }
    return {};
}

/// Chat has a boolean, completions and llama.cpp a number.
bool asks_logprobs(const Fields& fields) {
    for (const std::string_view key : {"logprobs", "n_probs"}) {
        const auto value = fields.get(key);
        if (!value) continue;
        bool yes = false;
        if (value->get(yes) == simdjson::SUCCESS ? yes : number_of(*value).value_or(0) > 0) return true;
    }
    return false;
}

void read_session_field(const Fields& fields, std::string& out) {
    for (const std::string_view key : {"session_id", "prompt_cache_key"}) {
        const auto value = fields.get(key);
        if (!value) continue;
        out = text_of(*value);
        if (const auto number = integer_of(*value)) out = std::to_string(*number);
        if (!out.empty()) return;
    }
}

/// true, false, or the names of steps.
Result<void> read_prefix(Json value, std::optional<std::vector<std::string>>& out) {
    static constexpr std::string_view steps[] = {"environment", "pinned", "tools", "compaction"};
    bool all = false;
    out.emplace();
    if (value.get(all) == simdjson::SUCCESS) {
        if (all) out->assign(std::begin(steps), std::end(steps));
        return {};
    }
    simdjson::dom::array list;
    if (value.get(list) != simdjson::SUCCESS) return type_error("localcode.prefix", "true, false or a list of steps", value);
    for (const Json step : list) {
        const auto name = text_of(step);
        if (std::find(std::begin(steps), std::end(steps), name) == std::end(steps)) {
            return fail(Errc::bad_request,
                        "'localcode.prefix' may name environment, pinned, tools and compaction, got '" + preview(name, 40) + "'");
        }
        out->emplace_back(name);
    }
    return {};
}

Result<void> read_extensions(std::string_view body, const Fields& top, Extensions& out) {
    static constexpr std::string_view known[] = {"session", "kind",        "cache",    "control_vectors",
                                                 "lora",    "speculative", "priority", "deadline_ms",
                                                 "prefix"};
    const auto object = top.get("localcode");
    if (!object) return {};
    if (!object->is_object()) return type_error("localcode", "an object", *object);
    const Fields fields = fields_of(body, *object, top.range("localcode").begin);
    for (const auto& field : fields.all) {
        if (std::find(std::begin(known), std::end(known), field.key) != std::end(known)) continue;
        std::string detail = "unknown key '" + preview(field.key, 40) + "' in 'localcode'";
        const std::string_view near = nearest(field.key.substr(0, 64), known);
        if (!near.empty())
            detail.append("; did you mean '").append(near).append("'?");
        else
            detail += "; it may hold session, kind, cache, control_vectors, lora, speculative, priority, deadline_ms, prefix";
        return fail(Errc::bad_request, std::move(detail));
    }
    for (auto [key, target] :
         {std::pair{"session", &out.session}, std::pair{"kind", &out.kind}, std::pair{"cache", &out.cache}}) {
        if (const auto value = fields.get(key)) {
            if (!value->is_string()) return type_error(std::string("localcode.") + key, "a string", *value);
            *target = text_of(*value);
        }
    }
    if (out.cache != "use" && out.cache != "refresh" && out.cache != "off") {
        return fail(Errc::bad_request, "'localcode.cache' must be \"use\", \"refresh\" or \"off\", got \"" +
                                           preview(out.cache, 40) + "\"");
    }
    if (const auto value = fields.get("priority")) {
        const auto number = integer_of(*value);
        if (!number || *number < -1'000'000 || *number > 1'000'000) {
            return type_error("localcode.priority", "a number from -1000000 to 1000000", *value);
        }
        out.priority = static_cast<int>(*number);
    }
    if (const auto value = fields.get("deadline_ms")) {
        out.deadline_ms = integer_of(*value);
        if (!out.deadline_ms || *out.deadline_ms < 0) {
            return type_error("localcode.deadline_ms", "a number that is not negative", *value);
        }
    }
    if (const auto value = fields.get("prefix")) {
        if (auto r = read_prefix(*value, out.prefix); !r) return r;
    }
    for (auto [key, range] : {std::pair{"control_vectors", &out.control_vectors}, std::pair{"lora", &out.lora},
                              std::pair{"speculative", &out.speculative}}) {
        if (fields.get(key)) *range = fields.range(key);
    }
    return {};
}

Result<void> read_top_level(std::string_view body, const Fields& fields, RequestView& view) {
    const Dialect dialect = view.dialect;
    if (auto r = read_text(fields, "model", view.model); !r) return r;
    if (auto r = read_extensions(body, fields, view.extensions); !r) return r;
    read_session_field(fields, view.session_field);
    if (dialect == Dialect::plain || dialect == Dialect::embeddings || dialect == Dialect::rerank) return {};
    if (auto r = read_bool(fields, "stream", view.stream); !r) return r;
    if (auto r = read_bool(fields, "return_progress", view.return_progress); !r) return r;
    if (auto r = read_stream_options(fields, view.include_usage); !r) return r;
    if (auto r = read_number(fields, "temperature", view.temperature); !r) return r;
    if (auto r = read_number(fields, "top_p", view.top_p); !r) return r;
    view.logprobs = asks_logprobs(fields);
    return read_max_tokens(fields, dialect, view.max_tokens);
}

}  // namespace

Result<RequestView> parse_request(Dialect dialect, std::string_view body, std::size_t max_depth) {
    const auto parsed = parse_json(body, max_depth);
    if (!parsed) return tl::unexpected(parsed.error());
    if (!parsed->root.is_object()) {
        return fail(Errc::bad_request, "the body must be a JSON object, got " + std::string(type_name(parsed->root)));
    }
    RequestView view;
    view.dialect = dialect;
    const Fields fields = fields_of(body, parsed->root, skip_json_space(body, 0));
    view.members.reserve(fields.all.size());
    for (const auto& field : fields.all) {
        view.members.push_back({std::string(field.key), {field.key_begin, field.range.end}, field.range});
    }
    if (auto r = read_top_level(body, fields, view); !r) return tl::unexpected(r.error());
    if (auto r = read_messages(body, fields, view); !r) return tl::unexpected(r.error());
    if (auto r = read_tools(body, fields, view); !r) return tl::unexpected(r.error());
    return view;
}

}  // namespace lc::api
