// Where system prompt and tools end, in tokens: what two renderings with different user texts have in common.
#include <boost/json.hpp>
#include <optional>
#include <span>

#include "app/states/loop.hpp"
#include "core/api/splice.hpp"

namespace lc::states {

namespace json = boost::json;

namespace {

constexpr std::size_t least_head_bytes = 512;  ///< a shorter head is not worth a state of its own

std::string_view text_of(std::string_view body, api::Range range) {
    return body.substr(range.begin, range.end - range.begin);
}

/// Characters that merge with what stands before them in different ways.
constexpr std::string_view first_text = "x", second_text = "\n\n1";

struct Rendering {
    std::string_view path;                  ///< the engine's route
    std::string_view list;                  ///< the member that holds the messages
    std::string_view system;                ///< a top-level member that is the first of the view's messages
    std::span<const std::string_view> also; ///< members that decide how the head is rendered
};

std::optional<Rendering> rendering_of(api::Dialect dialect) {
    static constexpr std::string_view chat[] = {"tools", "tool_choice", "chat_template_kwargs", "reasoning_effort",
                                                "parallel_tool_calls"};
    static constexpr std::string_view messages[] = {"system", "tools", "tool_choice", "thinking", "chat_template_kwargs"};
    static constexpr std::string_view responses[] = {"instructions", "tools",     "tool_choice", "chat_template_kwargs",
                                                     "reasoning",    "reasoning_effort", "parallel_tool_calls"};
    switch (dialect) {
        case api::Dialect::chat: return Rendering{"/apply-template", "messages", "", chat};
        case api::Dialect::messages: return Rendering{"/localcode/render/messages", "messages", "system", messages};
        case api::Dialect::responses: return Rendering{"/localcode/render/responses", "input", "instructions", responses};
        default: return std::nullopt;
    }
}

std::string probe_body(const Rendering& how, const kv::MessageKeys& keys, const api::RequestView& view,
                       std::string_view body, std::string_view user) {
    std::string out = "{" + api::json_quote(how.list) + ":[";
    const auto* system = how.system.empty() ? nullptr : api::find(view, how.system);
    for (std::size_t i = 0; i < keys.n_system && i < view.messages.size(); ++i) {
        const auto raw = view.messages[i].raw;
        if (system && raw.begin >= system->value.begin && raw.end <= system->value.end) continue;
        out += text_of(body, raw);
        out += ',';
    }
    out += R"({"role":"user","content":)" + api::json_quote(user) + "}]";
    for (const auto name : how.also) {
        if (const auto* member = api::find(view, name)) {
            out += "," + api::json_quote(name) + ":";
            out += text_of(body, member->value);
        }
    }
    return out + "}";
}

awaitable<Result<std::string>> post(StatesPtr states, net::Target target, std::string path, std::string body) {
    net::Request request;
    request.method = "POST";
    request.target = std::move(path);
    request.fields.push_back({"content-type", "application/json"});
    request.body = std::move(body);
    const net::Timeouts timeouts{std::chrono::seconds(2), std::chrono::seconds(20), std::chrono::seconds(20)};
    auto answer = co_await net::fetch(states->pool, std::move(target), timeouts, std::move(request));
    if (!answer) co_return tl::unexpected(answer.error());
    if (answer->status != 200) co_return fail(Errc::upstream_error, "status " + std::to_string(answer->status));
    co_return std::move(answer->body);
}

awaitable<Result<std::vector<std::int64_t>>> tokens_of(StatesPtr states, EnginePtr engine, std::string path,
                                                     std::string body) {
    const auto rendered = co_await post(states, engine->target, std::move(path), std::move(body));
    if (!rendered) co_return tl::unexpected(rendered.error());
    boost::system::error_code ec;
    const auto prompt = json::parse(*rendered, ec);
    const auto* text = ec || !prompt.is_object() ? nullptr : prompt.get_object().if_contains("prompt");
    if (!text || !text->is_string()) co_return fail(Errc::upstream_error, "no prompt");
    json::object question;
    question["content"] = text->get_string();
    question["add_special"] = true;
    question["parse_special"] = true;
    const auto answer = co_await post(states, engine->target, "/tokenize", json::serialize(question));
    if (!answer) co_return tl::unexpected(answer.error());
    const auto document = json::parse(*answer, ec);
    const auto* list = ec || !document.is_object() ? nullptr : document.get_object().if_contains("tokens");
    if (!list || !list->is_array()) co_return fail(Errc::upstream_error, "no tokens");
    std::vector<std::int64_t> out;
    for (const auto& token : list->get_array()) {
        const auto* id = token.if_int64();
        if (!id) co_return fail(Errc::upstream_error, "no tokens");
        out.push_back(*id);
    }
    co_return out;
}

}  // namespace

HeadProbe head_probe(const kv::MessageKeys& keys, const api::RequestView& view, std::string_view body, bool ours) {
    HeadProbe out;
    out.key = keys.head;
    const auto how = rendering_of(view.dialect);
    if (!how || (!ours && view.dialect != api::Dialect::chat)) return out;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < keys.n_system && i < view.messages.size(); ++i) bytes += view.messages[i].text_bytes;
    for (const auto& tool : view.tools) bytes += tool.raw.end - tool.raw.begin;
    if (bytes < least_head_bytes) return out;
    out.path = how->path;
    out.first = probe_body(*how, keys, view, body, first_text);
    out.second = probe_body(*how, keys, view, body, second_text);
    return out;
}

awaitable<std::uint32_t> find_head(StatesPtr states, EnginePtr engine, const HeadProbe& asked) {
    const HeadProbe probe = asked;
    if (probe.first.empty()) co_return 0;
    if (const auto known = engine->heads.find(probe.key); known != engine->heads.end()) co_return known->second;
    const auto first = co_await tokens_of(states, engine, probe.path, probe.first);
    if (!first) co_return 0;
    const auto second = co_await tokens_of(states, engine, probe.path, probe.second);
    if (!second) co_return 0;
    std::uint32_t n = 0;
    while (n < first->size() && n < second->size() && (*first)[n] == (*second)[n]) ++n;
    if (engine->heads.size() >= 1024) engine->heads.clear();
    engine->heads[probe.key] = n;
    co_return n;
}

}  // namespace lc::states
