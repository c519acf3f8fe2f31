// The engines of this gateway: one child process per local model, started when it is needed, watched, restarted with
// back-off, stopped gracefully. One owner of all their states; everything here runs on the network thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "core/config/config.hpp"
#include "core/engine/argv.hpp"
#include "core/engine/lifecycle.hpp"
#include "shell/net/http_client.hpp"

namespace lc::engines {

namespace asio = boost::asio;
template <class T>
using awaitable = asio::awaitable<T>;

enum class Level : std::uint8_t { error, warn, info, debug };
using LogSink = std::function<void(Level level, std::string_view model, std::string_view text)>;

struct Options {
    std::string state_dir;       ///< `<state_dir>/engines/<model>.{log,jinja}` are written
    std::string runtime_dir;     ///< sockets: `<runtime_dir>/<port>-e<n>.sock`
    std::uint16_t port = 4242;   ///< of the gateway: keeps two gateways' sockets apart
    std::string engine_program;  ///< server.engine; empty: looked up (program.hpp)
    std::string templates_dir;   ///< empty: looked up
    std::vector<config::Model>
        models;             ///< `path` resolved: a model that only has `hf` is answered with model_load_failed
    std::string kv_dir;          ///< our engines read and write KV states there; empty: they keep none
    std::string engine_token;    ///< what they know us by then
    std::string slot_dir;        ///< where stock servers save slots; empty: they cannot
    engine::Policy policy;  ///< `load_timeout` is taken from each model's `load_timeout_s`
    LogSink log;            ///< may be empty
};

class Engines;
struct EnginesDeleter {
    void operator()(Engines* engines) const;
};
using EnginesPtr = std::unique_ptr<Engines, EnginesDeleter>;

/// Starts nothing yet. Borrows `pool`, which must outlive the result. Destroying it kills what still runs; call
/// `stop_all` before for a graceful end.
[[nodiscard]] EnginesPtr make_engines(asio::any_io_executor executor, net::Pool& pool, Options options);

/// What llama.cpp says of itself and of the model once it is ready.
struct Meta {
    std::string props;  ///< body of GET /props, as it came
    std::string build;  ///< build_info
    bool vision = false, audio = false;
    std::string chat_template;          ///< as the engine uses it
    std::vector<std::string> features;  ///< of GET /localcode/engine; empty for a stock llama-server
    std::string engine;                 ///< "localcode-engine" or "llama-server"
    std::string about;                  ///< body of GET /localcode/engine, as it came; empty for a stock llama-server
};

/// What is known of a model without starting it (GGUF header and config), and what its last start decided.
struct ModelInfo {
    std::string name, path, architecture, quantisation, title;  ///< title: general.name
    std::int64_t context_train = 0, parameters = 0, file_bytes = 0;
    std::int64_t context_per_slot = 0, slots = 0;  ///< as planned; 0: not yet
    double yarn_factor = 1;                        ///< > 1: stretched beyond training
    bool fim = false;
    engine::Purpose purpose = engine::Purpose::generate;
    std::string pooling;
    std::vector<std::string> notes;  ///< decisions and why: context, memory, template
    std::string template_note;       ///< empty: the model's own template is used as it is
    bool tools = true;               ///< its chat template, own or given, renders tools
    bool reasoning = false;          ///< its chat template knows of thinking
    bool vision = false, audio = false;  ///< it has a projector for them
};

/// "chat", "tools", "reasoning", "vision", "audio", "fim"; or "embedding" or "rerank" alone. For /v1/models and `models`.
[[nodiscard]] std::vector<std::string> capabilities(const ModelInfo& info);

/// In use until this and all copies of it are gone: an engine in use is not stopped for idleness.
using Lease = std::shared_ptr<const void>;

struct Ready {
    std::string model;
    std::string socket;                 ///< path of its Unix socket
    net::Target target;                 ///< the same, ready for make_call
    std::int64_t context_per_slot = 0;  ///< as the engine reports it
    std::int64_t slots = 0;
    bool ours = false;              ///< localcode-engine; false: a stock llama-server
    bool tools_ok = false;          ///< its chat template renders tools (chat_template_caps.supports_tools)
    std::string tools_error;        ///< when not tools_ok: what to tell the client and how to mend it
    std::uint64_t incarnation = 0;  ///< differs after each restart
    std::shared_ptr<const Meta> meta;
    std::shared_ptr<const ModelInfo> info;
    Lease lease;
};

[[nodiscard]] inline bool has_feature(const Ready& ready, std::string_view feature) {
    for (const auto& f : ready.meta->features) {
        if (f == feature) return true;
    }
    return false;
}

/// Lets somebody else end a wait at once: pass it to `acquire`, call `leave()` on the network thread from anywhere
/// (from on_gone, say). Must outlive the acquire.
struct Leave {
    bool left = false;
    std::function<void()> wake;  ///< set by acquire while it waits
    void leave() {
        left = true;
        if (wake) wake();
    }
};

struct Waiting {
    engine::Phase phase = engine::Phase::starting;
    double seconds = 0;  ///< waited so far
};

/// Waits until the model's engine is healthy, starting it when needed; concurrent callers share one start. `on_wait`
/// (may be empty) is called when the wait begins and about once a second, never when the engine is ready at once.
/// Errors: not_found (no such model), model_load_failed (likely cause and the last lines of output; retry_after_s while
/// backing off), overloaded (stopping), cancelled (Leave, or Asio cancellation of the caller).
awaitable<Result<Ready>> acquire(Engines& engines, std::string model, std::function<void(const Waiting&)> on_wait = {},
                                 Leave* leave = nullptr);

/// Ready now? Then as `acquire`, without waiting and without starting anything; null when it is not.
[[nodiscard]] std::unique_ptr<Ready> try_acquire(Engines& engines, std::string_view model);

/// What is known of a model now, without waiting and without starting anything. Unknown names: nothing.
struct Glance {
    bool ready = false;
    std::int64_t context_per_slot = 0, slots = 0;  ///< 0: not known yet
    bool vision = false;                           ///< only of one that is ready
    std::shared_ptr<const ModelInfo> info;         ///< null: its header was not read yet
};
[[nodiscard]] Glance glance(const Engines& engines, std::string_view model);

/// For a caller whose connection was refused: waits until the news of that engine's end is here, at most 2 s.
awaitable<void> settle(Engines& engines, std::string model);

struct Status {
    std::string name;
    engine::Phase phase = engine::Phase::stopped;
    int pid = 0;
    std::uint64_t restarts = 0;
    int in_use = 0;
    int waiting = 0;  ///< requests that wait for its start
    std::int64_t rss_bytes = 0;  ///< 0: not running
    std::int64_t context_per_slot = 0, slots = 0;
    bool ours = false;
    std::string template_note;
    std::string last_error;
    std::string log_file;
    std::vector<std::string> notes;
    double seconds_in_phase = 0;
};
[[nodiscard]] std::vector<Status> status(const Engines& engines);

/// Reads the GGUF header now if it was not read yet (cached by size and time of change). For `/v1/models`, without
/// starting.
awaitable<Result<std::shared_ptr<const ModelInfo>>> describe(Engines& engines, std::string model);

/// The last lines that the engine wrote (bounded), newest last; empty when it never ran.
[[nodiscard]] std::string recent_output(const Engines& engines, std::string_view model);

/// Stops one engine gracefully (SIGTERM, SIGKILL after the grace); it may be started again by a later acquire.
awaitable<Result<void>> stop(Engines& engines, std::string model);

/// From now on nothing starts; all are stopped, at the latest after `grace` by SIGKILL. Returns when none is left.
awaitable<void> stop_all(Engines& engines, std::chrono::milliseconds grace);

}  // namespace lc::engines
