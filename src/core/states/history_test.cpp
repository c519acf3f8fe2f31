#include "core/states/history.hpp"

#include <gtest/gtest.h>

namespace lc::states {
namespace {

using kv::KeyKind;
using kv::StateKey;

Digest name(const char* text) { return sha256(text); }
StateKey head(const char* text, std::uint32_t n) { return {name(text), n, KeyKind::head}; }
StateKey message(const char* text, std::uint32_t n) { return {name(text), n, KeyKind::message}; }
StateKey answer(const char* text, std::uint32_t n) { return {name(text), n, KeyKind::answer}; }

TEST(History, SameTurns) {
    // head, user 1, assistant 1, user 2, assistant 2, user 3
    const Chain chain{{name("h"), name("u1"), name("a1"), name("u2"), name("a2"), name("u3")},
                      {std::nullopt, name("A1"), std::nullopt, name("A2"), std::nullopt, std::nullopt}};
    const struct {
        const char* what;
        std::vector<StateKey> known;
        std::vector<AnswerTurn> want;
    } cases[] = {
        {"nothing known", {}, {}},
        {"no answers known", {head("h", 10), message("u1", 20)}, {}},
        {"both", {head("h", 10), message("u1", 20), answer("A1", 30), message("u2", 40), answer("A2", 50)}, {{20, 30}, {40, 50}}},
        {"the first was edited", {message("u1", 20), answer("B1", 30), message("u2", 40), answer("A2", 50)}, {{40, 50}}},
        {"answers without what was asked", {answer("A1", 30), message("u2", 40), answer("A2", 50)}, {{40, 50}}},
        {"the answer to something else", {message("u1", 20), answer("A2", 30)}, {}},
        {"the question is not in the history", {message("x", 20), answer("A1", 30)}, {}},
        {"an answer without tokens", {message("u1", 20), answer("A1", 20)}, {}},
        {"two answers to one question", {message("u1", 20), answer("B1", 25), answer("A1", 30)}, {}},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.what);
        EXPECT_EQ(same_turns(c.known, chain), c.want);
    }
}

TEST(History, Bounded) {
    Chain chain;
    std::vector<StateKey> known;
    for (std::uint32_t i = 0; i < 5000; ++i) {
        chain.keys.push_back(name(("u" + std::to_string(i)).c_str()));
        chain.answers.push_back(name(("a" + std::to_string(i)).c_str()));
        known.push_back({chain.keys.back(), 10 * i + 1, KeyKind::message});
        known.push_back({*chain.answers.back(), 10 * i + 5, KeyKind::answer});
    }
    const auto turns = same_turns(known, chain);
    ASSERT_EQ(turns.size(), 4096u);
    EXPECT_EQ(turns.back(), (AnswerTurn{49'991, 49'995}));
}

TEST(History, StillThere) {
    const Chain chain{{name("h"), name("u1")}, {std::nullopt, name("A1")}};
    const std::vector<StateKey> known = {head("h", 1), message("u1", 2), answer("A1", 3), message("u2", 4), answer("A2", 5)};
    EXPECT_EQ(still_there(known, chain), (std::vector<StateKey>{head("h", 1), message("u1", 2), answer("A1", 3)}));
    EXPECT_EQ(last_message(still_there(known, chain))->n_tokens, 2u);
    EXPECT_EQ(last_message({}), nullptr);
}

}  // namespace
}  // namespace lc::states
