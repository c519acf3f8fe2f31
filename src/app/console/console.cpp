#include "app/console/console.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <cstdlib>

namespace lc::console {

class Console {
  public:
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<spdlog::async_logger> logger;
    bool json = false;
};

namespace {

spdlog::level::level_enum spd(Level level) {
    switch (level) {
        case Level::error: return spdlog::level::err;
        case Level::warn: return spdlog::level::warn;
        case Level::info: return spdlog::level::info;
        case Level::debug: return spdlog::level::debug;
    }
    return spdlog::level::info;
}

spdlog::level::level_enum threshold(const std::string& name) {
    if (name == "error") return spdlog::level::err;
    if (name == "warn") return spdlog::level::warn;
    if (name == "debug") return spdlog::level::debug;
    return spdlog::level::info;
}

std::string json_escaped(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20) {
            out += "\\u00";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

bool colour_wanted() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && !(no_color && *no_color) && !(term && std::string_view(term) == "dumb");
}

void ConsoleDeleter::operator()(Console* console) const {
    console->logger->flush();
    console->logger.reset();
    console->pool.reset();  // joins its thread once the queue is empty
    delete console;
}

ConsolePtr open(const Options& options) {
    ConsolePtr console(new Console);
    console->json = options.json;
    console->pool = std::make_shared<spdlog::details::thread_pool>(8192, 1);
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    console->logger = std::make_shared<spdlog::async_logger>("localcode", std::move(sink), console->pool,
                                                             spdlog::async_overflow_policy::overrun_oldest);
    console->logger->set_level(threshold(options.level));
    console->logger->set_pattern(options.json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v})"
                                              : "%H:%M:%S.%e %v");
    return console;
}

void write(Console& console, Level level, std::string_view text) {
    if (!console.json) {
        const char* mark = level == Level::error ? "error: " : level == Level::warn ? "warning: " : "";
        console.logger->log(spd(level), "{}{}", mark, text);
        return;
    }
    // A text that is a JSON object already (the request log) becomes members of the line.
    if (text.size() > 2 && text.front() == '{' && text.back() == '}') {
        console.logger->log(spd(level), "{}", text.substr(1, text.size() - 2));
    } else {
        console.logger->log(spd(level), R"("message":"{}")", json_escaped(text));
    }
}

bool enabled(const Console& console, Level level) { return console.logger->should_log(spd(level)); }

}  // namespace lc::console
