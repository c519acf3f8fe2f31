#include "state/history.h"

#include <algorithm>
#include <optional>

using lc::kv::Token;

namespace {
constexpr std::int64_t nothing = -1;
constexpr std::int64_t first_control = 256;  ///< below: bytes of text

/// What a template or a client writes differently without another meaning.
bool is_noise(std::int64_t symbol) {
    constexpr std::string_view noise = " \t\r\n\"\\,:{}[]";
    return symbol < first_control && noise.find(static_cast<char>(symbol)) != std::string_view::npos;
}

/// Walks over the symbols of tokens: bytes of text, and tokens that are no text.
class Cursor {
  public:
    Cursor(std::span<const Token> tokens, const PieceOf& piece) : tokens_(tokens), piece_(&piece) {}

    std::uint32_t token() const { return token_; }
    bool at_boundary() const { return offset_ == 0; }
    bool at_end() const { return token_ >= tokens_.size(); }
    /// `nothing` at the end.
    std::int64_t symbol() {
        if (at_end()) {
            return nothing;
        }
        if (offset_ == 0 && !loaded_) {
            text_.clear();
            (*piece_)(tokens_[token_], text_);
            loaded_ = true;
        }
        return text_.empty() ? first_control + tokens_[token_] : static_cast<unsigned char>(text_[offset_]);
    }
    void next() {
        (void)symbol();
        if (++offset_ >= text_.size()) {
            go_to(token_ + 1);
        }
    }
    void go_to(std::uint32_t token) {
        token_ = token;
        offset_ = 0;
        loaded_ = false;
    }
    /// Both at boundaries and at the same token: steps over it without asking for its text.
    static bool step_together(Cursor& a, Cursor& b) {
        if (!a.at_boundary() || !b.at_boundary() || a.at_end() || b.at_end() || a.tokens_[a.token_] != b.tokens_[b.token_]) {
            return false;
        }
        a.go_to(a.token_ + 1);
        b.go_to(b.token_ + 1);
        return true;
    }

  private:
    std::span<const Token> tokens_;
    const PieceOf* piece_;
    std::uint32_t token_ = 0;
    std::size_t offset_ = 0;
    bool loaded_ = false;
    std::string text_;
};

std::int64_t next_letter(Cursor& at) {
    while (!at.at_end() && is_noise(at.symbol())) {
        at.next();
    }
    return at.symbol();
}

/// Where in the prompt the answer known[turn.begin, turn.end) ends, `rendered` being where it begins: the token after it.
std::optional<std::uint32_t> end_of_answer(Cursor known, Cursor rendered, const KnownTurn& turn) {
    known.go_to(turn.begin);
    for (;;) {
        const auto wanted = next_letter(known);
        if (wanted == nothing || known.token() >= turn.end) {
            break;
        }
        if (next_letter(rendered) != wanted) {
            return std::nullopt;
        }
        known.next();
        rendered.next();
    }
    const bool ended = next_letter(rendered) >= first_control;
    return ended ? std::optional(rendered.token()) : std::nullopt;
}

class Walk {
  public:
    Walk(std::span<const Token> known, std::span<const Token> rendered, std::span<const KnownTurn> same, const PieceOf& piece)
        : known_tokens_(known), known_(known, piece), rendered_(rendered, piece), same_(same) {
        for (const auto& turn : same_) {
            begins_.push_back({turn, std::nullopt});
        }
    }

    Exact run() {
        while (Cursor::step_together(known_, rendered_)) {
        }
        out_.common = known_.token();
        for (auto& begin : begins_) {
            if (begin.turn.begin <= out_.common) {
                begin.rendered = rendered_;
                begin.rendered->go_to(begin.turn.begin);
            }
        }
        cut();
        do {
            follow();
        } while (skip_answer());
        return std::move(out_);
    }

  private:
    struct Begin {
        KnownTurn turn;
        std::optional<Cursor> rendered;  ///< where the prompt has its first symbol
        bool tried = false;
    };

    void cut() {
        const Exact::Shift shift{known_.token(), rendered_.token()};
        const auto last = out_.shifts.empty() ? Exact::Shift{} : out_.shifts.back();
        if (static_cast<std::int64_t>(shift.known) - shift.fresh != static_cast<std::int64_t>(last.known) - last.fresh) {
            out_.shifts.push_back(shift);
        }
        out_.known = shift.known;
        out_.fresh = shift.fresh;
    }

    void note_begins() {
        while (next_begin_ < begins_.size() && begins_[next_begin_].turn.begin < known_.token()) {
            ++next_begin_;
        }
        if (next_begin_ < begins_.size() && known_.at_boundary() && begins_[next_begin_].turn.begin == known_.token()) {
            begins_[next_begin_].rendered = rendered_;
        }
    }

    /// As long as both say the same.
    void follow() {
        for (;;) {
            note_begins();
            if (known_.at_boundary() && rendered_.at_boundary()) {
                cut();
            }
            if (Cursor::step_together(known_, rendered_)) {
                continue;
            }
            if (known_.symbol() == nothing || known_.symbol() != rendered_.symbol()) {
                return;
            }
            known_.next();
            rendered_.next();
        }
    }

    /// Over an answer that means the same; false: there is none.
    bool skip_answer() {
        for (auto& begin : begins_) {
            const auto& turn = begin.turn;
            if (begin.tried || !begin.rendered || turn.begin > known_.token() || turn.end < known_.token() ||
                turn.end > known_tokens_.size()) {
                continue;
            }
            begin.tried = true;
            // The model's own end of turn follows, or nothing: else this is not the whole answer.
            Cursor behind = known_;
            behind.go_to(turn.end);
            const auto symbol = behind.symbol();
            if (symbol != nothing && symbol < first_control) {
                continue;
            }
            const auto end = end_of_answer(known_, *begin.rendered, turn);
            if (!end || turn.end == out_.known) {
                continue;
            }
            known_.go_to(turn.end);
            rendered_.go_to(*end);
            ++out_.turns;
            cut();
            return true;
        }
        return false;
    }

    std::span<const Token> known_tokens_;
    Cursor known_, rendered_;
    std::span<const KnownTurn> same_;
    std::vector<Begin> begins_;
    std::size_t next_begin_ = 0;
    Exact out_;
};
}  // namespace

std::vector<Token> Exact::tokens(std::span<const Token> of_known, std::span<const Token> of_fresh) const {
    std::vector<Token> out(of_known.begin(), of_known.begin() + known);
    out.insert(out.end(), of_fresh.begin() + fresh, of_fresh.end());
    return out;
}

std::uint32_t Exact::place(std::uint32_t of_fresh) const {
    Shift last;
    for (const auto& shift : shifts) {
        if (shift.fresh > of_fresh) {
            break;
        }
        last = shift;
    }
    return last.known + (of_fresh - last.fresh);
}

Exact exact_prompt(std::span<const Token> known, std::span<const Token> rendered, std::span<const KnownTurn> same, const PieceOf& piece) {
    return Walk(known, rendered, same, piece).run();
}
