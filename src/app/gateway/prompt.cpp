#include "app/gateway/prompt.hpp"
#include "app/gateway/routing.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/api/json_dom.hpp"
#include "core/log/describe.hpp"
#include "core/prefix/environment.hpp"

namespace lc::gateway {

namespace {

bool has_prompt(const Turn& turn) {
    return turn.match.endpoint == api::Endpoint::chat_completions || turn.match.endpoint == api::Endpoint::messages ||
           turn.match.endpoint == api::Endpoint::responses;
}

prefix::Input input_of(Turn& turn) { return {turn.view, request(*turn.exchange).body, turn.session.client}; }

/// Applies what a step wants and notes it. False: nothing was changed.
bool replace_body(Gateway& gateway, Turn& turn, std::string_view step, std::string body, const std::vector<prefix::Edit>& edits) {
    auto view = api::parse_request(turn.match.dialect, body);
    if (!view) {  // an error of ours: the request goes as it came
        say(gateway, Level::error, "request " + turn.id + ": step " + std::string(step) + " failed: " + view.error().detail);
        return false;
    }
    for (const auto& edit : edits) log::note_prompt_edit(turn.record, step, edit.where, edit.before, edit.after);
    request(*turn.exchange).body = std::move(body);
    view->stream = turn.view.stream;
    turn.view = std::move(*view);
    return true;
}

bool change(Gateway& gateway, Turn& turn, std::string_view step, std::vector<api::Splice> splices,
            std::vector<prefix::Edit> edits = {}) {
    if (splices.empty()) return false;
    const auto input = input_of(turn);
    if (edits.empty()) edits = prefix::edits_of(input, splices);
    std::string body = api::apply(input.body, std::move(splices));
    return replace_body(gateway, turn, step, std::move(body), edits);
}

std::string list(std::span<const std::string> names) {
    std::string out;
    for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
    return out;
}

/// A definition that means the same as one that was seen before takes that one's form.
std::vector<std::string> forms_of(Gateway& gateway, const Turn& turn, const prefix::Input& in) {
    constexpr std::size_t largest = 64 << 10;
    std::vector<std::string> forms(in.view.tools.size());
    for (std::size_t i = 0; i < forms.size(); ++i) {
        const auto range = in.view.tools[i].raw;
        const auto own = in.body.substr(range.begin, range.end - range.begin);
        if (own.size() > largest) continue;
        const auto key = memory_key({turn.name_space, prefix::canonical_tool(in, i)});
        if (const auto* known = gateway.prompts->forms.find(key)) {
            if (*known != own) forms[i] = *known;
        } else {
            keep_form(gateway, key, std::string(own));
        }
    }
    return forms;
}

void arrange(Gateway& gateway, Turn& turn, prefix::SessionMemory& session) {
    const auto in = input_of(turn);
    const auto names = prefix::tool_names(in);
    if (names.empty()) return;
    const auto of_client = memory_key({turn.name_space, turn.session.client});
    const auto of_project = memory_key({turn.name_space, turn.session.client, prefix::project_of(in)});
    prefix::KnownTools known[2];
    for (const auto& [key, value] : {std::pair{of_client, &known[0]}, std::pair{of_project, &known[1]}}) {
        const auto* before = gateway.prompts->tools.find(key);
        *value = prefix::learn(before ? *before : prefix::KnownTools{}, names);
        if (!before || *before != *value) keep_tools(gateway, key, *value);
    }
    const auto order = prefix::order_tools(names, known[0], known[1], session.tools, turn.session.client);
    // Tools that come back find their place.
    for (const auto& name : order) {
        const bool known_here = std::find(session.tools.begin(), session.tools.end(), name) != session.tools.end();
        if (!known_here && session.tools.size() < prefix::max_tools) session.tools.push_back(name);
    }
    const auto forms = forms_of(gateway, turn, in);
    auto splices = prefix::arrange_tools(in, order, forms);
    std::vector<prefix::Edit> edits{{"tools", list(names), list(order)}};
    if (names == order) edits.clear();
    change(gateway, turn, "tools", std::move(splices), std::move(edits));
}

/// The steps that know the session. Nothing here waits: no other request of the session comes between.
void use_session(Gateway& gateway, Turn& turn) {
    const auto& steps = turn.prompt->steps;
    const auto& key = turn.prompt->session;
    const auto* before = key.empty() ? nullptr : gateway.prompts->sessions.find(key);
    prefix::SessionMemory session = before ? *before : prefix::SessionMemory{};
    if (steps.pinned && !key.empty()) {
        auto pinned = prefix::pin(input_of(turn), std::move(session.pins));
        session.pins = std::move(pinned.pins);
        change(gateway, turn, "pinned", std::move(pinned.splices));
    }
    if (steps.tools && !turn.view.tools.empty()) arrange(gateway, turn, session);
    if (key.empty() || session == prefix::SessionMemory{}) return;
    before = gateway.prompts->sessions.find(key);
    if (!before || *before != session) keep_session(gateway, key, std::move(session));
}

bool is_small(const Turn& turn) { return turn.kind == "title" || turn.kind == "compaction" || turn.kind == "summary"; }

/// A summary of a session that was seen here is its next turn.
void continue_session(Gateway& gateway, Turn& turn, const engines::Ready& ready) {
    auto* kept = gateway.prompts->last.find(turn.prompt->session);
    if (!kept) return;
    prefix::LastPrompt last = kept->rest;
    last.messages = unpack(kept->messages);
    last.tools = unpack(kept->tools);
    auto body = prefix::compaction_body(input_of(turn), last, ready.context_per_slot);
    if (!body) return;
    const std::vector<prefix::Edit> edits{
        {"messages", "(a text of " + std::to_string(request(*turn.exchange).body.size()) + " bytes)",
         "(the session's messages and tools as they were, then the instructions)"}};
    turn.prompt->as_session = replace_body(gateway, turn, "compaction", std::move(*body), edits);
}

/// Asked once of each engine: where its template puts the tools.
awaitable<bool> tools_behind_system(Gateway& gateway, Turn& turn, const engines::Ready& ready) {
    const auto known = gateway.prompts->templates.find(ready.model);
    if (known != gateway.prompts->templates.end() && known->second.incarnation == ready.incarnation) {
        co_return known->second.tools_behind_system;
    }
    net::Request question;
    question.method = "POST";
    question.target = "/apply-template";
    question.fields.push_back({"content-type", "application/json"});
    question.body = prefix::probe_body(ready.model);
    turn.call = net::make_call(*gateway.pool, ready.target, {});
    const auto head = co_await net::exchange(*turn.call, std::move(question));
    if (!head) co_return false;
    const auto body = co_await net::read_all(*turn.call, 1 << 20);
    if (!body || head->status != 200) co_return false;
    const auto parsed = api::parse_json(*body);
    if (!parsed) co_return false;
    const bool behind = prefix::tools_behind_system(api::text_at(parsed->root, "prompt"));
    gateway.prompts->templates[ready.model] = {ready.incarnation, behind};
    co_return behind;
}

}  // namespace

awaitable<void> prepare_prompt(Gateway& gateway, Turn& turn, const engines::Ready* ready) {
    if (!has_prompt(turn)) co_return;
    const std::string backend = ready ? std::string() : gateway.backends[turn.choice.index].config.name;
    const std::string place = turn.choice.model + "\n" + backend;
    if (turn.prompt && turn.prompt->place == place) co_return;
    const prefix::Asker asker{turn.choice.model, backend, turn.session.client};
    const auto steps = prefix::chosen(gateway.options.config.prefix, asker, turn.view.extensions.prefix);
    if (!steps.any()) co_return;
    turn.prompt = std::make_shared<PromptTurn>();
    turn.prompt->steps = steps;
    turn.prompt->place = place;
    if (!turn.session.id.empty()) {
        turn.prompt->session = memory_key({turn.name_space, turn.session.client, turn.choice.model, turn.session.id});
    }
    if (const auto loading = gateway.prompts->loading) {
        boost::system::error_code woken;
        co_await loading->async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    if (is_small(turn)) {
        if (steps.compaction && ready && turn.kind != "title") continue_session(gateway, turn, *ready);
        co_return;
    }
    std::vector<prefix::Piece> pieces;
    const bool keeps = steps.compaction && ready && !turn.prompt->session.empty() && turn.match.dialect == api::Dialect::chat;
    if (keeps) pieces = prefix::pieces_of(input_of(turn));
    use_session(gateway, turn);
    if (steps.environment && ready && !turn.view.tools.empty()) {
        auto splices = prefix::environment_last(input_of(turn));
        bool useful = !splices.empty();
        if (useful) useful = co_await tools_behind_system(gateway, turn, *ready);
        // The probe took its time; the request is the same.
        if (useful) change(gateway, turn, "environment", std::move(splices));
    }
    if (keeps && !pieces.empty()) {
        auto last = prefix::last_prompt(input_of(turn), std::move(pieces));
        KeptPrompt kept{pack(last.messages, true), pack(last.tools, true), {}};
        last.messages.clear();
        last.tools.clear();
        kept.rest = std::move(last);
        turn.prompt->kept = std::move(kept);
    }
}

void remember_prompt(Gateway& gateway, Turn& turn) {
    if (!turn.prompt || !turn.prompt->kept || !turn.tally.timings) return;
    const auto& timings = *turn.tally.timings;
    turn.prompt->kept->rest.tokens =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, timings.cache_n + timings.prompt_n + timings.predicted_n));
    keep_last(gateway, turn.prompt->session, std::move(*turn.prompt->kept));
    turn.prompt->kept.reset();
}

}  // namespace lc::gateway
