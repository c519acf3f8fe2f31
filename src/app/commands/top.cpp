// `top`: a running gateway, live in the terminal.
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>

#include "app/commands/admin_client.hpp"
#include "app/commands/cli.hpp"
#include "app/commands/once.hpp"
#include "app/commands/options.hpp"
#include "app/commands/text.hpp"
#include "app/commands/top_view.hpp"
#include "shell/sys/fd.hpp"

namespace lc::commands {

namespace {

namespace json = boost::json;

struct Options {
    config::CliOptions cli;
    bool json = false, once = false;
    double interval = 1;
};

Result<Sample> sample(const Place& place) {
    Sample out;
    auto status = ask_json(place, "status");
    if (!status) return tl::unexpected(status.error());
    auto requests = ask_json(place, "requests?limit=20");
    if (!requests) return tl::unexpected(requests.error());
    net::Target target;
    target.unix_path = place.socket;
    net::Request request;
    request.method = "GET";
    request.target = "/metrics";
    const auto metrics = fetch_once(target, std::move(request), std::chrono::seconds(10));
    if (!metrics) return tl::unexpected(metrics.error());
    out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    out.status = std::move(*status);
    out.requests = std::move(*requests);
    out.counters = counters_of(metrics->body);
    return out;
}

std::atomic<bool> asked_to_end = false;
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

/// The terminal as `top` needs it; as it was when this ends.
class Screen {
  public:
    Screen() {
        for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, [](int) { asked_to_end = true; });
        keys_ = ::isatty(0) != 0 && ::tcgetattr(0, &old_) == 0;
        if (keys_) {
            termios raw = old_;
            raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            ::tcsetattr(0, TCSANOW, &raw);
        }
        put("\x1b[?1049h\x1b[?25l");  // other screen, no cursor
    }
    ~Screen() {
        put("\x1b[?25h\x1b[?1049l");
        if (keys_) ::tcsetattr(0, TCSANOW, &old_);
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    void show(const std::vector<std::string>& lines) const {
        std::string out = "\x1b[H";
        for (std::size_t i = 0; i < lines.size(); ++i) out += (i ? "\r\n" : "") + lines[i] + "\x1b[K";
        put(out + "\x1b[J");
    }

    /// False: somebody wants it to end.
    [[nodiscard]] bool wait(std::chrono::milliseconds time) const {
        const auto end = std::chrono::steady_clock::now() + time;
        while (!asked_to_end) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
            if (left.count() <= 0) return true;
            pollfd key{keys_ ? 0 : -1, POLLIN, 0};
            if (::poll(&key, 1, static_cast<int>(left.count())) != 1) continue;
            char c = 0;
            if (::read(0, &c, 1) != 1 || c == 'q' || c == 'Q' || c == 3) return false;
            if (c == ' ' || c == '\n') return true;
        }
        return false;
    }

    struct Size {
        std::size_t width = 80, height = 24;
    };
    [[nodiscard]] static Size size() {
        winsize w{};
        if (::ioctl(1, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_row == 0) return {};
        return {w.ws_col, w.ws_row};
    }

  private:
    static void put(std::string_view text) { (void)sys::write_all(1, text); }
    termios old_{};
    bool keys_ = false;
};

int watch(const Place& place, Sample before, std::chrono::milliseconds interval) {
    std::string ended;
    {
        const Screen screen;
        Sample now = before;
        do {
            auto next = sample(place);
            if (!next) {
                ended = next.error().detail;
                break;
            }
            now = std::move(*next);
            const auto size = Screen::size();
            auto lines = top_lines(before, now, size.width, size.height - 1, colour_on());
            lines.push_back(paint("q: quit", "2", colour_on()));
            screen.show(lines);
            before = std::move(now);
        } while (screen.wait(interval));
    }
    return ended.empty() ? ok : complain("top", {Errc::upstream_error, ended});
}

int top(const Options& options) {
    const auto place = find_place(options.cli);
    if (!place) return complain("top", place.error());
    auto first = sample(*place);
    if (!first) return complain("top", first.error());
    const auto interval = std::chrono::milliseconds(static_cast<std::int64_t>(options.interval * 1000));
    if (!options.json && !options.once && ::isatty(1) != 0) return watch(*place, std::move(*first), interval);

    // Rates need two samples.
    ::poll(nullptr, 0, static_cast<int>(interval.count()));
    const auto now = sample(*place);
    if (!now) return complain("top", now.error());
    if (options.json) {
        std::cout << json::serialize(top_json(*first, *now)) << '\n';
    } else {
        for (const auto& line : top_lines(*first, *now, 200, 1000, colour_on())) std::cout << line << '\n';
    }
    return ok;
}

}  // namespace

void add_top(CLI::App& app, int& status) {
    auto* command = app.add_subcommand("top", "Watch engines, requests and sessions, live");
    const auto options = std::make_shared<Options>();
    command->add_option("--interval", options->interval, "Seconds between two looks (default: 1)")
        ->type_name("N")
        ->check(CLI::Range(0.1, 3600.0).description(""));
    command->add_flag("--once", options->once, "Print once and end, as when the output is no terminal");
    add_place_options(*command, options->cli);
    add_json_option(*command, options->json);
    command->footer(
        "q or Ctrl-C ends it, the space bar looks again at once. tokens/s counts streamed answers.\n\n"
        "Examples:\n  localcode top\n  localcode top --once\n  localcode top --json --interval 5");
    command->callback([options, &status] { status = top(*options); });
}

}  // namespace lc::commands
