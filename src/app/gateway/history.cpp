// Token-exact history: what an engine answered, so that the next request can be told to mean the same.
#include "app/gateway/parts.hpp"
#include "app/gateway/tools_turn.hpp"

namespace lc::gateway {

namespace {

constexpr std::size_t most_bytes = 4u << 20;  ///< a longer answer is not compared
constexpr std::size_t most_calls = 256;

struct Hear {
    Heard& heard;

    void text(std::string& to, std::string_view piece) const {
        heard.bytes += piece.size();
        if (heard.bytes > most_bytes) heard.whole = false;
        if (heard.whole) to += piece;
    }
    void operator()(const api::TextDelta& delta) const {
        if (delta.choice != 0) heard.whole = false;
        text(heard.answer.text, delta.text);
    }
    void operator()(const api::ToolBegin& begin) const {
        if (begin.choice != 0 || heard.answer.calls.size() >= most_calls) heard.whole = false;
        if (!heard.whole) return;
        heard.answer.calls.push_back({begin.name, {}});
    }
    void operator()(const api::ToolArguments& piece) const {
        const auto i = static_cast<std::size_t>(std::max(piece.index, 0));
        if (i >= heard.answer.calls.size()) heard.whole = false;
        if (heard.whole) text(heard.answer.calls[i].arguments, piece.text);
    }
    void operator()(const api::Finish& finish) const { heard.finish = finish.reason; }
    void operator()(const api::StreamFailure&) const { heard.whole = false; }
    template <class Other>
    void operator()(const Other&) const {}
};

}  // namespace

void hear(Turn& turn, const std::vector<api::StreamEvent>& events) {
    if (!turn.heard) return;
    for (const auto& event : events) std::visit(Hear{*turn.heard}, event);
}

std::optional<Digest> answered(const Turn& turn) {
    if (!turn.heard || !turn.heard->whole) return std::nullopt;
    const auto& heard = *turn.heard;
    // Cut by a limit or a stop word: the model's own end is not there.
    if (heard.finish != "stop" && heard.finish != "tool_calls") return std::nullopt;
    // Asked again: another answer came from the same slot.
    if (turn.tool_turn && turn.tool_turn->guard.asked > 0) return std::nullopt;
    return kv::answer_key(heard.asked, heard.answer);
}

}  // namespace lc::gateway
