// The pieces of the request path; each lives in the .cpp that its comment names. Internal to app/gateway.
#pragma once

#include "app/gateway/state.hpp"
#include "core/api/encode.hpp"

namespace lc::gateway {

/// g++ 12 miscompiles braced temporaries inside a co_await expression: errors there are made by this function.
[[nodiscard]] inline Error error_of(Errc code, std::string detail) { return {code, std::move(detail), 0}; }

// answer.cpp: what every answer of ours carries.
/// Fields of every answer: content type, request id, CORS.
[[nodiscard]] net::Fields answer_fields(const Gateway& gateway, const net::Request& request, std::string_view content_type,
                                        std::string_view request_id);
awaitable<void> answer_json(Gateway& gateway, net::Exchange& exchange, int status, std::string body,
                            std::string_view request_id = {});
/// An error before any byte of the answer was sent, in the dialect's shape.
awaitable<void> answer_error(Gateway& gateway, net::Exchange& exchange, api::Dialect dialect, const Error& error,
                             std::string_view request_id = {});
/// A value inside a header of ours: printable ASCII, nothing that separates.
[[nodiscard]] std::string header_safe(std::string_view text);
/// The head of a turn's answer: x-localcode-kind, -session, -route too.
[[nodiscard]] net::ResponseHead turn_head(const Gateway& gateway, const Turn& turn, int status,
                                          std::string_view content_type);
/// Ends a turn with a whole answer in JSON that we made or put together ourselves.
awaitable<Result<void>> answer_whole(Gateway& gateway, Turn& turn, std::string body);
/// Ends a turn with an error: a status when nothing was sent yet, else the dialect's error event and a cut.
awaitable<void> fail_turn(Gateway& gateway, Turn& turn, Error error);
/// After an error event that tells the whole story: the body ends cleanly, without the dialect's last event.
awaitable<void> end_after_error(Turn& turn);
/// After the error event of an answer that was cut: the connection ends without a last chunk, so that no client takes what
/// came for the whole answer.
awaitable<void> cut_after_error(Turn& turn);

// generate.cpp: requests that a model answers.
/// `key_name`: of the API key that the client used; empty: none was needed.
awaitable<void> generate(Gateway& gateway, net::Exchange& exchange, api::EndpointMatch match, std::string key_name);

/// The engine of the turn's model, started when needed, if it is for such requests.
awaitable<Result<engines::Ready>> ready_engine(Gateway& gateway, Turn& turn);

// purpose.cpp: which models are for what.
/// The first model with the role that the request needs, when it names no model; empty: none, or none needed.
[[nodiscard]] std::string model_of_role(const Gateway& gateway, const Turn& turn);
/// unsupported: the turn's local model is for something else; says which setting changes that.
awaitable<Result<void>> check_purpose(Gateway& gateway, const Turn& turn);

// vectors_turn.cpp: embeddings and reranking of local models.
[[nodiscard]] bool is_vectors(const Turn& turn);
awaitable<Result<void>> answer_vectors(Gateway& gateway, Turn& turn);

// seat.cpp: the request's slot and the state it starts from.
/// Waits for a slot of a local engine and for what the request may start from.
awaitable<Result<void>> take_seat(Gateway& gateway, Turn& turn, const engines::Ready& ready);
/// A frame of the engine's stream. True: it was for us, the client does not see it.
[[nodiscard]] bool note_seat(Gateway& gateway, Turn& turn, std::string_view frame);
/// The head of an answer that is no stream.
void note_seat(Gateway& gateway, Turn& turn, const net::ResponseHead& head);
/// `x-localcode-cache` as far as it is known; empty: not yet, or not of a local engine.
[[nodiscard]] std::string cache_outcome(const Turn& turn);
/// The turn is over: its slot is free. `good`: the answer is complete.
void leave_seat(Gateway& gateway, Turn& turn, bool good);

// history.cpp: token-exact history (docs/adr/0008).
/// Events of the engine's answer as they came.
void hear(Turn& turn, const std::vector<api::StreamEvent>& events);
/// The answer's key, when it is whole and the model ended it itself.
[[nodiscard]] std::optional<Digest> answered(const Turn& turn);

// relay.cpp
/// Relays an event stream frame by frame while the tally looks on. Sends the head when the first frame arrives, unless it
/// was sent, and ends the client's body when the answer is complete. Error: what cut it short, or the error event that
/// came (already passed on: `passed_on`).
struct Relayed {
    bool passed_on = false;
    Error error;
};
awaitable<tl::expected<void, Relayed>> relay_stream(Gateway& gateway, Turn& turn, net::Call& call);
/// Collects an engine's stream for a client that did not ask for one.
awaitable<Result<std::string>> collect_stream(Gateway& gateway, Turn& turn, net::Call& call);

// translate.cpp: engines are asked in chat what messages and responses lose on the way.
/// Before the request is put to a place. Error: what the client asked for cannot be said in chat.
[[nodiscard]] Result<void> speak_chat(Gateway& gateway, Turn& turn);
/// The dialect in which the client is answered.
[[nodiscard]] api::Dialect answer_dialect(const Turn& turn);
/// What the client gets of frames that mean `events`: the bytes themselves, or those of its dialect.
[[nodiscard]] std::string shown_bytes(Turn& turn, std::string bytes, const std::vector<api::StreamEvent>& events);
[[nodiscard]] std::string shown_whole(const Turn& turn, std::string body);

// record.cpp: log, metrics, requests.db.
void begin_record(Gateway& gateway, Turn& turn, const net::Request& request);
/// Where the turn goes, into its record.
void note_place(const Gateway& gateway, Turn& turn);
void log_request(Gateway& gateway, const Turn& turn);
void note_events(Gateway& gateway, Turn& turn, const std::vector<api::StreamEvent>& events);
/// Keeps what was sent to the client, where bodies are kept (log.bodies).
void keep_answer(const Gateway& gateway, Turn& turn, std::string_view bytes);
void end_record(Gateway& gateway, Turn& turn);
void declare_metrics(metrics::Metrics& metrics);

// tools_turn.cpp (the rest of it: tools_turn.hpp)
/// What became of each call, into the turn's record.
void conclude_tools(Turn& turn);

// beat.cpp: heads that were held long enough, pings, heartbeats.
awaitable<void> beat_loop(Gateway& gateway);
/// What the last bytes of a turn mean for the next beat.
void note_sent(Turn& turn, Clock::time_point now);

// upstream.cpp: how a request is put to an engine or a backend.
struct Upstream {
    net::Target target;
    net::Timeouts timeouts;
    net::Request request;
    bool assemble = false;  ///< a stream was asked for although the client did not
};
/// With the turn's slot and state, when it has a seat.
[[nodiscard]] Upstream to_engine(const config::Model& model, const Turn& turn, const engines::Ready& ready, const net::Request& request);
[[nodiscard]] Upstream to_backend(const Turn& turn, const Backend& backend, const net::Request& request,
                                  bool gateway_has_keys);
/// Asks backends whose models are not known for their list, at most once in `max_age`; all at the same time.
awaitable<void> learn_models(Gateway& gateway, std::chrono::seconds max_age);

// simple.cpp: what needs no model's answer: health, version, models, engine queries, /upstream.
awaitable<void> health(Gateway& gateway, net::Exchange& exchange);
awaitable<void> version(Gateway& gateway, net::Exchange& exchange);
awaitable<void> models(Gateway& gateway, net::Exchange& exchange, std::string id);
awaitable<void> engine_query(Gateway& gateway, net::Exchange& exchange, api::EndpointMatch match);
awaitable<void> pass_upstream(Gateway& gateway, net::Exchange& exchange, api::EndpointMatch match);
[[nodiscard]] std::string metrics_text(Gateway& gateway);

// admin.cpp
awaitable<void> admin(Gateway& gateway, net::Exchange& exchange, std::string path);

// admin_models.cpp
/// Answers models/{id}/load and models/{id}/unload; false: the path is not one of these, nothing was sent.
awaitable<bool> admin_models(Gateway& gateway, net::Exchange& exchange, std::string path);

// admin_states.cpp
/// `sessions` and `cache/...`; false: the path is none of these.
awaitable<bool> admin_states(Gateway& gateway, net::Exchange& exchange, std::string path);

// ids.cpp
[[nodiscard]] std::string new_request_id();

}  // namespace lc::gateway
