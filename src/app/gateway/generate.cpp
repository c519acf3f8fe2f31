// Requests that a model answers: parse, route, get the place ready, call it, pass the answer on.
#include "app/gateway/fim_turn.hpp"
#include "app/gateway/media_turn.hpp"
#include "app/gateway/parts.hpp"
#include "app/gateway/prompt.hpp"
#include "app/gateway/routing.hpp"
#include "app/gateway/tools_turn.hpp"
#include "base/sha256.hpp"
#include "core/forward/forward.hpp"
#include "core/stream/progress_line.hpp"
#include "core/stream/should_count.hpp"
#include "shell/sys/os.hpp"

namespace lc::gateway {

namespace {

/// In Gateway::turns for as long as it lives, so that the beat and a shutdown find it.
struct Registered {
    Gateway& gateway;
    std::list<Turn*>::iterator at;
    bool streams;
    Registered(Gateway& owner, Turn* turn)
        : gateway(owner), at(owner.turns.insert(owner.turns.end(), turn)), streams(turn->view.stream) {
        gateway.streams_open += streams ? 1 : 0;
    }
    ~Registered() {
        gateway.turns.erase(at);
        gateway.streams_open -= streams ? 1 : 0;
    }
    Registered(const Registered&) = delete;
    Registered& operator=(const Registered&) = delete;
};

void cancel_turn(Turn& turn) {
    turn.cancelled = true;
    turn.leave.leave();
    if (turn.call) net::cancel(*turn.call);
}

std::span<const api::HeaderField> header_view(const net::Fields& fields, std::vector<api::HeaderField>& store) {
    store.reserve(fields.size());
    for (const auto& field : fields) store.push_back({field.name, field.value});
    return store;
}

/// A session of its own for clients that send no id: what stays the same over its turns is how it begins.
std::string prefix_session(const api::RequestView& view, std::string_view body) {
    Sha256 hash;
    int user_messages = 0;
    for (const auto& message : view.messages) {
        hash.update(body.substr(message.raw.begin, message.raw.end - message.raw.begin)).update("\n");
        if (message.role == api::Role::user && ++user_messages == 1) break;
    }
    return "p-" + hex(hash.finish()).substr(0, 16);
}

std::string place_name(const Turn& turn) {
    return turn.local ? "model '" + turn.record.model_used + "'" : "backend '" + turn.record.backend + "'";
}

/// A failure of the place that answers, in words that say which it was. Overflow keeps its own wording.
Error named(const Gateway& gateway, const Turn& turn, Error error) {
    const bool our_key = !turn.local && (!gateway.backends[turn.choice.index].key.empty() || !gateway.keys.empty());
    if (error.code == Errc::unauthorized && our_key) {
        // The client's key was fine: it is ours, or the lack of one, that the backend does not take.
        return {Errc::upstream_error, place_name(turn) + " refuses the key that is configured for it: " + error.detail};
    }
    if (error.code == Errc::upstream_error || error.code == Errc::upstream_timeout) {
        error.detail = place_name(turn) + ": " + error.detail;
    }
    return error;
}

/// Whether the prompt surely overflows, counted by the engine's own template and tokeniser.
awaitable<Result<void>> check_length(Gateway& gateway, Turn& turn, const engines::Ready& ready, bool busy) {
    const auto path = forward::counting_path(turn.match.endpoint);
    if (path.empty() || turn.view.media > 0) co_return Result<void>{};
    const auto& body = request(*turn.exchange).body;
    const stream::CountQuestion question{static_cast<std::int64_t>(body.size()),
                                         static_cast<std::int64_t>(turn.view.prompt_bytes), ready.context_per_slot,
                                         turn.view.max_tokens.value_or(0), busy};
    if (!stream::should_count(question)) co_return Result<void>{};

    net::Request count;
    count.method = "POST";
    count.target = path;
    count.fields.push_back({"content-type", "application/json"});
    count.body = body;
    turn.call = net::make_call(*gateway.pool, ready.target, {});
    auto head = co_await net::exchange(*turn.call, std::move(count));
    if (!head) co_return tl::unexpected(head.error());
    auto answer = co_await net::read_all(*turn.call, 1 << 20);
    if (!answer) co_return tl::unexpected(answer.error());
    // Any doubt: the engine itself decides.
    const auto tokens = head->status == 200 ? stream::counted_tokens(*answer) : std::nullopt;
    if (!tokens || *tokens < ready.context_per_slot) co_return Result<void>{};
    co_return fail(Errc::context_length_exceeded,
                   "the request has " + std::to_string(*tokens) + " tokens and exceeds the available context size of " +
                       std::to_string(ready.context_per_slot) + " tokens of model '" + turn.record.model_used +
                       "'; shorten the conversation, or give the model a larger `context`");
}

}  // namespace

awaitable<Result<engines::Ready>> ready_engine(Gateway& gateway, Turn& turn) {
    if (auto fits = co_await check_purpose(gateway, turn); !fits) co_return tl::unexpected(fits.error());
    const auto began = Clock::now();
    auto fast = engines::try_acquire(*gateway.engines, turn.choice.model);
    Result<engines::Ready> ready = fail(Errc::internal, "");
    if (fast) {
        ready = std::move(*fast);
    } else {
        turn.waiting_for = "loading model " + turn.choice.model;
        states::expect(gateway.states, turn.name_space, turn.record.session);
        ready = co_await engines::acquire(
            *gateway.engines, turn.choice.model,
            [&turn](const engines::Waiting& waiting) {
                turn.waiting_for = "loading model " + turn.choice.model + " (" +
                                   std::to_string(static_cast<int>(waiting.seconds)) + " s)";
            },
            &turn.leave);
    }
    turn.record.ms.wait = ms_since(began);
    metrics::observe(gateway.metrics, "queue_seconds", {}, *turn.record.ms.wait / 1000);
    if (ready && turn.view.media > 0 && !ready->meta->vision && !ready->meta->audio) {
        co_return fail(Errc::unsupported, "model '" + turn.choice.model + "' takes no images: it has no projector; set its mmproj, or " +
                                              "ask another model");
    }
    if (ready) turn.waiting_for = "waiting for a slot of model " + turn.choice.model;
    co_return ready;
}

namespace {

/// The engine, ready, and the request as it gets it.
awaitable<Result<Upstream>> prepare_local(Gateway& gateway, Turn& turn, engines::Lease& lease) {
    auto ready = co_await ready_engine(gateway, turn);
    if (!ready) co_return tl::unexpected(ready.error());
    lease = ready->lease;

    if (!turn.view.tools.empty() && turn.view.tool_choice != "none" && !ready->tools_ok) {
        co_return fail(Errc::unsupported, ready->tools_error);
    }
    int busy = 0;
    for (const Turn* other : gateway.turns) {
        if (other != &turn && other->local && other->choice.index == turn.choice.index) ++busy;
    }
    if (busy >= 256) {
        co_return fail(Errc::overloaded, "256 requests wait for model '" + turn.choice.model + "' already", 5);
    }
    co_await prepare_prompt(gateway, turn, &*ready);
    // The steps before look at how the client puts it, those from here on at what the engine gets.
    if (auto ok = speak_chat(gateway, turn); !ok) co_return tl::unexpected(ok.error());
    if (auto ok = co_await check_length(gateway, turn, *ready, busy >= ready->slots); !ok) {
        co_return tl::unexpected(ok.error());
    }
    if (auto ok = co_await take_seat(gateway, turn, *ready); !ok) co_return tl::unexpected(ok.error());
    turn.waiting_for = "waiting for model " + turn.choice.model;
    co_return to_engine(gateway.options.config.models[turn.choice.index], turn, *ready, request(*turn.exchange));
}

/// An answer without a stream, or with another status than 200.
awaitable<Result<void>> pass_whole(Gateway& gateway, Turn& turn, const net::ResponseHead& head) {
    const auto coding = net::get(head.fields, "content-encoding");
    if (!coding.empty() && coding != "identity") {
        co_return fail(Errc::upstream_error, place_name(turn) + " compressed its answer (" + std::string(coding) +
                                                 ") although it was asked not to");
    }
    if (head.status >= 300 && head.status < 400) {
        co_return fail(Errc::upstream_error, place_name(turn) + " redirects to '" +
                                                 std::string(net::get(head.fields, "location")).substr(0, 200) +
                                                 "'; use that address as its url");
    }
    note_seat(gateway, turn, head);
    auto body = co_await net::read_all(*turn.call);
    if (!body) co_return tl::unexpected(named(gateway, turn, body.error()));
    const auto type = net::get(head.fields, "content-type");
    if (head.status >= 400) {
        auto wait = forward::retry_after(net::get(head.fields, "retry-after"), net::get(head.fields, "retry-after-ms"),
                                         static_cast<std::int64_t>(sys::unix_ms()));
        const Error error = api::classify_upstream_error(head.status, *body, wait.seconds);
        turn.retry_after_ms = std::move(wait.milliseconds);
        const bool as_it_came =
            forward::passes_as_it_came(head.status, error.code) && !turn.sent.committed && !turn.writer;
        if (!as_it_came) co_return tl::unexpected(named(gateway, turn, error));
        turn.record.error_code = name_of(error.code);
        turn.record.error_detail = error.detail;
    } else {
        auto events = api::read_whole(turn.match.dialect, *body);
        hear(turn, events);
        *body = co_await mend_whole(gateway, turn, std::move(*body), events);
        note_events(gateway, turn, events);
        if (auto failed = tools_failure(turn)) co_return tl::unexpected(named(gateway, turn, *failed));
        *body = shown_whole(turn, std::move(*body));
    }
    if (turn.sent.committed) {
        co_return fail(Errc::upstream_error, place_name(turn) + " answered a streamed request without a stream");
    }
    turn.ended = true;
    turn.record.status = head.status;
    turn.record.bytes_out = static_cast<std::int64_t>(body->size());
    auto own = turn_head(gateway, turn, head.status, type.empty() ? "application/json" : type);
    keep_answer(gateway, turn, *body);
    net::Response response{own.status, std::move(own.fields), std::move(*body)};
    co_return co_await net::respond(*turn.exchange, std::move(response));
}

/// The request on its way; the answer's head. An engine that was dying just then (its socket refuses, or breaks at once) is
/// acquired again, once: it has not begun with this request.
awaitable<Result<net::ResponseHead>> call_place(Gateway& gateway, Turn& turn, engines::Lease& lease, Upstream& up) {
    constexpr auto moment = std::chrono::milliseconds(1'000);  // the end of a large process takes its time
    const auto sent = Clock::now();
    turn.call = net::make_call(*gateway.pool, up.target, up.timeouts);
    auto head = co_await net::exchange(*turn.call, std::move(up.request));
    if (head || !turn.local || turn.cancelled || gateway.stopping) co_return head;
    if (net::connected(*turn.call) && Clock::now() - sent > moment) co_return head;
    if (turn.seat) states::abandon(*turn.seat);
    turn.seat.reset();
    co_await engines::settle(*gateway.engines, turn.choice.model);
    auto again = co_await prepare_local(gateway, turn, lease);
    if (!again) co_return tl::unexpected(again.error());
    up = std::move(*again);
    if (auto ok = co_await prepare_tools(gateway, turn, up); !ok) co_return tl::unexpected(ok.error());
    turn.call = net::make_call(*gateway.pool, up.target, up.timeouts);
    co_return co_await net::exchange(*turn.call, std::move(up.request));
}

/// The request is not made anew any more: what it takes is given back while the answer goes on. Of the
/// view only what is asked about a whole request stays.
void drop_request(Turn& turn) {
    std::string().swap(request(*turn.exchange).body);
    auto& view = turn.view;
    std::vector<api::Member>().swap(view.members);
    std::vector<api::MessageView>().swap(view.messages);
    std::vector<api::ToolView>().swap(view.tools);
}

/// From the request to the end of the answer, at the place that was chosen; the error is what the client must still be told.
awaitable<Result<void>> answer_there(Gateway& gateway, Turn& turn) {
    if (turn.local && is_vectors(turn)) co_return co_await answer_vectors(gateway, turn);
    engines::Lease lease;
    Upstream up;
    if (turn.local) {
        if (auto ok = begin_fim(gateway, turn); !ok) co_return tl::unexpected(ok.error());
        if (auto ok = co_await begin_media(gateway, turn); !ok) co_return tl::unexpected(ok.error());
        auto prepared = co_await prepare_local(gateway, turn, lease);
        if (!prepared) co_return tl::unexpected(prepared.error());
        up = std::move(*prepared);
    } else {
        co_await prepare_prompt(gateway, turn, nullptr);
        const auto& backend = gateway.backends[turn.choice.index];
        const bool own_keys = !gateway.options.keys.empty();
        up = to_backend(turn, backend, request(*turn.exchange), own_keys);
        turn.waiting_for = "waiting for backend " + backend.config.name;
    }
    if (auto ok = co_await prepare_tools(gateway, turn, up); !ok) co_return tl::unexpected(named(gateway, turn, ok.error()));
    if (turn.cancelled) co_return fail(Errc::cancelled, "the client left");

    if (!turn.local) drop_request(turn);  // `up` has all of it; only an engine may be given it a second time
    const auto head = co_await call_place(gateway, turn, lease, up);
    if (!head) co_return tl::unexpected(named(gateway, turn, head.error()));
    drop_request(turn);
    turn.record.ms.first_byte = ms_since(turn.began);

    const bool is_stream = net::get(head->fields, "content-type").starts_with("text/event-stream");
    if (head->status >= 300 || !is_stream) co_return co_await pass_whole(gateway, turn, *head);

    if (up.assemble) {
        auto body = co_await collect_stream(gateway, turn, *turn.call);
        if (!body) co_return tl::unexpected(named(gateway, turn, body.error()));
        *body = shown_whole(turn, std::move(*body));
        co_return co_await answer_whole(gateway, turn, std::move(*body));
    }

    const auto relayed = co_await relay_stream(gateway, turn, *turn.call);
    turn.ended = true;
    if (relayed) co_return Result<void>{};
    if (!relayed.error().passed_on) co_return tl::unexpected(named(gateway, turn, relayed.error().error));
    turn.record.error_code = name_of(relayed.error().error.code);
    turn.record.error_detail = relayed.error().error.detail;
    co_await end_after_error(turn);
    co_return Result<void>{};
}

/// Whether `"stream": true` means anything to an endpoint.
bool can_stream(api::Endpoint endpoint) {
    return endpoint != api::Endpoint::embeddings && endpoint != api::Endpoint::rerank &&
           endpoint != api::Endpoint::messages_count;
}

Result<void> parse(Gateway& gateway, Turn& turn) {
    const auto& incoming = request(*turn.exchange);
    const auto began = Clock::now();
    auto view = api::parse_request(turn.match.dialect, incoming.body,
                                   static_cast<std::size_t>(gateway.options.config.server.limits.max_json_depth));
    turn.record.ms.parse = ms_since(began);
    if (!view) return tl::unexpected(view.error());
    turn.view = std::move(*view);
    if (!can_stream(turn.match.endpoint)) turn.view.stream = false;

    std::vector<api::HeaderField> headers;
    turn.session = api::session_of(turn.view, header_view(incoming.fields, headers));
    turn.kind = api::kind_of(turn.view, turn.session);
    if (auto edits = stream::remove_progress(turn.view, incoming.body); !edits.empty()) {
        const bool stream = turn.view.stream;
        auto body = api::apply(incoming.body, std::move(edits));
        if (auto again = api::parse_request(turn.match.dialect, body)) {
            turn.view = std::move(*again);
            turn.view.stream = stream;
            request(*turn.exchange).body = std::move(body);
        }
    }
    begin_tools(gateway, turn);
    return {};
}

/// Place after place, until one answers or the client has seen something of an answer.
awaitable<Result<void>> answer(Gateway& gateway, Turn& turn) {
    while (true) {
        begin_attempt(gateway, turn);
        auto done = co_await answer_there(gateway, turn);
        if (!next_place(gateway, turn, done)) co_return done;
    }
}

/// The whole of a request but for its record's end. The error is what the client must still be told.
awaitable<Result<void>> serve_turn(Gateway& gateway, Turn& turn) {
    auto done = parse(gateway, turn);
    // From here on pings are sent, and a shutdown or a cancel finds it, whatever it waits for.
    const Registered registered(gateway, &turn);
    turn.record.session = turn.session.id;
    if (done && turn.session.id.empty() && !turn.view.messages.empty()) {
        turn.record.session = prefix_session(turn.view, request(*turn.exchange).body);
    }
    if (done) done = co_await choose_places(gateway, turn);
    begin_record(gateway, turn, request(*turn.exchange));
    log_request(gateway, turn);
    if (done && gateway.stopping) done = fail(Errc::overloaded, "LocalCode is shutting down", 5);
    if (done) done = co_await answer(gateway, turn);
    if (const auto why = superseded(turn); why && !done) done = tl::unexpected(*why);
    co_return done;
}

}  // namespace

awaitable<void> generate(Gateway& gateway, net::Exchange& exchange, api::EndpointMatch match, std::string key_name) {
    Turn turn;
    turn.exchange = &exchange;
    turn.match = std::move(match);
    turn.id = new_request_id();
    if (gateway.options.config.auth.namespaces) turn.name_space = key_name;
    turn.key_name = std::move(key_name);
    turn.began = Clock::now();
    turn.sent.began = turn.began;
    ++gateway.requests_total;
    net::on_gone(exchange, [&turn] { cancel_turn(turn); });

    Result<void> done;
    try {
        done = co_await serve_turn(gateway, turn);
    } catch (const std::exception& e) {
        say(gateway, Level::error, "request " + turn.id + ": internal error: " + e.what());
        done = fail(Errc::internal, "LocalCode failed to answer this request; its log says more (request " + turn.id + ")");
    }
    const bool good = done && turn.record.error_code.empty() && !turn.cancelled;
    if (good) remember_prompt(gateway, turn);
    leave_seat(gateway, turn, good);
    if (!done) co_await fail_turn(gateway, turn, done.error());
    end_record(gateway, turn);
}

}  // namespace lc::gateway
