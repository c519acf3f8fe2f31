// Requests of messages and responses that engines are asked in chat, and their answers on the way back.
#include "app/gateway/parts.hpp"
#include "app/gateway/tools_turn.hpp"

namespace lc::gateway {

api::Dialect answer_dialect(const Turn& turn) { return turn.writer ? turn.writer->dialect : turn.match.dialect; }

Result<void> speak_chat(Gateway& gateway, Turn& turn) {
    auto& incoming = request(*turn.exchange);
    if (!turn.local || turn.match.endpoint == api::Endpoint::messages_count || !dialect::needs_chat(turn.view, incoming.body)) return {};
    auto chat = dialect::to_chat(turn.match.dialect, incoming.body);
    if (!chat) return tl::unexpected(chat.error());
    const bool stream = turn.view.stream;
    auto view = api::parse_request(api::Dialect::chat, chat->body,
                                   static_cast<std::size_t>(gateway.options.config.server.limits.max_json_depth));
    if (!view) return tl::unexpected(view.error());
    auto writer = std::make_shared<dialect::Writer>();
    writer->dialect = turn.match.dialect;
    writer->id = turn.id;
    writer->model = turn.record.model_asked.empty() ? turn.choice.model : turn.record.model_asked;
    writer->created = turn.record.unix_ms / 1000;
    writer->names = std::move(chat->names);
    turn.writer = std::move(writer);
    incoming.body = std::move(chat->body);
    turn.view = std::move(*view);
    turn.view.stream = stream;
    turn.match.endpoint = api::Endpoint::chat_completions;
    turn.match.dialect = api::Dialect::chat;
    begin_tools(gateway, turn);
    return {};
}

std::string shown_bytes(Turn& turn, std::string bytes, const std::vector<api::StreamEvent>& events) {
    return turn.writer ? dialect::write(*turn.writer, events) : std::move(bytes);
}

std::string shown_whole(const Turn& turn, std::string body) {
    if (!turn.writer) return body;
    return dialect::write_whole(*turn.writer, api::read_whole(api::Dialect::chat, body));
}

}  // namespace lc::gateway
