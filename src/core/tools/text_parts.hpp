// Inside of text_call: the markup of each format.
#pragma once

#include "core/tools/text_call.hpp"

namespace lc::tools {

/// Whether markup begins here.
enum class Begin : std::uint8_t {
    no,
    perhaps,  ///< as far as it goes: more text decides
    yes,
};

struct Opener {
    Begin begin = Begin::no;
    Format format = Format::json;
    std::string_view closer;  ///< empty: goes to the end of the text
    std::size_t inside = 0;   ///< where what is between the tags begins
};

/// Pure. What stands at the beginning of `text`. Once yes or no, more text does not change it. `start`: nothing but
/// space came before in the whole answer, `bare`: JSON alone may be a call there.
[[nodiscard]] Opener opener_at(const ToolSet& tools, std::string_view text, bool start, bool bare);

/// Pure. Whether a closer found behind `inside` closes the region (and does not stand in one of its strings).
[[nodiscard]] bool is_closed(Format format, std::string_view inside);

/// Pure. The calls between the tags; empty: these are none.
[[nodiscard]] std::vector<TextCall> calls_in(const ToolSet& tools, Format format, std::string_view inside, bool cut);

}  // namespace lc::tools
