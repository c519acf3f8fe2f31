#include "state/exact.h"

#include "state/restore.h"
#include "state/reuse.h"
#include "state/text_tokens.h"

#include "common.h"
#include "llama.h"

#include <algorithm>
#include <tuple>
#include <utility>

using lc::kv::Token;

namespace {
PieceOf pieces_of(const llama_vocab* vocab) {
    return [vocab](Token token, std::string& out) {
        if (token < 0 || token >= llama_vocab_n_tokens(vocab) || llama_vocab_is_control(vocab, token) || llama_vocab_is_eog(vocab, token) ||
            (llama_vocab_get_attr(vocab, token) & (LLAMA_TOKEN_ATTR_UNKNOWN | LLAMA_TOKEN_ATTR_UNUSED)) != 0) {
            return;
        }
        out += common_token_to_piece(vocab, token, true);
    };
}

void put(ExactPrompt& prompt, const Exact& exact, std::span<const Token> known, server_task& task) {
    task.tokens = server_tokens(exact.tokens(known, prompt.rendered), task.tokens.has_mtmd);
    task.params.message_spans = prompt.spans;
    for (auto& span : task.params.message_spans.spans) {
        span.pos = exact.place(static_cast<std::uint32_t>(span.pos));
    }
    prompt.kept = exact.changes() ? exact.known - exact.common : 0;
    prompt.turns = exact.turns;
}

std::size_t common_tokens(std::span<const Token> a, std::span<const Token> b) {
    return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}
}  // namespace

ExactPrompt exact_prompt_of(const StateRequest& request, const server_task& task) {
    ExactPrompt out;
    auto text = text_prefix(task.tokens);
    const bool all_text = text.size() == task.tokens.size();
    if (request.history && task.params.cache_prompt && task.params.lora.empty() && all_text) {
        out.rendered = std::move(text);
        out.spans = task.params.message_spans;
    }
    return out;
}

void take_from_states(ExactPrompt& prompt, const StateRequest& request, const std::string& dir, const llama_vocab* vocab, server_task& task) {
    if (!prompt.on()) {
        return;
    }
    Exact best;
    std::vector<Token> tokens;
    for (std::size_t i = 0; i < request.states.size(); ++i) {
        auto file = open_manifest(dir, request.scope, request.states[i]);
        if (!file.file || !file.parsed.manifest.media.empty()) {
            continue;
        }
        const auto& turns = request.history->states;
        auto exact = exact_prompt(file.parsed.manifest.tokens, prompt.rendered, i < turns.size() ? turns[i] : std::vector<KnownTurn>(),
                                  pieces_of(vocab));
        if (exact.known > best.known) {
            best = std::move(exact);
            tokens = std::move(file.parsed.manifest.tokens);
        }
    }
    if (best.changes()) {
        put(prompt, best, tokens, task);
    }
    prompt.state_known = best.known;
}

void take_from_slot(ExactPrompt& prompt, const StateRequest& request, bool known, const server_slot_view& view, server_task& task, Plan& plan) {
    if (!prompt.on()) {
        return;
    }
    const auto held = text_prefix(view.prompt->tokens);
    if (held.empty() || held.size() != view.prompt->tokens.size()) {
        return;
    }
    const auto* vocab = llama_model_get_vocab(llama_get_model(view.ctx_tgt));
    prompt.slot_known = static_cast<std::uint32_t>(common_tokens(held, text_prefix(task.tokens)));
    const auto exact = exact_prompt(held, prompt.rendered, known ? request.history->slot : std::vector<KnownTurn>(), pieces_of(vocab));
    if (!exact.changes()) {
        return;
    }
    const auto before = text_prefix(task.tokens);
    const auto spans_before = task.params.message_spans;
    const auto prompt_before = std::pair(prompt.kept, prompt.turns);
    const auto had_before = tokens_in_memory(view, task);
    put(prompt, exact, held, task);
    const auto had = tokens_in_memory(view, task);
    if (had < had_before || plan.n_tokens >= had + static_cast<std::uint32_t>(worthwhile_tokens)) {
        task.tokens = server_tokens(before, task.tokens.has_mtmd);
        task.params.message_spans = spans_before;
        std::tie(prompt.kept, prompt.turns) = prompt_before;
        return;
    }
    prompt.slot_known = exact.known;
    const auto same = common_tokens(before, text_prefix(task.tokens));
    prompt.state_known = std::min(prompt.state_known, static_cast<std::uint32_t>(same));
    if (same < plan.n_tokens) {
        plan = {};
    }
}
