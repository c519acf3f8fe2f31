#include "app/gateway/fim_turn.hpp"

#include "app/gateway/routing.hpp"

#include <functional>

#include "core/api/json_scan.hpp"
#include "core/api/splice.hpp"

namespace lc::gateway {

namespace {

constexpr std::size_t max_editors = 256;

/// An address without its port: "127.0.0.1", "[::1]", "unix".
std::string_view host_of(std::string_view peer) { return peer.substr(0, peer.rfind(':')); }

std::string who_asks(const Turn& turn) {
    const auto& incoming = request(*turn.exchange);
    std::string who = turn.key_name + '\n' + turn.choice.model + '\n';
    if (!turn.session.id.empty()) return who + turn.session.id;
    who += turn.session.client + '\n' + std::string(host_of(incoming.peer)) + '\n';
    return who + std::string(net::get(incoming.fields, "user-agent"));
}

void replace_body(Turn& turn, std::string body, api::Dialect dialect) {
    auto view = api::parse_request(dialect, body);
    if (!view) return;
    turn.view = std::move(*view);
    request(*turn.exchange).body = std::move(body);
}

void end_older(Gateway& gateway, const Turn& turn) {
    for (Turn* other : gateway.turns) {
        if (other == &turn || !other->fim || other->ended || other->cancelled) continue;
        if (!fim::supersedes(turn.fim->ask, other->fim->ask)) continue;
        other->fim->superseded = true;
        other->cancelled = true;
        other->leave.leave();
        if (other->call) net::cancel(*other->call);
    }
}

/// Chunks of `input_extra` in the order of last time.
void settle_order(Gateway& gateway, Turn& turn) {
    const auto& body = request(*turn.exchange).body;
    const auto* extra = api::find(turn.view, "input_extra");
    if (extra == nullptr || body[extra->value.begin] != '[') return;
    std::vector<api::Range> chunks;
    std::vector<std::uint64_t> now, sent;
    api::scan_elements(body, extra->value.begin, [&](api::Range chunk) {
        chunks.push_back(chunk);
        now.push_back(std::hash<std::string_view>()(api::slice(body, chunk)));
    });
    if (chunks.empty()) return;
    if (!gateway.fim_memory) gateway.fim_memory = std::make_shared<FimMemory>();
    auto& memory = gateway.fim_memory->sent;
    if (memory.size() >= max_editors && !memory.contains(turn.fim->ask.who)) memory.erase(memory.begin());
    auto& last = memory[turn.fim->ask.who];
    const auto order = fim::stable_order(last, now);
    std::string list = "[";
    bool moved = false;
    for (std::size_t i = 0; i < order.size(); ++i) {
        moved = moved || order[i] != i;
        if (i > 0) list.push_back(',');
        list += api::slice(body, chunks[order[i]]);
        sent.push_back(now[order[i]]);
    }
    last = std::move(sent);
    if (!moved) return;
    std::vector<api::Splice> splices;
    api::set_member(turn.view, body, "input_extra", list + "]", splices);
    const auto dialect = turn.view.dialect;
    replace_body(turn, api::apply(body, std::move(splices)), dialect);
}

}  // namespace

Result<void> begin_fim(Gateway& gateway, Turn& turn) {
    const auto& body = request(*turn.exchange).body;
    const bool translated = fim::asks_infill(turn.view, body);
    if (!translated && turn.match.endpoint != api::Endpoint::infill) return {};
    turn.fim = std::make_shared<FimTurn>();
    if (translated) {
        auto text = fim::to_infill(turn.view, body);
        if (!text) return tl::unexpected(text.error());
        fim::Stream stream;
        stream.dialect = turn.match.dialect;
        stream.id = "cmpl-" + turn.id;
        stream.model = turn.view.model.empty() ? turn.choice.model : turn.view.model;
        stream.created = turn.record.unix_ms / 1000;
        stream.include_usage = turn.view.include_usage || !turn.view.stream;
        turn.fim->stream = std::move(stream);
        turn.match.endpoint = api::Endpoint::infill;
        replace_body(turn, std::move(*text), api::Dialect::infill);
    }
    turn.fim->ask = fim::ask_of(turn.view, request(*turn.exchange).body);
    turn.fim->ask.who = who_asks(turn);
    turn.fim->ask.named = !turn.session.id.empty();
    settle_order(gateway, turn);
    end_older(gateway, turn);
    return {};
}

void translate_fim(Turn& turn, std::vector<sse::Frame>& frames) {
    if (!turn.fim || !turn.fim->stream) return;
    std::vector<sse::Frame> out;
    for (const auto& frame : frames) {
        for (auto& made : fim::translate(*turn.fim->stream, frame)) out.push_back(std::move(made));
    }
    frames = std::move(out);
}

std::optional<Error> superseded(const Turn& turn) {
    if (!turn.fim || !turn.fim->superseded) return std::nullopt;
    return Error{Errc::cancelled, "a newer request of the same editor took its place", 0};
}

}  // namespace lc::gateway
