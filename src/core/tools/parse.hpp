// JSON text to a Value: strictly, or with the mistakes that models make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tools/value.hpp"

namespace lc::tools {

/// What a repair did. The names are those of logs and metrics.
enum class Fix : std::uint8_t {
    closed,         ///< lost closing braces and brackets added
    extra_closer,   ///< closing braces too many taken away
    quotes,         ///< single quotes
    literal,        ///< True, False, None
    comma,          ///< trailing commas
    newline,        ///< raw line breaks and other control characters in strings
    escape,         ///< \' in a string
    key,            ///< keys without quotes
    comment,        ///< comments
    fence,          ///< a fence or tags around the arguments
    encoded,        ///< JSON in a JSON string
    empty,          ///< no arguments at all for a tool that needs none
    wrapped,        ///< arguments in `arguments` or `parameters`
    name,           ///< a nearly right tool name
    argument_case,  ///< an argument's name in the wrong case
    defaulted,      ///< a declared default for a required argument
    number,         ///< "3" for 3
    boolean,        ///< "true" for true
    parsed_string,  ///< a JSON string for an array or object
    from_text,      ///< the call was written in the text
};
[[nodiscard]] std::string_view name_of(Fix fix);

/// How lenient a parse is. `tolerant` alone never adds what is not there; `close` lets it add the closing braces and
/// brackets that a text lacks at its end, which must not be done to a text that was cut.
struct Lenience {
    bool tolerant = false;
    bool close = false;
    std::size_t max_depth = 128;
};

enum class Broken : std::uint8_t {
    no,
    syntax,      ///< something that does not belong there
    cut,         ///< ends where more must come
    cut_string,  ///< ends inside a string
    deep,        ///< nested deeper than allowed
};

struct Parsed {
    std::optional<Value> value;
    std::vector<Fix> fixes;  ///< each at most once, empty for strict JSON
    Broken broken = Broken::no;
    std::size_t at = 0;  ///< where it broke; else one past the value (and what was skipped behind it)
};

/// Pure. All of `text` must be one value with space around it.
[[nodiscard]] Parsed parse(std::string_view text, Lenience lenience = {});

/// Pure. One value at the beginning of `text` (space before it is skipped); what follows is not looked at.
[[nodiscard]] Parsed parse_prefix(std::string_view text, Lenience lenience = {});

void note(std::vector<Fix>& fixes, Fix fix);  ///< adds it unless it is there

}  // namespace lc::tools
