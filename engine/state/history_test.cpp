#include "state/history.h"

#include <gtest/gtest.h>

#include <map>

using lc::kv::Token;

namespace {
/// A toy vocabulary: tokens below 100 are no text, the others stand for what is registered here.
class Words {
  public:
    std::vector<Token> operator()(std::initializer_list<std::string_view> words) {
        std::vector<Token> out;
        for (const auto word : words) {
            if (word.starts_with('<')) {
                out.push_back(word == "<end>" ? 2 : word == "<user>" ? 3 : word == "<bot>" ? 4 : 5);
                continue;
            }
            const auto [it, added] = ids_.try_emplace(std::string(word), static_cast<Token>(100 + ids_.size()));
            if (added) {
                texts_.push_back(it->first);
            }
            out.push_back(it->second);
        }
        return out;
    }
    PieceOf piece() const {
        return [this](Token token, std::string& out) {
            if (token >= 100) {
                out += texts_[static_cast<std::size_t>(token) - 100];
            }
        };
    }

  private:
    std::map<std::string, Token, std::less<>> ids_;
    std::vector<std::string> texts_;
};
}  // namespace

TEST(History, Table) {
    Words w;
    const auto prompt = w({"<user>", "hi", "<end>", "<bot>"});
    const auto begin = static_cast<std::uint32_t>(prompt.size());
    const auto with = [&](std::initializer_list<std::string_view> more) {
        auto out = prompt;
        const auto tokens = w(more);
        out.insert(out.end(), tokens.begin(), tokens.end());
        return out;
    };
    using Turns = std::vector<KnownTurn>;
    const struct {
        const char* name;
        std::vector<Token> known, rendered;
        Turns same;
        std::vector<Token> want;
        std::uint32_t want_known, want_turns;
    } cases[] = {
        {"nothing is known", {}, with({"ab", "<end>"}), {}, with({"ab", "<end>"}), 0, 0},
        {"the same tokens", with({"a", "b"}), with({"a", "b", "<end>", "<user>"}), {}, with({"a", "b", "<end>", "<user>"}), begin + 2, 0},
        {"other tokens, same text", with({"a", "b"}), with({"ab", "<end>", "<user>"}), {}, with({"a", "b", "<end>", "<user>"}), begin + 2, 0},
        {"the prompt's last token merges with the answer", with({"x\n", "\n", "y"}), with({"x", "\n\n", "y", "<end>"}), {},
         with({"x\n", "\n", "y", "<end>"}), begin + 3, 0},
        {"more of the text follows without a boundary", with({"a", "b"}), with({"abc", "<end>"}), {}, with({"abc", "<end>"}), begin, 0},
        {"edited text", with({"a", "b", "c"}), with({"ab", "d", "<end>"}), {}, with({"a", "b", "d", "<end>"}), begin + 2, 0},
        {"edited text, although the turn was said to be the same", with({"a", "b", "c"}), with({"ab", "d", "<end>"}), {{begin, begin + 3}},
         with({"a", "b", "d", "<end>"}), begin + 2, 0},
        {"a control token is not its text", with({"a", "<end>"}), with({"a", "end", "<end>"}), {}, with({"a", "end", "<end>"}), begin + 1, 0},
        {"JSON spaced differently, not said to be the same", with({"{", "\"k\":", "1", "}"}), with({"{", "\"k\": ", "1", "}", "<end>"}), {},
         with({"{", "\"k\": ", "1", "}", "<end>"}), begin + 1, 0},
        {"JSON spaced differently, the same", with({"{", "\"k\":", "1", "}"}), with({"{", "\"k\": ", "1", "}", "<end>", "<user>"}),
         {{begin, begin + 4}}, with({"{", "\"k\":", "1", "}", "<end>", "<user>"}), begin + 4, 1},
        {"space at the end is trimmed by the template", with({"a", " ", "\n"}), with({"a", "<end>", "<user>"}), {{begin, begin + 3}},
         with({"a", " ", "\n", "<end>", "<user>"}), begin + 3, 1},
        {"space at the begin is trimmed by the template", with({"\n", "a"}), with({"a", "<end>", "<user>"}), {{begin, begin + 2}},
         with({"\n", "a", "<end>", "<user>"}), begin + 2, 1},
        {"space at the end is added by the template", with({"a"}), with({"a", "\n", "<end>", "<user>"}), {{begin, begin + 1}},
         with({"a", "\n", "<end>", "<user>"}), begin + 1, 0},
        {"reasoning is dropped by the template", with({"<think>", "hm", "<think>", "a"}), with({"a", "<end>", "<user>"}), {{begin, begin + 4}},
         with({"a", "<end>", "<user>"}), begin, 0},
        {"the template ends the answer without a control token", with({"a", " ", "b"}), with({"a", "b", "user", "c", "<end>"}),
         {{begin, begin + 3}}, with({"a", "b", "user", "c", "<end>"}), begin + 1, 0},
        {"not the whole answer", with({"a", " ", "b", "c"}), with({"a", "b", "<end>"}), {{begin, begin + 3}}, with({"a", "b", "<end>"}),
         begin + 1, 0},
        {"a turn beyond what is known", with({"a", " "}), with({"a", "b", "<end>"}), {{begin, begin + 9}}, with({"a", "b", "<end>"}),
         begin + 1, 0},
        {"two answers, both written differently", with({"a", " ", "b", "<end>", "<user>", "q", "<end>", "<bot>", "{", "c", "}"}),
         with({"a", "b", "<end>", "<user>", "q", "<end>", "<bot>", "{ ", "c", "}", "<end>", "<user>", "r"}),
         {{begin, begin + 3}, {begin + 8, begin + 11}},
         with({"a", " ", "b", "<end>", "<user>", "q", "<end>", "<bot>", "{", "c", "}", "<end>", "<user>", "r"}), begin + 11, 2},
        {"the second one was edited", with({"a", " ", "b", "<end>", "<user>", "q", "<end>", "<bot>", "{", "c", "}"}),
         with({"a", "b", "<end>", "<user>", "q", "<end>", "<bot>", "{ ", "d", "}", "<end>"}), {{begin, begin + 3}},
         with({"a", " ", "b", "<end>", "<user>", "q", "<end>", "<bot>", "{ ", "d", "}", "<end>"}), begin + 8, 1},
        {"asked again: the prompt ends earlier", with({"a", "b"}), with({}), {{begin, begin + 2}}, with({}), begin, 0},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(c.name);
        const auto exact = exact_prompt(c.known, c.rendered, c.same, w.piece());
        EXPECT_EQ(exact.tokens(c.known, c.rendered), c.want);
        EXPECT_EQ(exact.known, c.want_known);
        EXPECT_EQ(exact.turns, c.want_turns);
    }
}

TEST(History, PlacesOfRenderedTokens) {
    Words w;
    const auto known = w({"<user>", "hi", "<end>", "<bot>", "a", "b"});
    const auto rendered = w({"<user>", "hi", "<end>", "<bot>", "ab", "<end>", "<user>", "more", "<end>", "<bot>"});
    const auto exact = exact_prompt(known, rendered, {}, w.piece());
    EXPECT_TRUE(exact.changes());
    EXPECT_EQ(exact.common, 4u);
    EXPECT_EQ(exact.place(0), 0u);
    EXPECT_EQ(exact.place(3), 3u);
    EXPECT_EQ(exact.place(6), 7u);  // the second <user>
    EXPECT_EQ(exact.tokens(known, rendered)[7], rendered[6]);
    EXPECT_FALSE(exact_prompt(rendered, rendered, {}, w.piece()).changes());
}

/// Whatever is known: what is not said to be the same keeps its text, byte by byte.
TEST(History, TextNeverChanges) {
    Words w;
    const std::vector<std::vector<std::string_view>> vocabulary = {{"a"}, {"b"}, {"ab"}, {"ba"}, {"aba"}, {" "}, {"<end>"}};
    std::uint32_t seed = 1;
    const auto random = [&seed](std::size_t below) {
        seed = seed * 1664525 + 1013904223;
        return (seed >> 8) % below;
    };
    const auto line = [&] {
        std::vector<Token> out;
        for (auto n = random(12); n > 0; --n) {
            const auto word = w({vocabulary[random(vocabulary.size())].front()});
            out.push_back(word.front());
        }
        return out;
    };
    const auto text = [&](std::span<const Token> tokens) {
        std::string out;
        for (const auto token : tokens) {
            token < 100 ? out += '<' : (w.piece()(token, out), out);
        }
        return out;
    };
    int changed = 0;
    for (int i = 0; i < 20'000; ++i) {
        const auto known = line(), rendered = line();
        const auto exact = exact_prompt(known, rendered, {}, w.piece());
        ASSERT_EQ(text(exact.tokens(known, rendered)), text(rendered)) << i;
        changed += exact.changes();
    }
    EXPECT_GT(changed, 100);
}
