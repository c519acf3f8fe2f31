// What `serve` says: levelled lines on standard error, written by a thread of their own so that a stuck terminal or pipe
// never holds the network thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lc::console {

enum class Level : std::uint8_t { error, warn, info, debug };

struct Options {
    std::string level = "info";  ///< error | warn | info | debug
    bool json = false;           ///< one JSON object a line
};

/// Whether standard error is a terminal that takes colour (NO_COLOR, TERM=dumb respected).
[[nodiscard]] bool colour_wanted();

class Console;
struct ConsoleDeleter {
    void operator()(Console* console) const;
};
using ConsolePtr = std::unique_ptr<Console, ConsoleDeleter>;

/// Lines are written within some 10 ms (errors at once), those that come together in one go. When the reader is too slow
/// further ones are dropped and counted. Destroying it writes what is left.
[[nodiscard]] ConsolePtr open(const Options& options);

/// One message; may span lines. Secrets must be gone from it already (log::redact).
void write(Console& console, Level level, std::string_view text);

[[nodiscard]] bool enabled(const Console& console, Level level);

}  // namespace lc::console
