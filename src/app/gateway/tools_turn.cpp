// Tool calls of a turn: see tools_turn.hpp. What is decided there is core/tools; here is the I/O.
#include "app/gateway/tools_turn.hpp"

#include "core/api/json_dom.hpp"
#include "core/tools/history.hpp"

namespace lc::gateway {

/// Clients send the same tools with every request: their schemas are compiled once.
struct ToolCache {
    struct Entry {
        std::string text;
        std::shared_ptr<const tools::ToolSet> tools;
    };
    std::list<Entry> entries;  ///< the last used first
};

namespace {

std::shared_ptr<const tools::ToolSet> offered_tools(Gateway& gateway, const Turn& turn, std::string_view body) {
    constexpr std::size_t max_entries = 16, max_text = 1 << 20;
    const auto* member = api::find(turn.view, "tools");
    const auto text =
        member ? body.substr(member->value.begin, member->value.end - member->value.begin) : std::string_view{};
    if (!gateway.tool_cache) gateway.tool_cache = std::make_shared<ToolCache>();
    auto& entries = gateway.tool_cache->entries;
    for (auto it = entries.begin(); it != entries.end(); ++it) {
        if (it->text != text) continue;
        entries.splice(entries.begin(), entries, it);
        return it->tools;
    }
    auto compiled = std::make_shared<const tools::ToolSet>(tools::tools_of(turn.view, body));
    if (text.size() <= max_text) entries.push_front({std::string(text), compiled});
    if (entries.size() > max_entries) entries.pop_back();
    return compiled;
}

constexpr std::size_t max_rendered = 64 << 20;

bool is_guarded_endpoint(const Turn& turn) {
    return turn.match.endpoint == api::Endpoint::chat_completions;
}

tools::OnInvalid on_invalid(const std::string& name) {
    if (name == "content") return tools::OnInvalid::content;
    return name == "error" ? tools::OnInvalid::error : tools::OnInvalid::pass;
}

/// Several answers at once pass unguarded.
bool wants_several(const Turn& turn, std::string_view body) {
    const auto* n = api::find(turn.view, "n");
    const std::string_view text = n ? body.substr(n->value.begin, n->value.end - n->value.begin) : "1";
    return text != "1" && text != "null";
}

/// A whole text in JSON is what the client asked for, not a call.
bool asks_for_json(const Turn& turn) {
    for (const auto* key : {"response_format", "grammar", "json_schema"}) {
        if (api::find(turn.view, key)) return true;
    }
    return false;
}

void reparse(Turn& turn, std::string body) {
    auto view = api::parse_request(turn.match.dialect, body);
    if (!view) return;  // cannot be: our own edits of a request that was read before
    request(*turn.exchange).body = std::move(body);
    const bool stream = turn.view.stream;
    turn.view = std::move(*view);
    turn.view.stream = stream;
}

/// The prompt as the engine's own template renders it. `view` is of up's body.
awaitable<Result<std::string>> render(Gateway& gateway, Turn& turn, const Upstream& up, const api::RequestView& view) {
    // What the engine refuses beside tools changes nothing of the prompt.
    std::vector<api::Splice> splices;
    for (const auto* key : {"tool_choice", "grammar", "json_schema", "response_format"}) {
        api::remove_member(view, up.request.body, key, splices);
    }
    net::Request question;
    question.method = "POST";
    question.target = "/apply-template";
    question.fields.push_back({"content-type", "application/json"});
    question.body = api::apply(up.request.body, std::move(splices));
    turn.call = net::make_call(*gateway.pool, up.target, {});
    const auto head = co_await net::exchange(*turn.call, std::move(question));
    if (!head) co_return tl::unexpected(head.error());
    const auto body = co_await net::read_all(*turn.call, max_rendered);
    if (!body) co_return tl::unexpected(body.error());
    if (head->status != 200) co_return tl::unexpected(api::classify_upstream_error(head->status, *body, 0));
    const auto parsed = api::parse_json(*body);
    if (!parsed) co_return fail(Errc::upstream_error, "the engine's answer to /apply-template is not JSON");
    co_return std::string(api::text_at(parsed->root, "prompt"));
}

tools::ForcedStream forced_stream(const Turn& turn, tools::Force force, const std::string& suffix) {
    tools::ForcedStream stream;
    stream.force = std::move(force);
    stream.id = "chatcmpl-" + turn.id + suffix;
    stream.model = turn.record.model_asked.empty() ? turn.choice.model : turn.record.model_asked;
    stream.created = turn.record.unix_ms / 1000;
    stream.include_usage = turn.view.include_usage || !turn.view.stream;
    return stream;
}

/// Turns a chat request for an engine into the completion that forces what it insists on.
awaitable<Result<tools::Force>> force(Gateway& gateway, Turn& turn, const tools::ToolSet& offered, Upstream& up) {
    auto view = api::parse_request(api::Dialect::chat, up.request.body);
    if (!view) co_return tl::unexpected(view.error());
    const auto rendered = co_await render(gateway, turn, up, *view);
    if (!rendered) co_return tl::unexpected(rendered.error());
    auto plan = tools::plan_force(offered, *view, up.request.body, *rendered);
    if (!plan) co_return tl::unexpected(plan.error());
    up.request.target = "/completion";
    up.request.body = tools::completion_body(*view, up.request.body, *plan, *rendered);
    co_return std::move(*plan);
}

tools::GuardOut as_it_came(const sse::Frame& frame, std::vector<api::StreamEvent> events) {
    tools::GuardOut out;
    out.bytes = frame.raw;
    out.events = std::move(events);
    return out;
}

}  // namespace

void begin_tools(Gateway& gateway, Turn& turn) {
    if (!is_guarded_endpoint(turn)) return;
    const auto& config = gateway.options.config.tools;
    if (config.repair) {
        const auto& body = request(*turn.exchange).body;
        auto mended = tools::mend_history(turn.view, body);
        for (const auto& what : mended.what)
            say(gateway, Level::debug, "request " + turn.id + ": history mended: " + what);
        if (!mended.splices.empty()) reparse(turn, api::apply(body, std::move(mended.splices)));
    }
    if (turn.view.tools.empty()) return;
    auto mine = std::make_shared<ToolTurn>();
    const auto& body = request(*turn.exchange).body;
    mine->offered = offered_tools(gateway, turn, body);
    if (const auto names = tools::allowed_tools(turn.view, body)) {
        mine->offered = std::make_shared<const tools::ToolSet>(tools::only(*mine->offered, *names));
    }
    for (const auto& what : mine->offered->unchecked) {
        say(gateway, Level::debug, "request " + turn.id + ": not checked in calls: " + what);
    }
    mine->guarding = turn.view.tool_choice != "none" && !wants_several(turn, body);
    tools::GuardOptions options;
    options.repair = config.repair;
    options.reask = static_cast<int>(config.reask);
    options.on_invalid = on_invalid(config.on_invalid);
    options.scan_text = config.repair;
    options.bare = !asks_for_json(turn);
    mine->guard = tools::make_guard(options, turn.id);
    turn.tool_turn = std::move(mine);
}

awaitable<Result<void>> prepare_tools(Gateway& gateway, Turn& turn, Upstream& up) {
    if (!turn.tool_turn) co_return Result<void>{};
    auto& mine = *turn.tool_turn;
    auto& guard = mine.guard;
    // Engines call by a grammar of their own; what they stream is not held back.
    guard.options.hold_calls = !turn.local && guard.options.repair;
    if (guard.options.repair && guard.options.reask > 0) {
        constexpr std::size_t many = 32;  // streams at a time: from here on each one's memory counts
        std::string body = std::move(up.request.body);
        mine.again = up;
        mine.again_body = pack(body, gateway.turns.size() > many);
        up.request.body = std::move(body);
    }
    mine.forced.reset();
    if (!turn.local || tools::wanted(turn.view, request(*turn.exchange).body) == tools::Wanted::nothing) {
        co_return Result<void>{};
    }
    auto forced = co_await force(gateway, turn, *mine.offered, up);
    if (!forced) co_return tl::unexpected(forced.error());
    guard.options.scan_text = false;
    mine.forced = forced_stream(turn, std::move(*forced), "");
    co_return Result<void>{};
}

void translate_tools(Turn& turn, std::vector<sse::Frame>& frames) {
    if (!turn.tool_turn || !turn.tool_turn->forced) return;
    std::vector<sse::Frame> out;
    for (const auto& frame : frames) {
        for (auto& chat : tools::translate(*turn.tool_turn->offered, *turn.tool_turn->forced, frame))
            out.push_back(std::move(chat));
    }
    frames = std::move(out);
}

tools::GuardOut watch_tools(Turn& turn, const sse::Frame& frame, std::vector<api::StreamEvent> events) {
    if (!turn.tool_turn || !turn.tool_turn->guarding) return as_it_came(frame, std::move(events));
    return tools::step(*turn.tool_turn->offered, turn.tool_turn->guard, frame, events);
}

bool tools_ask(const Turn& turn) {
    return turn.tool_turn && turn.tool_turn->guarding && turn.tool_turn->guard.asking && !turn.cancelled;
}

namespace {

/// The request for one call: the same conversation, that tool, another seed, not streamed.
std::string question_body(const Turn& turn, const tools::Question& asked, bool insist) {
    const std::string original = unpack(turn.tool_turn->again_body);
    const auto view = api::parse_request(api::Dialect::chat, original);
    if (!view) return {};
    std::vector<api::Splice> splices;
    if (insist) {
        const std::string choice =
            asked.tool.empty() ? "\"required\""
                               : R"({"type":"function","function":{"name":)" + api::json_quote(asked.tool) + "}}";
        api::set_member(*view, original, "tool_choice", choice, splices);
    }
    api::set_member(*view, original, "stream", turn.local ? "true" : "false", splices);
    api::remove_member(*view, original, "stream_options", splices);
    api::remove_member(*view, original, "return_progress", splices);
    const auto seed = std::hash<std::string>{}(turn.id) % 1'000'000 + static_cast<std::size_t>(asked.attempt);
    api::set_member(*view, original, "seed", std::to_string(seed), splices);
    return api::apply(original, std::move(splices));
}

/// The first call in an answer, streamed or not; no name: there is none.
tools::Call first_call(Turn& turn, const std::string& body, std::optional<tools::ForcedStream> forced) {
    std::vector<api::StreamEvent> events;
    if (forced) {
        sse::State state;
        std::vector<sse::Frame> frames;
        if (!sse::step(state, body, frames)) return {};
        api::StreamReader reader;
        for (const auto& native : frames) {
            for (const auto& chat : tools::translate(*turn.tool_turn->offered, *forced, native)) {
                for (auto& event : api::read(reader, chat)) events.push_back(std::move(event));
            }
        }
    } else {
        events = api::read_whole(api::Dialect::chat, body);
    }
    tools::Call call;
    std::string text;
    for (const auto& event : events) {
        if (const auto* begin = std::get_if<api::ToolBegin>(&event); begin && begin->index == 0)
            call.name = begin->name;
        if (const auto* piece = std::get_if<api::ToolArguments>(&event); piece && piece->index == 0)
            call.arguments += piece->text;
        if (const auto* delta = std::get_if<api::TextDelta>(&event)) text += delta->text;
        if (const auto* finish = std::get_if<api::Finish>(&event)) call.cut = finish->reason == "length";
    }
    if (!call.name.empty() || text.empty()) return call;
    tools::TextScan scan;
    (void)tools::step(*turn.tool_turn->offered, scan, text);
    auto end = tools::finish(*turn.tool_turn->offered, scan, call.cut);
    if (!end.calls.empty()) call = {end.calls[0].name, end.calls[0].arguments, call.cut};
    return call;
}

awaitable<tools::Call> ask_once(Gateway& gateway, Turn& turn, const tools::Question& asked, bool insist) {
    Upstream up = turn.tool_turn->again;
    up.request.body = question_body(turn, asked, insist);
    std::optional<tools::ForcedStream> forced;
    if (up.request.body.empty()) co_return tools::Call{};
    if (turn.local) {
        auto plan = co_await force(gateway, turn, *turn.tool_turn->offered, up);
        if (!plan) co_return tools::Call{};
        const std::string suffix = "-" + std::to_string(asked.attempt);
        forced = forced_stream(turn, std::move(*plan), suffix);
    }
    turn.call = net::make_call(*gateway.pool, up.target, up.timeouts);
    const auto head = co_await net::exchange(*turn.call, std::move(up.request));
    if (!head) co_return tools::Call{};
    const auto body = co_await net::read_all(*turn.call);
    if (!body || head->status != 200) co_return tools::Call{};
    co_return first_call(turn, *body, std::move(forced));
}

}  // namespace

awaitable<tools::GuardOut> ask_again(Gateway& gateway, Turn& turn) {
    auto& mine = *turn.tool_turn;
    const auto asked = tools::question(*mine.offered, mine.guard);
    say(gateway, Level::info,
        "request " + turn.id + ": the call of '" + asked.name + "' is not valid (" + asked.why +
            "); asking again, attempt " + std::to_string(asked.attempt));
    turn.waiting_for = "asking again for a valid tool call";
    auto own = std::move(turn.call);  // it is still being read
    tools::Call call;
    if (mine.again_body.size != 0) {
        call = co_await ask_once(gateway, turn, asked, true);
        // A backend that does not know named tools may answer the plain question.
        const bool plain = call.name.empty() && !turn.local && !turn.cancelled;
        if (plain) call = co_await ask_once(gateway, turn, asked, false);
    }
    turn.call = std::move(own);
    co_return tools::answered(*mine.offered, mine.guard, call);
}

tools::GuardOut release_tools(Turn& turn) {
    if (!turn.tool_turn || !turn.tool_turn->guarding) return {};
    return tools::flush(turn.tool_turn->guard);
}

std::optional<Error> tools_failure(const Turn& turn) {
    if (!turn.tool_turn || !turn.tool_turn->guard.failed) return std::nullopt;
    return Error{Errc::upstream_error, turn.tool_turn->guard.failure, 0};
}

awaitable<std::string> mend_whole(Gateway& gateway, Turn& turn, std::string body,
                                  std::vector<api::StreamEvent>& events) {
    if (!turn.tool_turn || !turn.tool_turn->guarding) co_return body;
    auto& mine = *turn.tool_turn;
    auto out = tools::open_whole(*mine.offered, mine.guard, body);
    while (tools_ask(turn)) {
        auto more = co_await ask_again(gateway, turn);
        for (auto& event : more.events) out.events.push_back(std::move(event));
    }
    if (!mine.guard.changed) co_return body;
    std::string mended = tools::close_whole(mine.guard, body, out.events);
    events = api::read_whole(turn.match.dialect, mended);
    co_return mended;
}

void conclude_tools(Turn& turn) {
    if (!turn.tool_turn) return;
    std::size_t next = 0;
    for (const auto& judged : turn.tool_turn->guard.judged) {
        while (next < turn.record.calls.size() && turn.record.calls[next].name != judged.tool) ++next;
        std::string outcome = judged.outcome, details;
        for (const auto fix : judged.fixes) details += (details.empty() ? "" : ", ") + std::string(tools::name_of(fix));
        if (!judged.why.empty()) details = judged.why.substr(0, 300);
        if (!details.empty()) outcome += ": " + details;
        if (next < turn.record.calls.size()) {
            turn.record.calls[next++].outcome = std::move(outcome);
        } else if (turn.record.calls.size() < log::max_logged_calls) {
            turn.record.calls.push_back({"", judged.tool, "", false, false, std::move(outcome)});
            next = turn.record.calls.size();
        }
    }
}

}  // namespace lc::gateway
