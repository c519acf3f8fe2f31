#include "core/states/history.hpp"

#include <algorithm>
#include <map>

namespace lc::states {

namespace {

constexpr std::size_t most_turns = 4096;

/// The place of each key in the chain.
std::map<Digest, std::size_t> places(const Chain& chain) {
    std::map<Digest, std::size_t> out;
    for (std::size_t i = 0; i < chain.keys.size(); ++i) out.emplace(chain.keys[i], i);
    return out;
}

std::map<Digest, std::size_t> answer_places(const Chain& chain) {
    std::map<Digest, std::size_t> out;
    for (std::size_t i = 0; i < std::min(chain.answers.size(), chain.keys.size()); ++i) {
        if (chain.answers[i]) out.emplace(*chain.answers[i], i);
    }
    return out;
}

}  // namespace

std::vector<AnswerTurn> same_turns(std::span<const kv::StateKey> known, const Chain& chain) {
    const auto messages = places(chain);
    const auto answers = answer_places(chain);
    std::vector<AnswerTurn> out;
    std::optional<std::pair<std::size_t, std::uint32_t>> asked;  ///< the message before: its place, its tokens
    for (const auto& key : known) {
        if (key.kind != kv::KeyKind::answer) {
            const auto at = messages.find(key.key);
            asked.reset();
            if (at != messages.end()) asked.emplace(at->second, key.n_tokens);
            continue;
        }
        const auto at = answers.find(key.key);
        const bool fits = at != answers.end() && asked && asked->first == at->second && key.n_tokens > asked->second;
        if (fits) out.push_back({asked->second, key.n_tokens});
        asked.reset();
    }
    if (out.size() > most_turns) out.erase(out.begin(), out.end() - most_turns);
    return out;
}

std::vector<kv::StateKey> still_there(std::span<const kv::StateKey> known, const Chain& chain) {
    const auto messages = places(chain);
    const auto answers = answer_places(chain);
    std::vector<kv::StateKey> out;
    for (const auto& key : known) {
        if ((key.kind == kv::KeyKind::answer ? answers : messages).contains(key.key)) out.push_back(key);
    }
    return out;
}

const kv::StateKey* last_message(std::span<const kv::StateKey> known) {
    for (std::size_t i = known.size(); i > 0; --i) {
        if (known[i - 1].kind != kv::KeyKind::answer) return &known[i - 1];
    }
    return nullptr;
}

}  // namespace lc::states
