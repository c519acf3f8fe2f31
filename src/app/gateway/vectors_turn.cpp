// Embeddings and reranking of local models: the request goes to the engine in batches, so that a large one does not keep
// others waiting to its end, and can be left between them; the answer is put together in order.
#include <simdjson.h>

#include "app/gateway/parts.hpp"
#include "core/api/json_scan.hpp"
#include "core/forward/forward.hpp"
#include "core/vectors/embeddings.hpp"
#include "core/vectors/rerank.hpp"

namespace lc::gateway {

namespace {

constexpr std::size_t batch_items = 32;
constexpr std::size_t batch_bytes = 256 << 10;
constexpr std::size_t answer_bytes = 256u << 20;

struct Work {
    engines::Ready ready;
    std::vector<api::Range> items;  ///< texts or documents
    std::string query;              ///< reranking: JSON; else empty
    const char* what = "input";
};

/// One question to the engine; its answer's body. Errors of the engine keep its words.
awaitable<Result<std::string>> ask(Gateway& gateway, Turn& turn, const engines::Ready& ready, net::Request question) {
    turn.call = net::make_call(*gateway.pool, ready.target, {});
    const auto head = co_await net::exchange(*turn.call, std::move(question));
    if (!head) co_return tl::unexpected(head.error());
    auto body = co_await net::read_all(*turn.call, answer_bytes);
    if (!body || head->status == 200) co_return body;
    co_return tl::unexpected(api::classify_upstream_error(head->status, *body, 0));
}

net::Request question_of(const Turn& turn, const std::vector<forward::Member>& members) {
    const auto& incoming = request(*turn.exchange);
    const std::vector<api::HeaderField> none;
    const forward::Incoming in{turn.match.endpoint, turn.match.dialect, incoming.method, incoming.target,
                               none,                incoming.body,      &turn.view};
    auto out = forward::to_engine(in, turn.choice.model, members);
    net::Request question;
    question.method = std::move(out.method);
    question.target = std::move(out.target);
    for (auto& field : out.fields) question.fields.push_back({std::move(field.name), std::move(field.value)});
    question.body = std::move(out.body);
    return question;
}

/// Tokens of a JSON text; nothing when the engine does not say.
awaitable<std::optional<std::int64_t>> count_tokens(Gateway& gateway, Turn& turn, const Work& work, std::string_view text) {
    if (text.empty()) co_return 0;
    if (text.front() == '[') {
        std::int64_t count = 0;
        api::scan_elements(text, 0, [&](api::Range) { ++count; });
        co_return count;
    }
    net::Request question;
    question.method = "POST";
    question.target = "/tokenize";
    question.fields.push_back({"content-type", "application/json"});
    question.body = R"({"add_special":true,"content":)" + std::string(text) + "}";
    const auto body = co_await ask(gateway, turn, work.ready, std::move(question));
    simdjson::dom::parser parser;
    simdjson::dom::array list;
    if (!body || parser.parse(*body)["tokens"].get(list) != simdjson::SUCCESS) co_return std::nullopt;
    co_return static_cast<std::int64_t>(list.size());
}

bool says_too_long(const Error& error) {
    return error.code == Errc::context_length_exceeded || error.detail.find("too large to process") != std::string::npos;
}

/// A batch was refused as too long: which of its texts is?
awaitable<Error> too_long(Gateway& gateway, Turn& turn, const Work& work, std::size_t begin, std::size_t end, Error error) {
    const auto& body = request(*turn.exchange).body;
    const auto limit = work.ready.context_per_slot;
    const auto query = co_await count_tokens(gateway, turn, work, work.query);
    for (std::size_t i = begin; i < end && query; ++i) {
        const auto text = api::slice(body, work.items[i]);
        if (static_cast<std::int64_t>(text.size() + work.query.size()) < limit / 2) continue;  // hardly more tokens than bytes
        const auto tokens = co_await count_tokens(gateway, turn, work, text);
        if (!tokens) break;
        if (*tokens + *query <= limit) continue;
        std::string detail = std::string(work.what) + "[" + std::to_string(i) + "] has " + std::to_string(*tokens) + " tokens";
        if (*query > 0) detail += " and the query " + std::to_string(*query);
        co_return error_of(Errc::context_length_exceeded, detail + "; model '" + turn.choice.model + "' takes " +
                                                              std::to_string(limit) + " at a time (its `context`); shorten or split it");
    }
    error.code = Errc::context_length_exceeded;
    co_return error;
}

awaitable<Result<std::string>> ask_batch(Gateway& gateway, Turn& turn, const Work& work, const std::vector<forward::Member>& members,
                                         std::size_t begin, std::size_t end) {
    if (end < work.items.size() || begin > 0) {
        turn.waiting_for = std::string(work.what) + " " + std::to_string(begin) + " of " + std::to_string(work.items.size());
    }
    auto body = co_await ask(gateway, turn, work.ready, question_of(turn, members));
    if (turn.cancelled) co_return fail(Errc::cancelled, "the client left");
    if (body || !says_too_long(body.error())) co_return body;
    co_return tl::unexpected(co_await too_long(gateway, turn, work, begin, end, body.error()));
}

awaitable<Result<std::string>> embed(Gateway& gateway, Turn& turn, Work& work, std::int64_t& tokens) {
    const auto& body = request(*turn.exchange).body;
    const auto asked = vectors::parse_embeddings(turn.view, body);
    if (!asked) co_return tl::unexpected(asked.error());
    auto ready = co_await ready_engine(gateway, turn);
    if (!ready) co_return tl::unexpected(ready.error());
    work.ready = std::move(*ready);
    work.items = asked->inputs;
    vectors::EmbeddingsAnswer answer;
    answer.base64 = asked->base64;
    for (std::size_t begin = 0; begin < work.items.size();) {
        const std::size_t end = vectors::batch_end(work.items, begin, batch_items, batch_bytes);
        const std::vector<forward::Member> members = {{"input", vectors::list_of(body, work.items, begin, end)},
                                                      {"encoding_format", "\"base64\""}};
        const auto text = co_await ask_batch(gateway, turn, work, members, begin, end);
        if (!text) co_return tl::unexpected(text.error());
        auto batch = vectors::read_embeddings(*text, end - begin);
        if (!batch) co_return tl::unexpected(batch.error());
        for (auto& vector : batch->vectors) {
            if (auto ok = vectors::shorten(vector, asked->dimensions); !ok) co_return tl::unexpected(ok.error());
            if (auto ok = vectors::add(answer, vector); !ok) co_return tl::unexpected(ok.error());
        }
        answer.tokens += batch->tokens;
        begin = end;
    }
    tokens = answer.tokens;
    co_return vectors::finish(answer, turn.view.model.empty() ? turn.choice.model : turn.view.model);
}

awaitable<Result<std::string>> rank(Gateway& gateway, Turn& turn, Work& work, std::int64_t& tokens) {
    const auto& body = request(*turn.exchange).body;
    const auto asked = vectors::parse_rerank(turn.view, body);
    if (!asked) co_return tl::unexpected(asked.error());
    auto ready = co_await ready_engine(gateway, turn);
    if (!ready) co_return tl::unexpected(ready.error());
    work.ready = std::move(*ready);
    work.items = asked->documents;
    work.query = api::slice(body, asked->query);
    work.what = "documents";
    std::vector<vectors::Score> scores;
    for (std::size_t begin = 0; begin < work.items.size();) {
        const std::size_t end = vectors::batch_end(work.items, begin, batch_items, batch_bytes);
        const std::vector<forward::Member> members = {{"query", work.query},
                                                      {"documents", vectors::list_of(body, work.items, begin, end)},
                                                      {"top_n", std::to_string(end - begin)}};
        const auto text = co_await ask_batch(gateway, turn, work, members, begin, end);
        if (!text) co_return tl::unexpected(text.error());
        const auto batch = vectors::read_rerank(*text, end - begin);
        if (!batch) co_return tl::unexpected(batch.error());
        for (const auto& score : batch->scores) scores.push_back({begin + score.index, score.value});
        tokens += batch->tokens;
        begin = end;
    }
    const std::string_view model = turn.view.model.empty() ? turn.choice.model : turn.view.model;
    const vectors::RerankAnswer about{turn.id, model, tokens};
    co_return vectors::encode(about, *asked, body, vectors::best(std::move(scores), asked->top_n));
}

}  // namespace

bool is_vectors(const Turn& turn) {
    if (turn.match.endpoint == api::Endpoint::embeddings) return true;
    // `texts`: the form of another server (TEI), which engines answer in its own form.
    return turn.match.endpoint == api::Endpoint::rerank && !(api::find(turn.view, "texts") && !api::find(turn.view, "documents"));
}

awaitable<Result<void>> answer_vectors(Gateway& gateway, Turn& turn) {
    Work work;
    std::int64_t tokens = 0;
    Result<std::string> body = fail(Errc::internal, "");
    if (turn.match.endpoint == api::Endpoint::embeddings) {
        body = co_await embed(gateway, turn, work, tokens);
    } else {
        body = co_await rank(gateway, turn, work, tokens);
    }
    if (!body) co_return tl::unexpected(body.error());
    api::Usage usage;
    usage.prompt = usage.total = tokens;
    const std::vector<api::StreamEvent> events = {usage, api::Done{}};
    note_events(gateway, turn, events);
    co_return co_await answer_whole(gateway, turn, std::move(*body));
}

}  // namespace lc::gateway
