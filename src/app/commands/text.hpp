// Text for people: tables, units, colour. Pure but for `colour_on`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lc::commands {

enum class Align : std::uint8_t { left, right };

struct Column {
    std::string_view title;
    Align align = Align::left;
    std::size_t max_width = 0;  ///< 0: as wide as its content
};

/// One cell; `sgr` is its colour ("32"), empty for none.
struct Cell {
    std::string text;
    std::string_view sgr = {};
};
using Row = std::vector<Cell>;

/// Columns padded to their widest cell, two spaces apart, no spaces at line ends. Columns that are empty in every row
/// are left out. Control characters never reach the terminal. `colour`: titles dim, cells with their `sgr`.
[[nodiscard]] std::string table(const std::vector<Column>& columns, const std::vector<Row>& rows, bool colour);

/// `text` on one line and without any control character, C1 ones (U+0080 to U+009F) included.
[[nodiscard]] std::string clean(std::string_view text);

/// `text` in a colour ("1" bold, "2" dim, "31" red, "32" green, "33" yellow), or as it is.
[[nodiscard]] std::string paint(std::string_view text, std::string_view sgr, bool colour);

[[nodiscard]] std::string bytes_text(std::int64_t bytes);  ///< "1.2 GB"; 0: ""
[[nodiscard]] std::string ms_text(
    const std::optional<double>& milliseconds);                              ///< "340 ms", "12.3 s", "4m 05s"; none: ""
[[nodiscard]] std::string duration_text(std::int64_t seconds);               ///< "2d 3h", "5m 12s"
[[nodiscard]] std::string count_text(std::int64_t number);                   ///< "16,384"; 0: ""
[[nodiscard]] std::string time_text(std::int64_t unix_ms);                   ///< local time, "2025-01-31 14:05:09"
[[nodiscard]] std::string list_text(const std::vector<std::string>& words);  ///< "a, b"

/// Whether standard output is a terminal that takes colour (NO_COLOR and TERM=dumb respected).
[[nodiscard]] bool colour_on();

}  // namespace lc::commands
