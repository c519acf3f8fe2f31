// Editing JSON with comments and trailing commas (opencode.jsonc) so that nothing else in the text changes.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace lc::clients {

enum class How : std::uint8_t {
    replace,    ///< the value becomes this one
    if_absent,  ///< what stands there stays
    append,     ///< an element of a list, unless the list has it; a missing list is made
};

struct Setting {
    std::vector<std::string> path;  ///< keys from the top; missing objects on the way are made
    boost::json::value value;
    How how = How::replace;
};

/// Pure. The text with the setting in it; the same text when nothing has to change. Comments, order, indentation and
/// line ends stay. Blank text counts as "{}". Errors: bad_request when the text is not JSON with comments (with line
/// and column), or when the path leads through something that is no object.
[[nodiscard]] Result<std::string> with_setting(std::string_view text, const Setting& setting);
[[nodiscard]] Result<std::string> with_settings(std::string_view text, const std::vector<Setting>& settings);

/// Pure. The value, comments left out; of a repeated key the last one counts. Errors as above.
[[nodiscard]] Result<boost::json::value> read_jsonc(std::string_view text);

/// Pure. JSON over several lines; short lists and objects of plain values stay on one. `indent`: of the line it begins
/// on; `unit`: of one level.
[[nodiscard]] std::string pretty(const boost::json::value& value, std::string_view unit = "  ",
                                 std::string_view indent = "", std::string_view line_end = "\n");

}  // namespace lc::clients
