// Token-exact history: a prompt rendered anew, put together from the tokens that are known for it and from new ones. Pure;
// no llama.cpp. Why and how: docs/adr/0008.
#pragma once
#include "core/kv/chunk.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

/// An answer among the known tokens: [begin, end).
struct KnownTurn {
    std::uint32_t begin = 0, end = 0;
    bool operator==(const KnownTurn&) const = default;
};

/// The text of a token, appended. Nothing: a token that is no text (control, unknown); it equals only itself.
using PieceOf = std::function<void(lc::kv::Token token, std::string& out)>;

struct Exact {
    std::uint32_t known = 0;  ///< so many known tokens stand in the place of ...
    std::uint32_t fresh = 0;  ///< ... so many rendered ones
    std::uint32_t common = 0; ///< leading tokens that are equal anyway
    std::uint32_t turns = 0;  ///< answers that are written differently, and mean the same

    /// Where the numbering changes: the rendered token `fresh` is the known token `known`; ascending.
    struct Shift {
        std::uint32_t known = 0, fresh = 0;
        bool operator==(const Shift&) const = default;
    };
    std::vector<Shift> shifts;

    bool changes() const { return known != common || fresh != common; }
    std::vector<lc::kv::Token> tokens(std::span<const lc::kv::Token> of_known, std::span<const lc::kv::Token> of_fresh) const;
    /// Place of a rendered token in `tokens`.
    std::uint32_t place(std::uint32_t of_fresh) const;
};

/// How much of `known` can begin the prompt `rendered`. Known tokens are taken where their text is that of the prompt, byte
/// by byte and control token by control token. Of a turn in `same` (ascending: answers that mean what the prompt says in
/// their place, according to who asks) spacing and punctuation of JSON may differ; its end in the prompt is the control
/// token behind the same letters, so nothing else can be swallowed.
Exact exact_prompt(std::span<const lc::kv::Token> known, std::span<const lc::kv::Token> rendered, std::span<const KnownTurn> same,
                   const PieceOf& piece);
