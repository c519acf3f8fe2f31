#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/gateway/parts.hpp"
#include "core/access/origin.hpp"

namespace lc::gateway {

std::string header_safe(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 200)) {
        const bool plain = c > 0x20 && c < 0x7f && c != '"' && c != ';' && c != ',' && c != '\\';
        out.push_back(plain ? c : '_');
    }
    return out;
}

net::Fields answer_fields(const Gateway& gateway, const net::Request& request, std::string_view content_type,
                          std::string_view request_id) {
    net::Fields fields;
    fields.push_back({"content-type", std::string(content_type)});
    if (!request_id.empty()) fields.push_back({"x-localcode-request-id", std::string(request_id)});
    const auto origin = net::get(request.fields, "origin");
    const auto allowed = access::cors_headers(origin.empty() ? std::nullopt : std::optional(origin),
                                              gateway.options.config.server.cors_origins);
    for (const auto& [name, value] : allowed) fields.push_back({name, value});
    return fields;
}

awaitable<void> answer_json(Gateway& gateway, net::Exchange& exchange, int status, std::string body,
                            std::string_view request_id) {
    net::Response response{status, answer_fields(gateway, request(exchange), "application/json", request_id),
                           std::move(body)};
    co_await net::respond(exchange, std::move(response));
}

awaitable<void> answer_error(Gateway& gateway, net::Exchange& exchange, api::Dialect dialect, const Error& error,
                             std::string_view request_id) {
    net::Response response{api::http_status(error.code),
                           answer_fields(gateway, request(exchange), "application/json", request_id),
                           api::error_body(dialect, error)};
    if (response.status == 429 || response.status == 503) {
        net::set(response.fields, "retry-after", std::to_string(std::max(1, error.retry_after_s)));
    }
    if (response.status == 401) net::set(response.fields, "www-authenticate", "Bearer");
    co_await net::respond(exchange, std::move(response));
}

net::ResponseHead turn_head(const Gateway& gateway, const Turn& turn, int status, std::string_view content_type) {
    net::ResponseHead head{status, answer_fields(gateway, request(*turn.exchange), content_type, turn.id)};
    if (!turn.kind.empty()) head.fields.push_back({"x-localcode-kind", turn.kind});
    if (!turn.record.session.empty()) head.fields.push_back({"x-localcode-session", header_safe(turn.record.session)});
    if (!turn.record.route_reason.empty()) head.fields.push_back({"x-localcode-route", turn.record.route_reason});
    if (!turn.cache_key.empty()) head.fields.push_back({"x-localcode-cache-key", turn.cache_key});
    if (const auto cache = cache_outcome(turn); !cache.empty()) head.fields.push_back({"x-localcode-cache", cache});
    if (content_type.starts_with("text/event-stream")) {
        head.fields.push_back({"cache-control", "no-cache"});
        head.fields.push_back({"x-accel-buffering", "no"});  // a proxy in front must not hold tokens back
    }
    return head;
}

awaitable<Result<void>> answer_whole(Gateway& gateway, Turn& turn, std::string body) {
    turn.ended = true;
    turn.record.status = 200;
    turn.record.bytes_out = static_cast<std::int64_t>(body.size());
    keep_answer(gateway, turn, body);
    auto head = turn_head(gateway, turn, 200, "application/json");
    net::Response response{200, std::move(head.fields), std::move(body)};
    co_return co_await net::respond(*turn.exchange, std::move(response));
}

awaitable<void> fail_turn(Gateway& gateway, Turn& turn, Error error) {
    if (gateway.stopping && error.code == Errc::cancelled) error = {Errc::overloaded, "LocalCode is shutting down", 5};
    turn.ended = true;
    turn.record.error_code = name_of(error.code);
    turn.record.error_detail = error.detail;
    if (net::gone(*turn.exchange) || error.code == Errc::cancelled) turn.cancelled = true;
    if (net::gone(*turn.exchange)) {
        turn.record.status = api::http_status(Errc::cancelled);
        co_return;
    }
    if (!net::started(*turn.exchange)) {
        turn.record.status = api::http_status(error.code);
        auto head = turn_head(gateway, turn, turn.record.status, "application/json");
        if (turn.record.status == 429 || turn.record.status == 503) {
            net::set(head.fields, "retry-after", std::to_string(std::max(1, error.retry_after_s)));
            if (!turn.retry_after_ms.empty()) net::set(head.fields, "retry-after-ms", turn.retry_after_ms);
        }
        net::Response response{head.status, std::move(head.fields), api::error_body(answer_dialect(turn), error)};
        keep_answer(gateway, turn, response.body);
        co_await net::respond(*turn.exchange, std::move(response));
        co_return;
    }
    const auto frames = api::error_frames(answer_dialect(turn), error);
    keep_answer(gateway, turn, frames);
    net::send_now(*turn.exchange, frames);
    // An overflow is a whole answer that clients act upon; anything else is a cut, and must look like one.
    // Two statements: g++ 12 miscompiles a conditional inside co_await.
    if (error.code == Errc::context_length_exceeded) {
        co_await end_after_error(turn);
    } else {
        co_await cut_after_error(turn);
    }
}

awaitable<void> end_after_error(Turn& turn) { co_await net::finish(*turn.exchange); }

awaitable<void> cut_after_error(Turn& turn) {
    // Some clients (those on Bun) drop bytes that arrive together with an early end: the error event would be lost.
    asio::steady_timer pause(co_await asio::this_coro::executor, std::chrono::milliseconds(500));
    boost::system::error_code ec;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    co_await net::abort(*turn.exchange);
}

}  // namespace lc::gateway
