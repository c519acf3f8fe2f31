#include "app/commands/once.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <exception>
#include <optional>

namespace lc::commands {

namespace asio = boost::asio;

Result<net::Fetched> fetch_once(const net::Target& target, net::Request request, std::chrono::milliseconds timeout) {
    asio::io_context io(1);
    const auto pool = net::make_pool(io.get_executor());
    net::Timeouts timeouts;
    timeouts.connect = std::chrono::seconds(5);
    timeouts.first_byte = timeout;
    timeouts.silence = timeout;
    std::optional<Result<net::Fetched>> answer;
    std::exception_ptr thrown;
    asio::co_spawn(io, net::fetch(*pool, target, timeouts, std::move(request)),
                   [&](const std::exception_ptr& exception, Result<net::Fetched> fetched) {
                       thrown = exception;
                       answer = std::move(fetched);
                   });
    // Not io.run(): the pool keeps a timer for its idle connections.
    while (!answer && io.run_one() > 0) {
    }
    if (thrown) std::rethrow_exception(thrown);
    if (!answer) return fail(Errc::internal, "there was no answer");
    return std::move(*answer);
}

std::string message_of(const std::string& body) {
    boost::system::error_code error;
    const auto value = boost::json::parse(body, error);
    if (error || !value.is_object()) return body;
    const auto* inner = value.as_object().if_contains("error");
    if (inner == nullptr) return body;
    if (const auto* text = inner->if_string()) return std::string(text->data(), text->size());
    const auto* object = inner->if_object();
    const auto* message = object != nullptr ? object->if_contains("message") : nullptr;
    if (message == nullptr || !message->is_string()) return body;
    return std::string(message->as_string().data(), message->as_string().size());
}

}  // namespace lc::commands
