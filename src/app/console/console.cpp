#include "app/console/console.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace lc::console {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_waiting = 8u << 20;  // bytes; a reader that is slower loses lines
constexpr auto gathering = 10ms;                // lines that come close together are written together

Level threshold(const std::string& name) {
    if (name == "error") return Level::error;
    if (name == "warn") return Level::warn;
    if (name == "debug") return Level::debug;
    return Level::info;
}

std::string_view name_of(Level level) {
    switch (level) {
        case Level::error: return "error";
        case Level::warn: return "warning";
        case Level::info: return "info";
        case Level::debug: return "debug";
    }
    return "info";
}

/// Appends `text` as the inside of a JSON string.
void append_escaped(std::string& out, std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
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
}

/// The time of a line. What does not change within a second is kept.
struct Stamp {
    std::time_t second = -1;
    char date[24] = "", clock[12] = "", zone[8] = "";  // "2025-01-31T", "14:05:09", "+02:00"
};

void tell_time(Stamp& stamp, std::time_t second) {
    if (stamp.second == second) return;
    stamp.second = second;
    std::tm parts{};
    ::localtime_r(&second, &parts);
    char zone[8] = "+0000";
    std::strftime(stamp.date, sizeof stamp.date, "%Y-%m-%dT", &parts);
    std::strftime(stamp.clock, sizeof stamp.clock, "%H:%M:%S", &parts);
    std::strftime(zone, sizeof zone, "%z", &parts);
    std::snprintf(stamp.zone, sizeof stamp.zone, "%.3s:%.2s", zone, zone + 3);
}

void append_time(std::string& out, Stamp& stamp, bool whole) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    tell_time(stamp, static_cast<std::time_t>(ms / 1000));
    const auto part = static_cast<unsigned>(ms % 1000);
    if (whole) out += stamp.date;
    out += stamp.clock;
    out += {'.', static_cast<char>('0' + part / 100), static_cast<char>('0' + part / 10 % 10),
            static_cast<char>('0' + part % 10)};
    if (whole) out += stamp.zone;
}

/// All of it, however slowly it is taken; until it fails.
void write_all(std::string_view text) {
    while (!text.empty()) {
        const auto n = ::write(STDERR_FILENO, text.data(), text.size());
        if (n > 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
        } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            pollfd ready{STDERR_FILENO, POLLOUT, 0};
            ::poll(&ready, 1, 1000);
        } else if (n == 0 || errno != EINTR) {
            return;  // nobody reads any more
        }
    }
}

}  // namespace

class Console {
  public:
    Level most = Level::info;
    bool json = false;

    std::mutex mutex;  // guards what follows, up to `thread`
    std::condition_variable wake;
    std::string waiting;
    std::size_t lost = 0;
    Stamp stamp;
    bool hurry = false, stop = false;

    std::thread thread;
};

namespace {

void write_loop(Console& self) {
    std::string writing;
    std::unique_lock lock(self.mutex);
    while (true) {
        self.wake.wait(lock, [&] { return self.stop || !self.waiting.empty(); });
        if (self.waiting.empty()) return;
        self.wake.wait_for(lock, gathering, [&] { return self.stop || self.hurry; });
        self.hurry = false;
        writing.clear();
        writing.swap(self.waiting);
        if (const auto lost = std::exchange(self.lost, 0)) {
            writing += self.json
                           ? R"({"level":"warning","lost_lines":)" + std::to_string(lost) + "}\n"
                           : "(" + std::to_string(lost) + " lines were lost: they came faster than they were read)\n";
        }
        lock.unlock();
        write_all(writing);
        if (writing.capacity() > (1u << 20)) std::string().swap(writing);
        lock.lock();
    }
}

/// Appends one line, as it will be written. Called with the lock held.
void append_line(Console& self, Level level, std::string_view text) {
    auto& out = self.waiting;
    if (!self.json) {
        append_time(out, self.stamp, false);
        out += level == Level::error ? " error: " : level == Level::warn ? " warning: " : " ";
        out += text;
        out += '\n';
        return;
    }
    out += R"({"time":")";
    append_time(out, self.stamp, true);
    out += R"(","level":")";
    out += name_of(level);
    // A text that is a JSON object already (the request log) becomes members of the line.
    if (text.size() > 2 && text.front() == '{' && text.back() == '}') {
        out += "\",";
        out += text.substr(1);
    } else {
        out += R"(","message":")";
        append_escaped(out, text);
        out += "\"}";
    }
    out += '\n';
}

}  // namespace

bool colour_wanted() {
    const char* no_color = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && !(no_color && *no_color) && !(term && std::string_view(term) == "dumb");
}

void ConsoleDeleter::operator()(Console* console) const {
    {
        const std::lock_guard lock(console->mutex);
        console->stop = true;
    }
    console->wake.notify_all();
    console->thread.join();  // once all is written
    delete console;
}

ConsolePtr open(const Options& options) {
    ConsolePtr console(new Console);
    console->json = options.json;
    console->most = threshold(options.level);
    console->thread = std::thread([self = console.get()] { write_loop(*self); });
    return console;
}

void write(Console& console, Level level, std::string_view text) {
    if (!enabled(console, level)) return;
    bool wake = false;
    {
        const std::lock_guard lock(console.mutex);
        if (console.waiting.size() + text.size() > most_waiting) {
            ++console.lost;
            return;
        }
        wake = console.waiting.empty();
        append_line(console, level, text);
        if (level == Level::error && !console.hurry) console.hurry = wake = true;
    }
    if (wake) console.wake.notify_one();
}

bool enabled(const Console& console, Level level) {
    return level <= console.most;
}

}  // namespace lc::console
